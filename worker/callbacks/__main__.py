"""`python -m worker.callbacks [--review] [--dashboard]`, the process behind `vton serve`: the receiver, sites, or both."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial

import structlog
import uvicorn
from pydantic import SecretStr

from jobs.config.load import read_credentials, read_settings, secrets_of
from jobs.config.settings import Settings
from jobs.errors import ConfigError, VtonError
from jobs.health.heartbeats import Heartbeats
from jobs.ledger import AsyncRunner, Ledger, steps
from jobs.local import redis_folder
from jobs.local.site_token import SITES, Site, entrance, own_token
from jobs.logging.setup import configure, redact
from jobs.producing.queue import Queue
from jobs.redis.client import connect, connect_async
from worker.callbacks.address import CallbackAddresses
from worker.callbacks.app import Receiver
from worker.callbacks.server import bounded_server
from worker.dashboard.app import DashboardSite
from worker.dashboard.feed import Feed
from worker.dashboard.look import Eye, Shop
from worker.dashboard.pictures import SmallPictures
from worker.metrics import Metrics, serve_on_free_port
from worker.review.app import ReviewSite
from worker.review.known import Known
from worker.site.access import Access
from worker.site.answers import App

log = structlog.get_logger()


def main(words: Sequence[str] = ()) -> None:
    """Serves until SIGTERM; with sites without callbacks.public_url they alone."""
    settings = read_settings()
    redis_folder.use(settings.data_dir, settings.redis.url.get_secret_value())
    configure(settings.logs)
    sites: list[Site] = [site for site in SITES if f"--{site}" in words]
    if not settings.callbacks.public_url and not sites:
        raise ConfigError("callbacks.public_url: not set; nobody would call")
    if not settings.redis.url.get_secret_value():
        raise ConfigError("redis.url: not set; the receiver needs the Redis of the workers (VTON_REDIS__URL)")
    for secret in secrets_of(settings, read_credentials()):
        redact(secret)
    # Its terminal or its session is gone: it ends as at SIGTERM, which uvicorn hears.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    asyncio.run(_serve(settings, [_listening(settings, site) for site in sites]))


async def _serve(settings: Settings, sites: Sequence[tuple[uvicorn.Server, socket.socket]]) -> None:
    metrics = Metrics()
    serving = []
    if settings.callbacks.public_url:
        serving.append(_receiver(settings, metrics).serve())
    serving += [server.serve(sockets=[listening]) for server, listening in sites]
    # Nobody waits for sites: only a receiver says that it lives.
    alive = (
        Heartbeats(settings.redis, "receiver", acts=metrics.acts)
        if settings.callbacks.public_url
        else nullcontext()
    )
    with alive as heartbeats:
        if heartbeats is not None:
            signal.signal(signal.SIGTERM, partial(_end, heartbeats))
        # Each hears the signal: the one that began last hands it on when it has ended.
        await asyncio.gather(*serving)


def _end(heartbeats: Heartbeats, signum: int, _frame: object) -> None:
    """uvicorn raises the signal anew when it has ended in order, and nothing behind it would be reached."""
    heartbeats.stop()
    signal.signal(signum, signal.SIG_DFL)
    signal.raise_signal(signum)


def _receiver(settings: Settings, metrics: Metrics) -> uvicorn.Server:
    callbacks, redis = settings.callbacks, settings.redis
    addresses = CallbackAddresses(
        callbacks.public_url, callbacks.secret.get_secret_value(), callbacks.valid_s
    )
    ledger = AsyncRunner(connect_async(redis, db=redis.ledger_db, patience_s=1), redis.prefix)
    serve_on_free_port(metrics, settings.metrics, "receiver", redis.prefix)
    log.info("worker.started", what="receiver", port=callbacks.port)
    receiver = Receiver(
        hint=lambda request_id, task_id: ledger.run(steps.hint(request_id, task_id)),
        addresses=addresses,
        count=lambda outcome: metrics.callbacks.labels(outcome=outcome).inc(),
    )
    return bounded_server(receiver.app(), host=callbacks.host, port=callbacks.port)


def _listening(settings: Settings, site: Site) -> tuple[uvicorn.Server, socket.socket]:
    """A site's server and where it listens, which is said. Raises ConfigError: nothing can listen there."""
    section, data_dir = getattr(settings, site), settings.data_dir.absolute()
    token = section.token.get_secret_value() or own_token(data_dir, site)
    redact(token)
    family = socket.AF_INET6 if ":" in section.host else socket.AF_INET
    try:
        listening = socket.create_server((section.host, section.port), family=family)
    except OSError as error:
        raise ConfigError(f"{site}.host, {site}.port: {error.strerror or error}") from None
    port = listening.getsockname()[1]
    host = f"[{section.host}]" if ":" in section.host else section.host
    log.info("worker.started", what=site, port=port)
    said = entrance(site, f"http://{host}:{port}/", token, data_dir, terminal=sys.stdout.isatty())
    sys.stdout.write(f"{said}\n")
    sys.stdout.flush()
    serve = partial(bounded_server, host=section.host, port=port)
    return (_review if site == "review" else _dashboard)(settings, token, serve), listening


def _ledger(settings: Settings) -> Ledger:
    redis = settings.redis
    return Ledger(connect(redis, db=redis.ledger_db, patience_s=1), redis.prefix)


def _review(settings: Settings, token: str, serve: Callable[[App], uvicorn.Server]) -> uvicorn.Server:
    known, output_dir = Known(_ledger(settings)), settings.output_dir.absolute()
    looking = _looking(settings.review.look_token)
    return serve(ReviewSite(known=known, judging=Access(token), looking=looking, output_dir=output_dir).app())


def _looking(token: SecretStr) -> Access | None:
    return Access(token.get_secret_value()) if token.get_secret_value() else None


def _dashboard(settings: Settings, token: str, serve: Callable[[App], uvicorn.Server]) -> uvicorn.Server:
    redis = settings.redis
    queue = Queue(connect(redis, db=redis.queue_db, patience_s=1), redis.prefix)
    shop = Shop(settings=settings, ledger=_ledger(settings), queue=queue)
    site = DashboardSite(
        shop=shop,
        feed=Feed(Eye(shop).look),
        pictures=SmallPictures(output_dir=settings.output_dir.absolute()),
        acting=Access(token),
        looking=_looking(settings.dashboard.look_token),
    )
    server = serve(site.app())
    # Streams never end by themselves.
    site.ending = lambda: server.should_exit
    return server


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except VtonError as error:
        sys.stderr.write(f"vton: {error}\n")
        sys.exit(error.exit_code)
