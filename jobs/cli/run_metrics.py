"""The one page of all metrics that `vton run` serves while it runs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from jobs.cli.session import IMPATIENT_S, Session
from jobs.ledger import Ledger
from jobs.redis.client import connect

log = structlog.get_logger()


@contextmanager
def host_metrics(session: Session) -> Iterator[None]:
    """Serves it at `metrics.all_port`, if that is set; a port that is taken is a line in the log, and the run goes on."""
    where, redis = session.settings.metrics, session.redis
    if not where.all_port:
        yield
        return
    # Most runs need it not.
    from jobs.monitoring.host import host_registry  # noqa: PLC0415
    from jobs.monitoring.serving import serve  # noqa: PLC0415

    client = connect(redis, db=redis.ledger_db, connections=2, patience_s=IMPATIENT_S)
    try:
        registry = host_registry(Ledger(client, redis.prefix), session.settings)
        try:
            served = serve(registry, where.all_port, host=where.host)
        except OSError as error:
            log.warning("metrics.unserved", host=where.host, first=where.all_port, why=error.strerror)
            yield
            return
        sys.stderr.write(f"metrics: all of this host http://{where.host}:{served.port}/metrics\n")
        try:
            yield
        finally:
            served.close()
    finally:
        client.close()
