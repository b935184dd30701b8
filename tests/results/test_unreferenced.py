"""Files that nothing refers to any more are found, and nothing else is touched."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from jobs.errors import ConfigError
from jobs.flags.measures import key_of
from jobs.ledger.codec import encode, encode_pair
from jobs.records import BatchId, LocalFile, Pair, Picture, Url
from jobs.report.thumbnails import address_key
from jobs.results.checkpoint import Checkpoint, write_checkpoint
from jobs.results.pruning import Wanted, other_ledgers, prune, survey
from jobs.results.unreferenced import needed, remove, unreferenced
from tests.driver import Driver, pair, rid

NOW = 2_000_000_000.0
DAY = 86_400.0


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def put(root: Path, folder: str, name: str, age_s: float = 2 * DAY) -> Path:
    path = root / folder / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"12345")
    os.utime(path, (NOW - age_s, NOW - age_s))
    return path


def job(driver: Driver, name: str, sources: Pair, picture: str) -> None:
    found = Picture(name=f"{picture}.jpg", url="", sha256=picture, width=1, height=1, bytes=5)
    fields = {
        "state": "succeeded",
        "refs": f"{name}=1",
        "pair": encode_pair(sources),
        "pictures": encode([found]),
    }
    driver.ledger.client.hset(driver.ledger.key("job", rid(name)), mapping=fields)


def test_what_a_job_needs_stays_and_so_does_what_is_young_or_not_ours(driver: Driver, tmp_path: Path) -> None:
    url, local = (
        Url(url="https://x/p.jpg?X-Amz-Signature=1"),
        LocalFile(path="/d.png", sha256=digest("d"), jpeg="8x8"),
    )
    sources = Pair(person=url, dress=local)
    job(driver, "x", sources, digest("bought"))
    kept = [
        put(tmp_path, "pictures", f"{digest('bought')}.jpg"),
        put(tmp_path, "thumbnails", f"{digest('bought')}.webp"),
        put(tmp_path, "thumbnails", f"{address_key('https://x/p.jpg')}.webp"),
        put(tmp_path, "thumbnails", f"{digest('d')}.webp"),
        put(tmp_path, "measures", f"{key_of(digest('bought'), sources)}.json"),
        put(tmp_path, "converted", f"{digest('d')}-8x8.{digest('jpeg')}.jpg"),
        put(tmp_path, "extracted", f"{digest('d')}.png"),
        put(tmp_path, "pictures", f"{digest('just stored')}.jpg", age_s=60),
        put(tmp_path, "pictures", f"{digest('yesterday')}.jpg", age_s=DAY / 2),
        put(tmp_path, "pictures", ".tmp"),
        put(tmp_path, "accepted", f"{digest('answer')}"),
    ]
    gone = [
        put(tmp_path, folder, f"{digest('old')}.x")
        for folder in ("pictures", "thumbnails", "measures", "extracted")
    ]
    files = list(unreferenced(tmp_path, needed(driver.ledger), DAY, NOW))
    assert {path for path, _ in files} == set(gone)
    told = remove(tmp_path, files, dry_run=True)
    assert (told.pictures, told.others, told.bytes) == (1, 3, 20)
    assert all(path.exists() for path in gone)
    assert remove(tmp_path, files) == told
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)
    assert remove(tmp_path, files).bytes == 0, "twice is once"


def test_even_the_shortest_age_leaves_what_may_just_be_recorded(driver: Driver, tmp_path: Path) -> None:
    put(tmp_path, "pictures", f"{digest('a')}.jpg", age_s=3000)
    assert list(unreferenced(tmp_path, needed(driver.ledger), 0, NOW)) == []


def test_one_that_was_stored_anew_meanwhile_stays(driver: Driver, tmp_path: Path) -> None:
    path = put(tmp_path, "pictures", f"{digest('a')}.jpg")
    files = list(unreferenced(tmp_path, needed(driver.ledger), DAY, NOW))
    put(tmp_path, "pictures", f"{digest('a')}.jpg", age_s=0)
    assert remove(tmp_path, files).pictures == 0
    assert path.exists()


def test_a_job_that_cannot_be_read_keeps_every_file(driver: Driver) -> None:
    driver.ledger.client.hset(driver.ledger.key("job", rid("x")), mapping={"refs": "a=1", "pair": "{"})
    with pytest.raises(ConfigError, match="no file is removed"):
        needed(driver.ledger)


def test_ledgers_of_other_prefixes_in_the_data_folder_are_named(tmp_path: Path) -> None:
    for name in ("ledger-shop.json", "ledger-other.json", "ledger-old.id", "ledger-shop.lock"):
        (tmp_path / name).touch()
    assert other_ledgers(tmp_path, "shop") == ["old", "other"]


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "another ledger's"])
def test_a_batch_folder_goes_when_asked_if_it_is_this_ledgers(driver: Driver, tmp_path: Path, ours) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.succeeded()
    driver.ledger.deactivate(BatchId("a"), driver.ledger.last_entry(BatchId("a")))
    folder = tmp_path / "out" / "a"
    folder.mkdir(parents=True)
    ledger_id = driver.ledger.ledger_id() if ours else "another"
    found = Checkpoint(ledger=ledger_id or "", prefix="p", orders=1, entry="0", length=0, crc=0)
    write_checkpoint(folder, found, lambda: None)
    assert driver.job(rid("x")).pair == pair("x")
    wanted = Wanted(older_than_ms=0, results=tmp_path / "out")
    assert prune(driver.ledger, survey(driver.ledger, wanted), tmp_path, wanted).jobs == 1
    assert folder.exists() is not ours
