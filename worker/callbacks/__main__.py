"""`python -m worker.callbacks`: the callback receiver's own process, behind `vton serve`."""

import signal
import sys

import structlog

from jobs.config.load import read_credentials, read_settings, secrets_of
from jobs.errors import ConfigError, VtonError
from jobs.ledger import AsyncRunner, steps
from jobs.local import redis_folder
from jobs.logging.setup import configure, redact
from jobs.redis.client import connect_async
from worker.callbacks.address import CallbackAddresses
from worker.callbacks.app import Receiver
from worker.callbacks.server import callback_server
from worker.metrics import Metrics, serve_on_free_port

log = structlog.get_logger()


def main() -> None:
    """Serves until SIGTERM."""
    settings = read_settings()
    redis_folder.use(settings.data_dir, settings.redis.url.get_secret_value())
    configure(settings.logs)
    callbacks, redis = settings.callbacks, settings.redis
    if not callbacks.public_url:
        raise ConfigError("callbacks.public_url: not set; nobody would call")
    if not redis.url.get_secret_value():
        raise ConfigError("redis.url: not set; the receiver needs the Redis of the workers (VTON_REDIS__URL)")
    for secret in secrets_of(settings, read_credentials()):
        redact(secret)
    addresses = CallbackAddresses(
        callbacks.public_url, callbacks.secret.get_secret_value(), callbacks.valid_s
    )
    ledger = AsyncRunner(connect_async(redis, db=redis.ledger_db, patience_s=1), redis.prefix)
    metrics = Metrics()
    serve_on_free_port(metrics, settings.metrics)
    log.info("worker.started", what="receiver", port=callbacks.port)
    receiver = Receiver(
        hint=lambda request_id, task_id: ledger.run(steps.hint(request_id, task_id)),
        addresses=addresses,
        count=lambda outcome: metrics.callbacks.labels(outcome=outcome).inc(),
    )
    # Its terminal or its session is gone: it ends as at SIGTERM, which uvicorn hears.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    callback_server(receiver.app(), host=callbacks.host, port=callbacks.port).run()


if __name__ == "__main__":
    try:
        main()
    except VtonError as error:
        sys.stderr.write(f"vton: {error}\n")
        sys.exit(error.exit_code)
