"""The same manifest again is not read, unless anything at all could have made another row of one of its lines."""

import dataclasses
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from msgspec import msgpack

from jobs.cli.retaking import foresee_retakes, retake
from jobs.ledger import Ledger
from jobs.pictures.check import PictureError
from jobs.producing import control
from jobs.producing.fed import _FORM
from jobs.producing.planning import Planner, admission
from jobs.producing.producer import CHUNK, Producer
from jobs.producing.queue import SUBMIT, Queue
from jobs.records import BatchId, LocalFile, Row, Source, Url
from tests.driver import Driver
from tests.producing.test_producer import NIGHT, Rows, many

ENDS_S = 4_000_000_000
OTHER = BatchId("other")


def source(text: str) -> Source:
    if "refused" in text:
        raise PictureError("no")
    return LocalFile(path=f"/shop/{text}", sha256="ab") if "local" in text else Url(url=text)


def strict_source(text: str) -> Source:
    """Judges by other settings: the first picture is refused too."""
    if "p0.jpg" in text:
        raise PictureError("no")
    return Url(url=text)


@dataclasses.dataclass
class Shop:
    """Feeds manifests, each time by a producer of its own."""

    ledger: Ledger
    queue: Queue
    now_s: float = 1_800_000_000

    def producer(
        self,
        *,
        judges_by: str = "settings",
        folder: str = "/shop",
        volatile: tuple[str, ...] = (),
        strict: bool = False,
    ) -> Producer:
        planner = Planner(
            strict_source if strict else source,
            folder=Path(folder),
            volatile=volatile,
            clock=lambda: self.now_s,
            judges_by=judges_by,
        )
        return Producer(self.ledger, self.queue, planner, file_name="night.csv")

    def reads(self, manifest: Rows, batch: BatchId = NIGHT, **how: Any) -> bool:
        """Whether feeding the manifest read it; what was noted or not, it then stands in the ledger whole."""
        manifest.read = 0
        produced = self.producer(**how).feed(manifest, batch)
        assert produced.rows == len(manifest.names)
        assert self.ledger.status(batch).rows == len(manifest.names)
        return manifest.read > 0


@pytest.fixture
def shop(ledger: Ledger, queue: Queue) -> Shop:
    return Shop(ledger, queue)


def test_a_manifest_that_is_in_is_not_read_again_and_nothing_changes(shop: Shop, driver: Driver) -> None:
    manifest = Rows(many(2 * CHUNK, 700))
    assert shop.reads(manifest)
    before = driver.at_rest()
    manifest.read = 0
    again = shop.producer().feed(manifest, NIGHT)
    assert (again.resumed, again.whole, again.rows, again.bad) == (True, True, 2 * CHUNK, 0)
    assert (again.queued, again.reused, again.duplicate, again.changed) == (0, 0, 0, 0)
    assert manifest.read == 0
    assert driver.at_rest() == before


def test_lost_messages_are_sent_again_all_the_same(shop: Shop, queue: Queue) -> None:
    manifest = Rows(many(40))
    shop.reads(manifest)
    queue._client.delete(f"{queue._namespace}:{SUBMIT}", f"{queue._namespace}:{SUBMIT}.msgs")
    assert not shop.reads(manifest)
    assert queue.waiting(SUBMIT) == 40


def test_jobs_may_end_meanwhile_and_those_that_failed_are_bought_again(shop: Shop, driver: Driver) -> None:
    manifest = Rows(many(3))
    shop.reads(manifest)
    driver.succeeded()
    driver.failed(retryable=True)
    assert not shop.reads(manifest)
    assert control.retry_failed(shop.ledger, shop.queue, NIGHT) == 1
    assert driver.counts(NIGHT) == {"queued": 2, "succeeded": 1}
    assert not shop.reads(manifest)


def test_a_second_take_is_none_of_the_manifests_rows(shop: Shop, driver: Driver) -> None:
    manifest = Rows(many(3))
    shop.reads(manifest)
    sku = next(row.sku for rows in shop.ledger.rows(NIGHT) for row in rows.values())
    for _ in range(3):
        driver.succeeded()
    foreseen = foresee_retakes(shop.ledger, NIGHT, frozenset({sku}))
    assert retake(shop.ledger, shop.queue, NIGHT, foreseen.retakes) == 1
    for judges_by, read in (("settings", False), ("others", True), ("others", False)):
        manifest.read = 0
        shop.producer(judges_by=judges_by).feed(manifest, NIGHT)
        assert (manifest.read > 0) is read
        assert driver.counts(NIGHT) == {"succeeded": 3, "queued": 1}


def test_an_address_that_has_ended_meanwhile_is_seen(shop: Shop, driver: Driver) -> None:
    manifest = Rows(["x", f"y?Expires={ENDS_S}&n="])
    shop.reads(manifest)
    assert not shop.reads(manifest)
    shop.now_s = ENDS_S
    assert shop.reads(manifest)
    assert driver.counts(NIGHT) == {"queued": 1, "invalid": 1}
    assert shop.reads(manifest), "the pair may be bought elsewhere by now"


@pytest.mark.parametrize("name", ["local", "refused", None])
def test_local_pictures_refused_ones_and_bad_rows_are_looked_at_each_time(
    shop: Shop, name: str | None
) -> None:
    manifest = Rows(["x", name])
    assert shop.reads(manifest)
    assert shop.reads(manifest)


@pytest.mark.parametrize("how", [{"judges_by": "others"}, {"folder": "/"}, {"volatile": ("v",)}])
def test_other_settings_read_it_once_and_so_do_those_of_before(shop: Shop, how: dict[str, Any]) -> None:
    manifest = Rows(["x?v=", "y"])
    shop.reads(manifest)
    assert shop.reads(manifest, **how)
    assert not shop.reads(manifest, **how)
    assert shop.reads(manifest)


def test_whoever_does_not_know_how_addresses_are_judged_reads_it_each_time(shop: Shop) -> None:
    manifest = Rows(["x"])
    assert shop.reads(manifest, judges_by="")
    assert shop.reads(manifest, judges_by="")


def test_a_note_holds_no_more_when_others_have_made_other_rows(shop: Shop, driver: Driver) -> None:
    manifest = Rows(many(3))
    shop.reads(manifest)
    assert shop.reads(manifest, judges_by="", strict=True)
    assert driver.counts(NIGHT) == {"queued": 2, "invalid": 1}
    assert shop.reads(manifest)
    assert "invalid" not in driver.counts(NIGHT)
    assert not shop.reads(manifest)


def test_rows_that_left_their_job_with_their_batch_join_it_again(shop: Shop, driver: Driver) -> None:
    manifest = Rows(["x"])
    shop.reads(manifest)
    shop.reads(manifest, OTHER)
    control.cancel(shop.ledger, shop.queue, NIGHT)
    assert driver.counts(NIGHT) == {"cancelled": 1}
    assert shop.reads(manifest)
    assert driver.counts(NIGHT) == {"queued": 1}


def test_rows_that_are_gone_are_written_again(shop: Shop) -> None:
    manifest = Rows(many(3))
    shop.reads(manifest)
    shop.ledger.client.hdel(shop.ledger.key("rows", NIGHT), "2")
    manifest.read = 0
    shop.producer().feed(manifest, NIGHT)
    assert manifest.read == 3
    assert len(shop.ledger.rows_at(NIGHT, [1, 2, 3])) == 3


def test_who_is_stopped_half_way_notes_nothing(shop: Shop) -> None:
    manifest = Rows(many(CHUNK))
    produced = shop.producer().feed(manifest, NIGHT, stop=lambda: manifest.read > CHUNK // 2)
    assert not produced.whole
    assert shop.reads(manifest)
    assert not shop.reads(manifest)


def _at(rows: int, act: Callable[[], object]) -> Callable[[int], None]:
    done: list[int] = []

    def tell(so_far: int) -> None:
        if so_far >= rows and not done:
            done.append(so_far)
            act()

    return tell


def test_rows_that_another_producer_writes_meanwhile_leave_no_note(shop: Shop, driver: Driver) -> None:
    manifest, meanwhile = Rows(many(3 * CHUNK)), shop.producer(judges_by="others", strict=True)
    shop.producer().feed(
        manifest, NIGHT, tell=_at(2 * CHUNK, lambda: meanwhile.feed(Rows(many(3 * CHUNK)), NIGHT))
    )
    assert driver.counts(NIGHT)["invalid"] == 1
    assert shop.reads(manifest)
    assert driver.counts(NIGHT) == {"queued": 3 * CHUNK}


def test_a_note_that_nobody_can_read_is_none(shop: Shop) -> None:
    manifest = Rows(["x"])
    shop.reads(manifest)
    shop.ledger.note_fed(NIGHT, '{"of":1}')
    assert shop.reads(manifest)
    assert not shop.reads(manifest)


def test_a_line_becomes_the_row_that_notes_of_this_form_stand_for() -> None:
    """Fails when the same line becomes another row or job: then `_FORM` goes up, and this follows."""
    planner = Planner(source, "again", folder=Path("/shop"), volatile=("v",), clock=lambda: ENDS_S)
    rows = [*Rows(["x", f"y?v=2&Expires={ENDS_S}&n=", None]).rows()]
    by_name = Row(
        number=4,
        line=9,
        sku="s",
        inputs={"person": "https://x/anna.jpg", "dress": "https://x/z.jpg"},
        fields={"id": "s", "Person": "anna", "garment": "z", "category": "dress"},
    )
    admitted = [admission(planner.plan(row)) for row in (*rows, by_name)]
    assert (_FORM, sha256(msgpack.encode(admitted)).hexdigest()[:16]) == (2, "6fecfc7e60f91890")
