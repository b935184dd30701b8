"""A ledger as a stream of pieces, the same whichever server holds it: what back-ups and moves are made of.

Pieces are values, not Redis' own dumps, which an older server does not read. Redis has no snapshot that many keys share, so
a ledger is read twice: if every key was the same both times, all of them were so at the moment between the two readings.
"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Any, Final

import redis
from msgspec import Struct

from jobs.errors import ConfigError
from jobs.redis.client import translated

#: What only lives for a moment: what waits is notified anew.
_PASSING: Final = frozenset(
    {b"once", b"permit", b"exporting", b"reconciler", b"wakeups", b"watch", b"restoring"}
)
#: Written by every script: it is copied, and not compared.
CLOCK: Final = b"clock"
#: Keys, and items of one key, in one round trip.
_PAGE = 500
#: A key of a ledger that is being written: until it is gone, the rest is no ledger yet.
RESTORING: Final = "restoring"


class Piece(Struct, frozen=True, kw_only=True, array_like=True):
    """Some of one key."""

    #: Without the prefix.
    key: bytes
    #: Redis' word for its type.
    kind: str
    #: Of a hash fields and values, of a sorted set members and scores, one after the other; of a stream see `_read_stream`.
    items: list[bytes]


#: Key → what its content comes to.
Sums = dict[bytes, int]


def read(client: redis.Redis, prefix: str, take: Callable[[Piece], None] = lambda _piece: None) -> Sums:
    """Reads a ledger key by key. `client`: does not decode. Keys that expire, or live for a moment only, are left out."""
    sums: Sums = {}
    for names in _pages(client, prefix, sums):
        asked: Any = client.pipeline(transaction=False)
        for name in names:
            asked.type(name)
            asked.pttl(name)
        with translated():
            told = asked.execute()
        for name, kind, lives_ms in zip(names, told[::2], told[1::2], strict=True):
            key = name[len(prefix) + 1 :]
            if kind == b"none" or lives_ms >= 0 or key.split(b":")[0] in _PASSING:
                continue
            total = 0
            for piece in _pieces(client, name, key, kind.decode()):
                take(piece)
                total ^= _sum(piece)
            sums[key] = total
    return sums


def _pages(client: Any, prefix: str, seen: Sums) -> Iterator[list[bytes]]:
    """Names of keys, each once; SCAN may tell one twice."""
    page: dict[bytes, None] = {}
    with translated():
        for name in client.scan_iter(f"{prefix}:*", count=1000):
            if name[len(prefix) + 1 :] not in seen:
                page[name] = None
            if len(page) >= _PAGE:
                yield list(page)
                page = {}
    if page:
        yield list(page)


def _pieces(client: Any, name: bytes, key: bytes, kind: str) -> Iterator[Piece]:
    with translated():
        for items in _READ[kind](client, name):
            yield Piece(key=key, kind=kind, items=items)


def _read_string(client: Any, name: bytes) -> Iterator[list[bytes]]:
    found = client.get(name)
    if found is not None:
        yield [found]


def _read_hash(client: Any, name: bytes) -> Iterator[list[bytes]]:
    if client.hlen(name) <= _PAGE:
        yield from _paged(client.hgetall(name), 1)
    else:
        yield from _paged(dict(client.hscan_iter(name, count=_PAGE)), _PAGE)


def _paged(fields: dict[bytes, bytes], size: int) -> Iterator[list[bytes]]:
    """In an order of their own, whatever the server's is; a small hash is one piece."""
    flat = [text for field in sorted(fields) for text in (field, fields[field])]
    step = len(flat) if size == 1 else 2 * size
    for first in range(0, len(flat), step or 1):
        yield flat[first : first + step]


def _read_list(client: Any, name: bytes) -> Iterator[list[bytes]]:
    for first in range(0, client.llen(name), _PAGE):
        yield client.lrange(name, first, first + _PAGE - 1)


def _read_set(client: Any, name: bytes) -> Iterator[list[bytes]]:
    yield sorted(client.smembers(name))


def _read_zset(client: Any, name: bytes) -> Iterator[list[bytes]]:
    for first in range(0, client.zcard(name), _PAGE):
        found = client.zrange(name, first, first + _PAGE - 1, withscores=True)
        yield [text for member, score in found for text in (member, repr(score).encode())]


def _read_stream(client: Any, name: bytes) -> Iterator[list[bytes]]:
    """An entry's id, how many texts follow, fields and values; last the stream's own last id, behind an empty text."""
    after = b"-"
    while found := client.xrange(name, min=after, count=_PAGE):
        items: list[bytes] = []
        for entry_id, fields in found:
            flat = [text for pair in fields.items() for text in pair]
            items += [entry_id, b"%d" % len(flat), *flat]
        yield items
        after = b"(" + found[-1][0]
    yield [b"", client.xinfo_stream(name)["last-generated-id"]]


_READ: Final[dict[str, Callable[[Any, bytes], Iterator[list[bytes]]]]] = {
    "string": _read_string,
    "hash": _read_hash,
    "list": _read_list,
    "set": _read_set,
    "zset": _read_zset,
    "stream": _read_stream,
}


def _sum(piece: Piece) -> int:
    summed = blake2b(piece.kind.encode(), digest_size=8)
    for item in piece.items:
        summed.update(b"%d:" % len(item))
        summed.update(item)
    return int.from_bytes(summed.digest(), "big")


def changed(before: Sums, after: Sums) -> set[bytes]:
    """Keys that are not what they were."""
    keys = before.keys() | after.keys()
    return {key for key in keys if key != CLOCK and before.get(key) != after.get(key)}


def read_still(client: redis.Redis, prefix: str, take: Callable[[Piece], None]) -> Sums:
    """Reads a ledger that nobody writes to. Raises ConfigError: somebody does."""
    before = read(client, prefix, take)
    if moved := changed(before, read(client, prefix)):
        raise ConfigError(
            f"the ledger is being written to ({len(moved)} keys have changed meanwhile): stop the workers, or wait until"
            " nothing is under way"
        )
    return before


def write(client: redis.Redis, prefix: str, pieces: Iterable[Piece]) -> None:
    """Writes pieces into a ledger that has none of their keys; those of one key in their order."""
    asked: Any = client.pipeline(transaction=False)
    for number, piece in enumerate(pieces, 1):
        _WRITE[piece.kind](asked, prefix.encode() + b":" + piece.key, piece.items)
        if number % _PAGE == 0:
            with translated():
                asked.execute()
    with translated():
        asked.execute()


def _write_stream(asked: Any, name: bytes, items: list[bytes]) -> None:
    if not items[0]:
        # A stream may be there and have no entry.
        asked.xgroup_create(name, "copying", id="0", mkstream=True)
        asked.xgroup_destroy(name, "copying")
        asked.execute_command("XSETID", name, items[1])
        return
    at = 0
    while at < len(items):
        count = int(items[at + 1])
        fields = items[at + 2 : at + 2 + count]
        asked.execute_command("XADD", name, items[at], *fields)
        at += 2 + count


_WRITE: Final[dict[str, Callable[[Any, bytes, list[bytes]], Any]]] = {
    "string": lambda asked, name, items: asked.set(name, items[0]),
    "hash": lambda asked, name, items: items and asked.execute_command("HSET", name, *items),
    "list": lambda asked, name, items: items and asked.rpush(name, *items),
    "set": lambda asked, name, items: items and asked.sadd(name, *items),
    "zset": lambda asked, name, items: (
        items
        and asked.execute_command(
            "ZADD", name, *(text for at in range(0, len(items), 2) for text in (items[at + 1], items[at]))
        )
    ),
    "stream": _write_stream,
}


def wipe(client: redis.Redis, prefix: str) -> None:
    """Removes what a former try has written; the key that says so goes last, and not by this."""
    asked: Any = client
    kept = f"{prefix}:{RESTORING}".encode()
    with translated():
        for name in asked.scan_iter(f"{prefix}:*", count=1000):
            if name != kept:
                asked.unlink(name)
