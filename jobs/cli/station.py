"""The station: what every command opens first — settings, a Redis (its own when none is configured), ledger and queue."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from jobs import logs
from jobs.errors import ConfigError, RedisDownError
from jobs.ledger import Ledger
from jobs.queue import Queue
from jobs.redis_client import connect
from jobs.redis_server import EmbeddedRedis
from jobs.results import Exporter
from jobs.settings import Settings, read_credentials, read_settings, secrets_of

#: Simulated jobs live apart from real ones: a drawn picture must never be taken for a bought one.
SIMULATED = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One command's connections."""

    settings: Settings
    #: Where Redis is, ours or the configured one; may hold a password.
    redis_url: str
    ledger: Ledger
    queue: Queue

    @property
    def exporter(self) -> Exporter:
        """Writes the files of batches."""
        store = self.settings.data_dir.absolute() / "pictures"
        return Exporter(self.ledger, output_dir=self.settings.output_dir, picture_store=store)


def command_settings(config: Path | None, *, output: Path | None = None, simulate: bool = False) -> Settings:
    """The settings of one command, its options over them; logs are configured from here on."""
    settings = read_settings(config)
    update: dict[str, object] = {}
    if output is not None:
        update["output_dir"] = output
    if simulate:
        update["data_dir"] = settings.data_dir / SIMULATED
        update["redis"] = settings.redis.model_copy(update={"prefix": f"{settings.redis.prefix}-{SIMULATED}"})
    logs.configure(settings.logs)
    for secret in secrets_of(settings, read_credentials()):
        logs.redact(secret)
    return settings.model_copy(update=update)


@contextmanager
def station(settings: Settings) -> Iterator[Station]:
    """Opens ledger and queue; without `redis.url` the Redis of the data folder serves, started if need be.

    Raises:
        RedisDownError: the configured Redis does not answer.
        ConfigError: no Redis is configured and there is no server to start.
    """
    with ExitStack() as stack:
        url = settings.redis.url.get_secret_value()
        if not url:
            url = stack.enter_context(EmbeddedRedis(settings.data_dir)).url
        redis = settings.redis.model_copy(update={"url": type(settings.redis.url)(url)})
        client = connect(redis, db=redis.ledger_db, patience_s=2)
        stack.callback(client.close)
        ledger = Ledger(client, redis.prefix)
        try:
            ledger.ledger_id()
        except RedisDownError as error:
            raise ConfigError(f"redis.url: {error}") from None
        queue_client = connect(redis, db=redis.queue_db, patience_s=2)
        stack.callback(queue_client.close)
        queue = Queue(queue_client, redis.prefix)
        yield Station(settings=settings, redis_url=url, ledger=ledger, queue=queue)
