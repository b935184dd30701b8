"""`vton move-ledger`: from the Redis of the data folder to one's own, and back."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import uuid4

import typer
from pydantic import SecretStr

from jobs.cli.options import ConfigOpt, SimulateOpt
from jobs.cli.session import Session, command_settings, open_session
from jobs.cli.transfer import MOVED, require_empty, restored
from jobs.config.redis_address import address_fault, passwords
from jobs.config.settings import RedisSettings, Settings
from jobs.errors import ConfigError, LedgerLostError, NotFoundError, UnwrittenError, UsageError
from jobs.failpoints import reach
from jobs.ledger.backup_file import Head, read_pieces, writing
from jobs.ledger.copying import read_still
from jobs.local.redis_server import EmbeddedRedis
from jobs.logging.setup import redact
from jobs.redis.client import connect, translated
from jobs.results.ledger_loss import DATA_FOLDER, lost_ledger
from jobs.units import counted

EMBEDDED = "embedded"
#: A worker says every five seconds that it lives.
_ALIVE_S = 15.0
#: Why the gate of the old one is paused while it is read; its former pause stands in `meta` meanwhile.
_MOVING = "ledger: it is being moved; if that was killed, give vton move-ledger again, or vton resume"
_FORMER_PAUSE = "former_pause"
_MOVED_TO = "moved_to"


def move_ledger(
    to: Annotated[
        str, typer.Argument(help="redis://…, unix://…, @FILE that holds such an address, or embedded.")
    ],
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Move the ledger from the Redis of the data folder to your own, or back; the old one buys nothing from then on."""
    settings = command_settings(config, simulate=simulate)
    address = _address(to, settings)
    with open_session(settings) as opened, _target(settings, address) as target:
        _check(opened)
        ledger_id = _ledger_id(opened)
        require_empty(target, opened.ledger.prefix, comes_back=ledger_id)
        keys = _move(opened, target, ledger_id, _shown(address))
    where = (
        f"redis.url (VTON_REDIS__URL) to {_shown(address)}" if address else "no redis.url (VTON_REDIS__URL)"
    )
    sys.stdout.write(
        f"moved: {counted(keys, 'key')}. The old ledger is closed. Now set {where}, everywhere\n"
    )


def _address(to: str, settings: Settings) -> str:
    """The new address; empty for the embedded server. Raises UsageError, NotFoundError."""
    if to.startswith("@"):
        try:
            to = Path(to[1:]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError):
            raise NotFoundError(f"no such file, or no text: {to[1:]}") from None
    for secret in passwords(to):
        redact(secret)
    if to != EMBEDDED and (fault := address_fault(to)):
        raise UsageError(f"the address {fault}")
    address = "" if to == EMBEDDED else to
    if address == settings.redis.url.get_secret_value():
        raise UsageError("the ledger is there already: redis.url says so")
    return address


def _shown(address: str) -> str:
    """An address without its password."""
    parts = urlsplit(address)
    place = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{place}{parts.path}" if address else DATA_FOLDER


@contextmanager
def _target(settings: Settings, address: str) -> Iterator[RedisSettings]:
    if address:
        yield settings.redis.model_copy(update={"url": SecretStr(address)})
        return
    with EmbeddedRedis(settings.data_dir) as embedded:
        yield settings.redis.model_copy(update={"url": SecretStr(embedded.url)})


def _check(opened: Session) -> None:
    """Raises ConfigError, LedgerLostError: it cannot be moved now."""
    if not opened.ledger.moved_to() and (why := lost_ledger(opened)):
        raise LedgerLostError(f"{why}; nothing was moved")
    if alive := opened.queue.workers_alive(_ALIVE_S):
        raise ConfigError(
            f"{counted(alive, 'worker')} lived within the last {_ALIVE_S:.0f} s: stop them all, then move the ledger"
        )


def _ledger_id(opened: Session) -> str:
    """The id that moves with it; of one that is closed already the former one. Raises NotFoundError."""
    with translated():
        current, moved = opened.ledger.client.hmget(opened.ledger.key("meta"), "id", MOVED)
    if current is None:
        raise NotFoundError("the ledger is empty: there is nothing to move")
    return str(moved or current)


def _move(opened: Session, target: RedisSettings, ledger_id: str, shown: str) -> int:
    """Pauses the old one, writes the new one, closes the old one, opens the new one; given again, it goes on."""
    former = _pause_old(opened)
    reach("move_paused")
    moving = opened.settings.data_dir.absolute() / "moving.backup"
    mark = opened.ledger.mark()
    head = Head(ledger=ledger_id, orders=mark.orders if mark else 0, prefix=opened.ledger.prefix, at_ms=0)
    reader = connect(opened.redis, db=opened.redis.ledger_db, decode=False)
    try:
        with writing(moving, head) as take:
            expected = read_still(reader, opened.ledger.prefix, take)
        restored(
            target,
            opened.ledger.prefix,
            lambda: read_pieces(moving),
            pause=former,
            meta={"id": ledger_id, MOVED: "", _MOVED_TO: "", _FORMER_PAUSE: ""},
            expected=expected,
            before_it_opens=lambda: _close_old(opened, ledger_id, shown),
        )
    except OSError as error:
        raise UnwrittenError(f"{moving}: cannot be written: {error.strerror}") from error
    except ConfigError:
        _open_old(opened, former)
        raise
    finally:
        reader.close()
        moving.unlink(missing_ok=True)
    return len(expected)


def _pause_old(opened: Session) -> str:
    """Nothing is bought from here on; returns why the gate was paused before, empty: it was not."""
    client: Any = opened.ledger.client
    meta, gate = opened.ledger.key("meta"), opened.ledger.key("gate")
    with translated():
        paused = client.hget(gate, "paused") or ""
        if paused != _MOVING and not opened.ledger.moved_to():
            client.hset(meta, _FORMER_PAUSE, paused)
            client.hset(gate, "paused", _MOVING)
        return str(client.hget(meta, _FORMER_PAUSE) or "")


def _close_old(opened: Session, ledger_id: str, shown: str) -> None:
    """Whoever knows the old id finds another ledger here, and buys nothing."""
    reach("move_written")
    change = opened.ledger.client.pipeline(transaction=True)
    closed = {MOVED: ledger_id, _MOVED_TO: shown, "id": f"moved-{uuid4().hex}"}
    change.hset(opened.ledger.key("meta"), mapping=closed)
    change.hset(opened.ledger.key("gate"), "paused", f"ledger: it was moved to {shown}")
    with translated():
        change.execute()
    reach("move_closed")


def _open_old(opened: Session, former: str) -> None:
    """The move has failed; what is closed already stays closed."""
    client: Any = opened.ledger.client
    gate = opened.ledger.key("gate")
    if not opened.ledger.moved_to():
        with translated():
            client.hset(gate, "paused", former) if former else client.hdel(gate, "paused")
            client.hdel(opened.ledger.key("meta"), _FORMER_PAUSE)
