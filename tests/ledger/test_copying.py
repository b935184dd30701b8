"""A ledger that is read and written elsewhere is the same one, to the last key."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.config.settings import RedisSettings
from jobs.errors import ConfigError, NotFoundError
from jobs.ledger import Ledger, pruning
from jobs.ledger.backup_file import Head, read_head, read_pieces, writing
from jobs.ledger.copying import Piece, changed, read, read_still, wipe, write
from jobs.records import BatchId
from jobs.redis.client import connect
from tests.conftest import flush
from tests.driver import Driver

HEAD = Head(ledger="l", orders=3, prefix="p", at_ms=5)


@pytest.fixture
def raw(redis_settings: RedisSettings) -> Iterator:
    client = connect(redis_settings, db=redis_settings.ledger_db, decode=False)
    yield client
    client.close()


@pytest.fixture
def full(driver: Driver) -> Driver:
    """A ledger with something of every kind."""
    driver.admit("a", ["x", None, "y", "y", "z", "w", "v"], seal=True)
    driver.succeeded()
    driver.failed(retryable=True)
    driver.unknown()
    driver.submitted()
    driver.gate(paused="müde")
    driver.admit("b", ["u"], seal=True)
    driver.gate(paused="")
    driver.ledger.client.hdel(driver.ledger.key("gate"), "paused")
    driver.submitting()
    driver.admit("c", ["x"], seal=True)
    driver.ledger.deactivate(BatchId("c"), driver.ledger.last_entry(BatchId("c")))
    driver.ledger.run(pruning.begin(BatchId("c"), 0))
    driver.ledger.client.xtrim(driver.ledger.key("out", "a"), maxlen=1)
    return driver


def passing(key: str) -> bool:
    return key.split(":", maxsplit=1)[0] in {"once", "permit", "wakeups", "watch", "reconciler", "exporting"}


def test_it_comes_back_as_it_was(full: Driver, raw, redis_settings: RedisSettings) -> None:
    ledger, pieces = full.ledger, []
    sums = read_still(raw, ledger.prefix, pieces.append)
    other = Ledger(ledger.client, f"{ledger.prefix}-other")
    try:
        write(raw, other.prefix, pieces)
        assert changed(sums, read(raw, other.prefix)) == set()
        before, after = full.snapshot(), Driver(other).snapshot()
        assert after == {key: content for key, content in before.items() if not passing(key)}
        assert {"memory", "pruning"} & {key.split(":")[0] for key in after}
        wipe(raw, other.prefix)
        assert Driver(other).snapshot() == {}
    finally:
        flush(ledger.client, other.prefix)


def test_a_large_hash_list_and_stream_come_back(ledger: Ledger, raw) -> None:
    client = ledger.client
    client.hset(ledger.key("rows", "a"), mapping={str(n): "x" * (n % 7) for n in range(3000)})
    client.rpush(ledger.key("queued", "a"), *range(1700))
    for n in range(1200):
        client.xadd(ledger.key("out", "a"), {"row": n})
    client.xtrim(ledger.key("out", "a"), maxlen=0, approximate=False)
    client.xadd(ledger.key("out", "b"), {"row": 1})
    pieces: list[Piece] = []
    sums = read(raw, ledger.prefix, pieces.append)
    flush(client, ledger.prefix)
    write(raw, ledger.prefix, pieces)
    assert changed(sums, read(raw, ledger.prefix)) == set()
    assert client.xlen(ledger.key("out", "a")) == 0
    assert client.lrange(ledger.key("queued", "a"), -1, -1) == ["1699"]


def test_a_ledger_that_is_written_to_meanwhile_is_not_taken(full: Driver, raw) -> None:
    def take(piece: Piece) -> None:
        # After each piece, since the batch may be the last one that is read.
        if piece.items:
            full.ledger.client.hincrby(full.ledger.key("batch", "a"), "rows", 1)

    with pytest.raises(ConfigError, match="written to"):
        read_still(raw, full.ledger.prefix, take)


def test_a_backup_is_whole_or_refused(full: Driver, raw, tmp_path: Path) -> None:
    path, pieces = tmp_path / "backup", []
    with writing(path, HEAD) as take:
        read(raw, full.ledger.prefix, lambda piece: (pieces.append(piece), take(piece)))
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_head(path) == HEAD
    assert list(read_pieces(path)) == pieces
    content = path.read_bytes()
    for broken in (
        content[:-9],
        content[: len(content) // 2],
        b"no backup",
        content[:40] + b"x" + content[41:],
    ):
        path.write_bytes(broken)
        with pytest.raises(ConfigError):
            list(read_pieces(path))
    with pytest.raises(NotFoundError):
        read_head(tmp_path / "none")


def test_a_backup_that_fails_leaves_the_former_one(tmp_path: Path) -> None:
    path = tmp_path / "backup"
    path.write_text("former")
    with pytest.raises(ConfigError), writing(path, HEAD):
        raise ConfigError
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]
