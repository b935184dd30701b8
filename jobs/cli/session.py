"""The session: what every command opens first — settings, a Redis (its own when none is configured), ledger and queue."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.cli.advice import SIMULATED
from jobs.config.advice import remember_config
from jobs.config.load import read_credentials, read_settings, secrets_of
from jobs.config.settings import RedisSettings, Settings
from jobs.errors import ConfigError, NotFoundError, RedisDownError
from jobs.ledger import Ledger
from jobs.logging.setup import configure, redact
from jobs.producing.queue import Queue
from jobs.redis.client import KEEPS_ALL, connect, tell_durability, translated
from jobs.results.files import make_folder
from jobs.tracing import UNTRACED, Traces

if TYPE_CHECKING:
    from redis import Redis

    from jobs.results.exporter import Exporter

#: The simulator's account while the configured limits are the defaults: a demo should take a minute.
SIMULATED_LIMITS = {"in_flight": 10, "images_per_minute": 300.0}
#: How long a command that only looks waits for a Redis that is away, s.
IMPATIENT_S = 2.0
#: Batches whose names are compared with one that is not there.
_LOOKED_THROUGH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command's connections."""

    settings: Settings
    #: Those of Redis with its address, be it ours or the configured one; may hold a password.
    redis: RedisSettings
    ledger: Ledger
    queue: Queue
    #: How long files wait for flags that are missing, see jobs.flags.batch, s.
    flags_s: float = 60.0
    #: Where spans go, of commands that bring rows on their way.
    traces: Traces = UNTRACED

    @property
    def exporter(self) -> "Exporter":
        """Writes the files of batches."""
        # With its tables, pages and pictures it takes longer to load than most commands take to run.
        from jobs.results.exporter import Exporter  # noqa: PLC0415

        store = self.settings.data_dir.absolute() / "pictures"
        settings = self.settings
        return Exporter(
            self.ledger,
            output_dir=settings.output_dir,
            picture_store=store,
            output_mode=int(settings.output_mode, 8),
            flags=settings.flags,
            flags_s=self.flags_s,
            price=settings.limits.price,
            ended=self.traces.exported if self.traces.on else None,
        )


def command_settings(config: Path | None, *, output: Path | None = None, simulate: bool = False) -> Settings:
    """The settings of one command, its options over them; logs are configured from here on."""
    settings = read_settings(config)
    if config is not None:
        remember_config(config)
    configure(settings.logs)
    for secret in secrets_of(settings, read_credentials()):
        redact(secret)
    if output is not None:
        settings = settings.model_copy(update={"output_dir": output})
    return _simulated(settings) if simulate else settings


def _simulated(settings: Settings) -> Settings:
    """The settings of the simulated shop inside this one; its account is the simulator's unless the shop has set limits."""
    update = {
        "data_dir": settings.data_dir / SIMULATED,
        "redis": settings.redis.model_copy(update={"prefix": f"{settings.redis.prefix}-{SIMULATED}"}),
        "pictures": settings.pictures.model_copy(update={"private_hosts": "allow"}),
    }
    if not SIMULATED_LIMITS.keys() & settings.limits.model_dump(exclude_defaults=True):
        update["limits"] = settings.limits.model_copy(update=SIMULATED_LIMITS)
    return settings.model_copy(update=update)


def make_output_dir(settings: Settings) -> None:
    """Makes the folder of all results, before anything is bought that could not be put there.

    Raises:
        ConfigError: it cannot be made or written to.
    """
    try:
        make_folder(settings.output_dir, int(settings.output_mode, 8))
    except OSError as error:
        raise ConfigError(f"{settings.output_dir}: cannot be the output folder: {error.strerror}") from None
    if not os.access(settings.output_dir, os.W_OK | os.X_OK):
        raise ConfigError(f"{settings.output_dir}: cannot be the output folder: not writable")


@contextmanager
def open_session(settings: Settings, *, buying: bool = False) -> Iterator[Session]:
    """Opens ledger and queue; without `redis.url` the Redis of the data folder serves, started if need be.

    `buying`: outlast `redis.patience_s` of outage once it has answered, else seconds; and ask a configured Redis first
    whether it keeps what is written.

    Raises:
        ConfigError: the configured Redis does not answer, or would throw away what was bought; or none is configured
            and there is no server to start.
        NotFoundError: what was looked for inside is not there; with a hint when a simulated shop may have it.
    """
    with ExitStack() as stack:
        url = settings.redis.url.get_secret_value()
        if not url:
            # Whoever has a Redis elsewhere needs none of it.
            from jobs.local.redis_keeper import RedisKeeper  # noqa: PLC0415
            from jobs.local.redis_server import EmbeddedRedis  # noqa: PLC0415

            embedded = stack.enter_context(EmbeddedRedis(settings.data_dir))
            url = embedded.url
            if buying:
                stack.enter_context(RedisKeeper(embedded))
        redis = settings.redis.model_copy(update={"url": type(settings.redis.url)(url)})
        patience_s = IMPATIENT_S
        client = connect(redis, db=redis.ledger_db, patience_s=patience_s)
        stack.callback(client.close)
        # We have configured our own.
        _ask(client, will_buy=buying and bool(settings.redis.url.get_secret_value()))
        if buying:
            patience_s = redis.patience_s
            client.close()
            client = connect(redis, db=redis.ledger_db, patience_s=patience_s)
            stack.callback(client.close)
        queue_client = connect(redis, db=redis.queue_db, patience_s=patience_s)
        stack.callback(queue_client.close)
        opened = Session(
            settings=settings,
            redis=redis,
            ledger=Ledger(client, redis.prefix),
            queue=Queue(queue_client, redis.prefix),
        )
        try:
            yield opened
        except NotFoundError as error:
            simulated = " (a simulated one? add --simulate)" if has_simulated(settings) else ""
            raise NotFoundError(f"{error}{_nearest(opened.ledger, error.batch)}{simulated}") from None


def _nearest(ledger: Ledger, name: str) -> str:
    """The batches that may be meant, as a question; empty without any. Names end in letters that nobody remembers."""
    # Most commands need it not.
    from difflib import get_close_matches  # noqa: PLC0415

    newest = ledger.batches()[:_LOOKED_THROUGH] if name else []
    near = [each for each in newest if each.startswith(name)][:3] or get_close_matches(name, newest, n=1)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def has_simulated(settings: Settings) -> bool:
    """Whether a simulated shop lies inside this one's folder: whoever forgot the option finds nothing, and a hint."""
    return (settings.data_dir / SIMULATED).is_dir()


def _ask(client: "Redis", *, will_buy: bool) -> None:
    """Finds out at once whether Redis is there at all, and whether it is fit to remember what is bought."""
    try:
        with translated():
            client.ping()
        found = tell_durability(client) if will_buy else None
    except RedisDownError as error:
        raise ConfigError(f"redis.url: {error}") from None
    if found is not None and found.evicts:
        raise ConfigError(
            f"redis.url: maxmemory-policy is {found.maxmemory_policy}: full, it would throw away what was bought, which"
            f" would be bought again; set maxmemory-policy {KEEPS_ALL}"
        )
