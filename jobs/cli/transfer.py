"""A ledger that comes from elsewhere: it is written whole before anybody may work with it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jobs.config.settings import RedisSettings
from jobs.errors import ConfigError
from jobs.ledger.copying import RESTORING, Piece, Sums, changed, read, wipe, write
from jobs.redis.client import connect, translated

#: Fields of `meta`: a ledger that was moved keeps its id here, and has another one that nobody knows.
MOVED = "moved"
#: Why the gate of a ledger is paused that is not whole yet.
WRITING = "ledger: it is being written by vton restore or vton move-ledger; if that was killed, give it again"


def require_empty(redis: RedisSettings, prefix: str, *, comes_back: str = "") -> None:
    """Raises ConfigError unless there is none, or a former try. `comes_back`: id of one that may have been moved away."""
    client: Any = connect(redis, db=redis.ledger_db)
    try:
        with translated():
            if client.exists(f"{prefix}:{RESTORING}"):
                return
            found = client.hmget(f"{prefix}:meta", "id", MOVED)
            there = found[0] is not None or bool(client.exists(f"{prefix}:batches"))
    finally:
        client.close()
    if there and (not comes_back or found[1] != comes_back):
        raise ConfigError(
            f"there is a ledger with redis.prefix {prefix} already: nothing is written over it; name another prefix, or"
            " put it away first"
        )


def restored(
    redis: RedisSettings,
    prefix: str,
    pieces: Callable[[], Iterable[Piece]],
    *,
    pause: str | None = None,
    meta: Mapping[str, str] | None = None,
    expected: Sums | None = None,
    before_it_opens: Callable[[], None] = lambda: None,
) -> None:
    """Writes a ledger; until it is whole and the same as `expected`, it is none, and nobody gets a permit from it.

    Args:
        redis: the server.
        prefix: of its keys.
        pieces: all of it; asked for again, it begins anew.
        pause: why its gate is paused from the beginning, empty: it is open; None: as it was.
        meta: fields of `meta` that are other ones now; an empty text takes one out.
        expected: what every key comes to.
        before_it_opens: called when all of it is there.

    Raises:
        ConfigError: it is not what it was: somebody else writes there.
    """
    client: Any = connect(redis, db=redis.ledger_db, decode=False)
    gate, marker = f"{prefix}:gate", f"{prefix}:{RESTORING}"
    former = _Former()
    try:
        with translated():
            client.set(marker, "1")
            wipe(client, prefix)
            client.hset(gate, "paused", WRITING)
        write(client, prefix, map(former.without_pause, pieces()))
        if expected is not None and (wrong := changed(expected, read(client, prefix)) - {b"gate"}):
            raise ConfigError(
                f"{len(wrong)} keys are not what they were: somebody writes to the new ledger; try again"
            )
        before_it_opens()
        change = client.pipeline(transaction=True)
        for name, text in (meta or {}).items():
            change.hset(f"{prefix}:meta", name, text) if text else change.hdel(f"{prefix}:meta", name)
        paused = former.pause if pause is None else pause.encode()
        change.hset(gate, "paused", paused) if paused else change.hdel(gate, "paused")
        change.delete(marker)
        with translated():
            change.execute()
    finally:
        client.close()


class _Former:
    """The pause that a ledger had."""

    def __init__(self) -> None:
        self.pause = b""

    def without_pause(self, piece: Piece) -> Piece:
        """The same without it: the gate stays paused while it is written."""
        if piece.key != b"gate":
            return piece
        fields = dict(zip(piece.items[::2], piece.items[1::2], strict=True))
        self.pause = fields.pop(b"paused", b"")
        return Piece(
            key=piece.key, kind=piece.kind, items=[text for field in fields.items() for text in field]
        )
