"""What `vton plan` says is what `vton run` then does: whatever the ledger holds, whichever pictures were changed since."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.cli import plan_counts as planning
from jobs.cli.plan_counts import Plan, plan_of
from jobs.config.settings import Settings
from jobs.ledger import Ledger, steps
from jobs.manifest.columns import Typo
from jobs.pictures.check import PictureError
from jobs.producing import control
from jobs.producing import producer as producing
from jobs.producing.planning import Planner
from jobs.producing.producer import Produced, Producer
from jobs.producing.queue import Queue
from jobs.records import PAID_LOSSES, BadRow, BatchId, Dialect, JobState, LocalFile, Row, Source
from tests.conftest import flush
from tests.driver import Driver, failure

FILES = tuple("uvwxyz")
#: What lies in a file now: a picture of that content, or None: nothing that could be sent.
Contents = dict[str, str | None]
THIS, OTHER = BatchId("this"), BatchId("other")


@dataclass
class Rows:
    """A manifest that names files; None is a row that is bad by itself."""

    names: list[str | None]
    digest: str
    columns: tuple[str, ...] = ("sku", "dress")
    dialect = Dialect()
    suspected_typos: tuple[Typo, ...] = ()

    def rows(self) -> Iterator[Row | BadRow]:
        for number, name in enumerate(self.names, 1):
            if name is None:
                yield BadRow(number=number, line=number + 1, column="dress", why="empty")
            else:
                inputs = {"person": "anna.jpg", "dress": name}
                yield Row(number=number, line=number + 1, sku="s", inputs=inputs, fields=inputs)


@dataclass
class Shop:
    """A ledger with its queue, and files whose content may change."""

    ledger: Ledger
    queue: Queue
    contents: Contents = field(default_factory=dict)

    def source(self, text: str) -> Source:
        content = self.contents.get(text, text)
        if content is None:
            raise PictureError("there is no such file")
        return LocalFile(path=f"/shop/{text}", sha256=content)

    def plan(self, manifest: Rows, batch: BatchId) -> Plan:
        return plan_of(manifest, batch, Planner(self.source), self.ledger, Settings())  # type: ignore[arg-type]

    def run(self, manifest: Rows, batch: BatchId) -> Produced:
        """What `vton run` does with a manifest, its workers apart."""
        produced = Producer(self.ledger, self.queue, Planner(self.source), file_name="m.csv").feed(
            manifest, batch
        )
        if produced.resumed:
            control.retry_failed(self.ledger, self.queue, batch)
        return produced

    def queued(self) -> set[str]:
        """Jobs that wait to be bought."""
        found = self.ledger.client.keys(self.ledger.key("job", "*"))
        return {key for key in found if self.ledger.client.hget(key, "state") == JobState.QUEUED}


def _end(driver: Driver, how: str) -> None:
    """Brings the next job of the line somewhere."""
    match how:
        case "submitted":
            driver.submitted()
        case "succeeded":
            driver.succeeded()
        case "unknown":
            driver.unknown()
        case "rejected":
            job = driver.submitted()
            driver.ledger.run(steps.fail(job.request_id, failure(retryable=False), JobState.REJECTED))
        case "again":
            job = driver.submitted()
            assert job.task_id is not None
            driver.ledger.run(steps.again(job.request_id, job.task_id, 60_000))
        case "retryable" | "final":
            driver.failed(retryable=how == "retryable")
        case "claimed":
            driver.granted()
        case _:
            job = driver.submitted()
            driver.ledger.run(steps.fail(job.request_id, failure(kind=how)))


ends = st.sampled_from(
    ["submitted", "succeeded", "unknown", "rejected", "again", "retryable", "final", "claimed", *PAID_LOSSES]
)
names = st.lists(st.one_of(st.sampled_from(FILES), st.none()), min_size=1, max_size=7)
contents = st.dictionaries(st.sampled_from(FILES), st.sampled_from([*FILES, "1", "2", None]), max_size=4)


@pytest.fixture
def shop(ledger: Ledger, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Shop]]:
    """Makes empty shops. Chunks are small, so that rows of one manifest meet in different ones."""
    for module in (producing, planning):
        monkeypatch.setattr(module, "CHUNK", 3)
    made: list[Shop] = []

    def make() -> Shop:
        made.append(Shop(Ledger(ledger.client, f"{ledger.prefix}-{uuid4().hex[:8]}"), queue))
        return made[-1]

    yield make
    for each in made:
        flush(each.ledger.client, each.ledger.prefix)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    wanted=names,
    others=names,
    fed_before=st.booleans(),
    ended=st.lists(ends, max_size=8),
    ended_later=st.lists(ends, max_size=5),
    cancelled=st.sampled_from([(), (THIS,), (OTHER,), (OTHER, THIS)]),
    first=contents,
    changed=contents,
)
def test_a_plan_says_what_a_run_then_buys(
    shop: Callable[[], Shop],
    *,
    wanted: list[str | None],
    others: list[str | None],
    fed_before: bool,
    ended: list[str],
    ended_later: list[str],
    cancelled: tuple[BatchId, ...],
    first: Contents,
    changed: Contents,
) -> None:
    here, manifest = shop(), Rows(wanted, "this")
    driver = Driver(here.ledger)
    here.contents = first
    here.run(Rows(others, "other"), OTHER)
    _end_some(driver, here, ended)
    if fed_before:
        here.run(manifest, THIS)
        _end_some(driver, here, ended_later)
    for batch in cancelled:
        if batch in here.ledger.batches():
            control.cancel(here.ledger, here.queue, batch)
    here.contents = changed

    before, snapshot = here.queued(), driver.snapshot()
    plan = here.plan(manifest, THIS)
    assert driver.snapshot() == snapshot, "a plan changes nothing"
    here.run(manifest, THIS)

    assert plan.new == len(here.queued() - before)
    status = here.ledger.status(THIS)
    assert status.rows == plan.rows == len(wanted) == sum(status.counts.values())
    assert status.counts.get("invalid", 0) == plan.invalid == len(plan.bad)
    assert plan.duplicate == status.duplicate
    jobs = here.ledger.jobs(row.job for rows in here.ledger.rows(THIS) for row in rows.values() if row.job)
    states = [job.state for job in jobs.values()]
    assert plan.reused == states.count(JobState.SUCCEEDED)
    assert plan.new + plan.waiting + plan.asked + plan.ended + plan.reused == len(jobs)
    assert all(row in job.refs[THIS] for row, job in _of_rows(here, jobs)), "each row is its job's"


def _of_rows(here: Shop, jobs: dict) -> Iterator[tuple[int, object]]:  # type: ignore[type-arg]
    for rows in here.ledger.rows(THIS):
        for number, row in rows.items():
            if row.job:
                yield number, jobs[row.job]


def _end_some(driver: Driver, here: Shop, ended: list[str]) -> None:
    for how in ended:
        if not here.ledger.queued_total() or driver.ledger.client.zcard(driver.ledger.key("leases")) > 900:
            return
        if not _waiting(here):
            return
        _end(driver, how)


def _waiting(here: Shop) -> bool:
    """Whether the gate would grant a job."""
    ring = here.ledger.client.lrange(here.ledger.key("ring"), 0, -1)
    lines = [here.ledger.client.lrange(here.ledger.key("queued", batch), 0, -1) for batch in ring]
    jobs = here.ledger.jobs(each for line in lines for each in line)
    return any(
        job.state is JobState.QUEUED
        and not here.ledger.client.hget(here.ledger.key("job", job.request_id), "claim")
        for job in jobs.values()
    )
