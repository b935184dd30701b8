"""The producer: a manifest goes into the ledger and onto the queue, whole, once, however often it is fed."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import pytest
import structlog

from jobs.errors import ManifestError, UsageError
from jobs.ledger import Ledger
from jobs.producing.planning import Planner
from jobs.producing.producer import CHUNK, FIRST_CHUNKS, LOGGED_BAD_ROWS, Producer
from jobs.producing.queue import COLLECT, SUBMIT, WAKE_UPS, Queue
from jobs.records import BadRow, BatchId, Dialect, Row, Url
from tests.driver import Driver

NIGHT = BatchId("night-01234567")


@dataclass
class Rows:
    """A manifest in memory; a name is a good row, None a bad one, an error is raised when its row is asked for."""

    names: list[str | Exception | None]
    columns: tuple[str, ...] = ("sku", "person", "dress")
    dialect = Dialect(delimiter=";", bom=True)
    digest: str = "0123456789abcdef"
    read: int = field(default=0, init=False)

    def rows(self) -> Iterator[Row | BadRow]:
        for number, name in enumerate(self.names, 1):
            self.read += 1
            if isinstance(name, Exception):
                raise name
            if name is None:
                yield BadRow(number=number, line=number + 1, column="dress", why="empty", sku=f"s{number}")
            else:
                inputs = {"person": "https://x/anna.jpg", "dress": f"https://x/{name}.jpg"}
                fields = {"sku": name, **inputs}
                yield Row(number=number, line=number + 1, sku=name, inputs=inputs, fields=fields)


def many(rows: int, pairs: int | None = None) -> list[str | Exception | None]:
    return [f"p{number % (pairs or rows)}" for number in range(rows)]


@pytest.fixture
def make(ledger: Ledger, queue: Queue) -> Callable[..., Producer]:
    def producer(epoch: str = "") -> Producer:
        planner = Planner(lambda text: Url(url=text), epoch, folder=Path("/shop"))
        return Producer(ledger, queue, planner, file_name="night.csv")

    return producer


@pytest.fixture
def producer(make: Callable[..., Producer]) -> Producer:
    return make()


def test_workers_are_woken_before_more_than_a_few_pictures_are_decoded(ledger: Ledger, queue: Queue) -> None:
    woken, deadline = [], time.monotonic() + 30

    def decode(text: str) -> Url:
        if not woken and text.endswith(f"p{FIRST_CHUNKS[0]}.jpg"):
            while not queue.waiting(SUBMIT):
                assert time.monotonic() < deadline, "a later row's picture is decoded first"
            woken.append(text)
        return Url(url=text)

    producer = Producer(ledger, queue, Planner(decode, "", folder=Path("/shop")), file_name="night.csv")
    assert producer.feed(Rows(many(CHUNK)), NIGHT).queued == CHUNK
    assert woken


def test_every_row_is_admitted_and_workers_are_woken(
    producer: Producer, ledger: Ledger, queue: Queue
) -> None:
    rows = 2 * CHUNK + 30
    produced = producer.feed(Rows([*many(rows, 900), None]), NIGHT)
    assert (produced.rows, produced.bad, produced.queued) == (rows + 1, 1, 900)
    assert (produced.duplicate, produced.reused, produced.resent, produced.resumed) == (
        rows - 900,
        0,
        0,
        False,
    )
    status = ledger.status(NIGHT)
    assert status.sealed
    assert (status.rows, status.counts) == (rows + 1, {"queued": rows, "invalid": 1})
    assert ledger.queued_total() == 900
    assert queue.waiting(SUBMIT) == WAKE_UPS
    assert queue.waiting(COLLECT) == 1, "its files are asked for"


def test_the_batch_keeps_what_its_files_need(producer: Producer, ledger: Ledger) -> None:
    producer.feed(Rows(["x"]), NIGHT)
    batch = ledger.batch(NIGHT)
    assert batch.columns == ("sku", "person", "dress")
    assert (batch.manifest, batch.folder) == ("night.csv", "/shop")


def test_the_same_manifest_again_changes_nothing(producer: Producer, driver: Driver, queue: Queue) -> None:
    manifest = Rows([*many(40), None])
    producer.feed(manifest, NIGHT)
    before = driver.at_rest()
    again = producer.feed(manifest, NIGHT)
    assert (again.resumed, again.queued, again.resent, again.rows) == (True, 0, 0, 41)
    assert driver.at_rest() == before
    assert queue.waiting(SUBMIT) == 40


def test_the_same_manifest_again_sends_the_messages_that_were_lost(
    producer: Producer, queue: Queue, ledger: Ledger
) -> None:
    producer.feed(Rows(many(40)), NIGHT)
    queue._client.delete(f"{queue._namespace}:{SUBMIT}", f"{queue._namespace}:{SUBMIT}.msgs")
    assert producer.feed(Rows(many(40)), NIGHT).resent == 40
    assert queue.waiting(SUBMIT) == ledger.queued_total() == 40


def test_a_producer_that_was_killed_half_way_is_completed_by_the_next(
    producer: Producer, ledger: Ledger
) -> None:
    names = many(3 * CHUNK)
    with pytest.raises(KeyboardInterrupt):
        producer.feed(Rows(names), NIGHT, tell=_interrupt_at(2 * CHUNK))
    status = ledger.status(NIGHT)
    assert not status.sealed
    assert CHUNK <= status.rows < 3 * CHUNK + 1
    assert not status.complete
    produced = producer.feed(Rows(names), NIGHT)
    assert produced.queued == 3 * CHUNK - status.rows
    assert ledger.status(NIGHT).counts == {"queued": 3 * CHUNK}
    assert ledger.status(NIGHT).sealed


def _interrupt_at(rows: int) -> Callable[[int], None]:
    def tell(so_far: int) -> None:
        if so_far >= rows:
            raise KeyboardInterrupt

    return tell


def test_two_producers_of_one_manifest_at_once_admit_it_once(
    make: Callable[..., Producer], ledger: Ledger, queue: Queue
) -> None:
    names = many(4 * CHUNK, 1_500)
    with ThreadPoolExecutor(2) as pool:
        produced = list(pool.map(lambda _: make().feed(Rows(names), NIGHT), range(2)))
    assert sum(each.queued for each in produced) == 1_500
    assert sorted(each.resumed for each in produced) == [False, True]
    status = ledger.status(NIGHT)
    assert (status.rows, status.counts, status.sealed) == (4 * CHUNK, {"queued": 4 * CHUNK}, True)
    assert queue.waiting(SUBMIT) >= WAKE_UPS


def test_one_picture_changed_is_one_job_more(make: Callable[..., Producer], ledger: Ledger) -> None:
    make().feed(Rows(["x", "y", "z"]), NIGHT)
    produced = make().feed(Rows(["x", "changed", "z"], digest="ffff"), BatchId("night-ffff"))
    assert (produced.queued, produced.resumed) == (1, False)
    assert ledger.status(BatchId("night-ffff")).counts == {"queued": 3}


def test_another_epoch_buys_everything_once_more(make: Callable[..., Producer], driver: Driver) -> None:
    make().feed(Rows(["x"]), NIGHT)
    driver.succeeded()
    assert make().feed(Rows(["x"]), BatchId("night-2")).reused == 1
    assert make("2").feed(Rows(["x"]), BatchId("night-3")).queued == 1


def test_those_whose_addresses_end_first_go_first(producer: Producer, driver: Driver) -> None:
    producer.feed(Rows(["never", *(f"{n}?Expires={4_000_000_000 - n}&n=" for n in range(3))]), NIGHT)
    jobs = [driver.job(each) for each in driver.line(NIGHT)]
    assert [job.refs[NIGHT] for job in jobs] == [(4,), (3,), (2,), (1,)]


def test_progress_is_told_as_it_goes(producer: Producer) -> None:
    told: list[int] = []
    producer.feed(Rows(many(2 * CHUNK + 1)), NIGHT, tell=told.append)
    first = list(accumulate(FIRST_CHUNKS))
    assert told == [*first, first[-1] + CHUNK, 2 * CHUNK + 1]


def test_rows_of_one_fault_are_logged_three_times_and_counted_together(producer: Producer) -> None:
    with structlog.testing.capture_logs() as logs:
        produced = producer.feed(Rows([None] * (2 * CHUNK)), NIGHT)
    told = [entry for entry in logs if entry["event"] == "row.invalid"]
    assert produced.bad == 2 * CHUNK
    assert [entry["row"] for entry in told] == [1, 2, 3]
    assert (told[0]["where"], told[0]["column"], told[0]["why"]) == ("night.csv:2", "dress", "empty")
    assert next(producer.problems.lines()) == f"{2 * CHUNK:,} rows: dress: empty"


def test_bad_rows_are_logged_up_to_a_bound(producer: Producer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rows, "rows", lambda _: (_bad(number) for number in range(1, 2 * CHUNK + 1)))
    with structlog.testing.capture_logs() as logs:
        produced = producer.feed(Rows([]), NIGHT)
    told = [entry for entry in logs if entry["event"] == "row.invalid"]
    assert (produced.bad, len(told)) == (2 * CHUNK, LOGGED_BAD_ROWS)


def _bad(number: int) -> BadRow:
    return BadRow(number=number, line=number + 1, column="dress", why=f"fault {'x' * number}")


def test_a_manifest_that_breaks_off_leaves_a_batch_that_is_not_sealed(
    producer: Producer, ledger: Ledger
) -> None:
    whole = sum(FIRST_CHUNKS) + CHUNK
    with pytest.raises(ManifestError, match="archive"):
        producer.feed(Rows([*many(whole + 5), ManifestError("a broken archive")]), NIGHT)
    assert not ledger.status(NIGHT).sealed
    assert ledger.status(NIGHT).rows == whole, "what was whole is in"


# -- before anything is recorded -----------------------------------------------------------------------------


def test_one_good_row_is_enough_and_the_rest_is_not_read(producer: Producer) -> None:
    manifest = Rows([None, "x", *many(1_000)])
    producer.check(manifest, NIGHT)
    assert manifest.read == 2


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("names", [[], [None], [None] * 12])
def test_a_manifest_without_a_good_row_is_refused(
    producer: Producer, driver: Driver, names: list[str | Exception | None], strict: bool
) -> None:
    with pytest.raises(ManifestError) as caught:
        producer.check(Rows(names), NIGHT, strict=strict)
    told = str(caught.value)
    assert told.startswith("night.csv: ")
    assert told.count("night.csv:") == 1 + min(3, len(names))
    assert ("12 rows: dress: empty" in told) == (len(names) == 12)
    assert driver.snapshot() == {}


def test_strictly_one_bad_row_is_too_many(producer: Producer) -> None:
    producer.check(Rows(["x", "y"]), NIGHT, strict=True)
    with pytest.raises(ManifestError, match=r"bad rows\n  night\.csv:3: dress: empty"):
        producer.check(Rows(["x", None, "y"]), NIGHT, strict=True)


def test_a_batch_of_another_manifest_is_not_added_to(make: Callable[..., Producer]) -> None:
    make().feed(Rows(["x"]), NIGHT)
    make().check(Rows(["x"]), NIGHT)
    with pytest.raises(UsageError, match="made from another manifest"):
        make().check(Rows(["x"], digest="ffff"), NIGHT)
    with pytest.raises(UsageError, match="made from another manifest"):
        make("2").check(Rows(["x"]), NIGHT)
