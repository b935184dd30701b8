"""`vton metrics`: all processes of this host and the ledger's own numbers, as Prometheus reads them."""

import signal
import sys
from typing import Annotated

import typer
from prometheus_client import generate_latest

from jobs.cli.options import ConfigOpt, SimulateOpt
from jobs.cli.session import command_settings, open_session
from jobs.errors import ConfigError
from jobs.monitoring.host import host_registry
from jobs.monitoring.serving import serve


def metrics(
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    serving: Annotated[
        bool, typer.Option("--serve", help="Serve them at metrics.host and metrics.all_port until ended.")
    ] = False,
) -> None:
    """Print the metrics of all processes of this host and of the ledger once, or serve them in one page."""
    settings = command_settings(config, simulate=simulate)
    where = settings.metrics
    if serving and not where.all_port:
        raise ConfigError("metrics.all_port: not set; it says where they are served")
    endings = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    if serving:
        signal.pthread_sigmask(signal.SIG_BLOCK, endings)
    with open_session(settings) as opened:
        registry = host_registry(opened.ledger, settings)
        if not serving:
            sys.stdout.write(generate_latest(registry).decode())
            return
        try:
            served = serve(registry, where.all_port, host=where.host)
        except OSError as error:
            raise ConfigError(f"metrics.all_port: {where.all_port}: {error.strerror}") from None
        sys.stderr.write(f"metrics: http://{where.host}:{served.port}/metrics\n")
        signal.sigwait(endings)
        served.close()
