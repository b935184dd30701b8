"""Orders that a promoted replica has not heard of: brought in from journals, never sent again. Real servers, promoted."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog
from msgspec.structs import replace

from jobs.config.settings import LimitSettings
from jobs.ledger import BatchId, steps
from jobs.ledger.high_water import HighWaterMark, Mark
from jobs.ledger.intents import KEPT_S, IntentJournals
from jobs.ledger.records import Heartbeat
from jobs.producing.control import pause, resume
from jobs.records import JobState, RequestId, TaskId
from tests.driver import Driver, rid
from tests.faults.standby import follow, hear_all
from tests.ledger.conftest import Two, opened
from tests.on_loop import gate_of

LIMITS = LimitSettings(in_flight=100, images_per_minute=1e6)
SAID = Heartbeat(role="submit", host="h", pid=1, version="0", up_ms=1)


@dataclass
class Process:
    """A submit process: what it has on disk, and what it orders."""

    name: str
    folder: Path
    journals: IntentJournals = field(init=False)

    def __post_init__(self) -> None:
        self.journals = IntentJournals(self.folder)
        self.journals.own()

    def beat(self, driver: Driver) -> None:
        driver.ledger.run(steps.heartbeat(self.name, replace(SAID, journal=self.journals.name)))

    def order(self, driver: Driver) -> Any:
        """The next job's intent is written, and noted."""
        gate = self.gate(driver)
        permit = gate.acquire()
        assert gate.begin(permit) == "go"
        return permit

    def accepted(self, driver: Driver, permit: Any, task: str) -> None:
        self.gate(driver).ended(permit, TaskId(task), ("s",))
        call = steps.accept(permit.request_id, permit.claim, TaskId(task), ["s"], first_poll_ms=0)
        assert driver.ledger.run(call).recorded

    def refused(self, driver: Driver, permit: Any) -> None:
        self.gate(driver).ended(permit)
        driver.ledger.run(driver.give_back_call(permit.request_id, permit.claim))

    def gate(self, driver: Driver) -> Any:
        return gate_of(driver.ledger, LIMITS, submit_timeout_s=60, journals=self.journals)

    def dies(self) -> None:
        assert self.journals._journal is not None
        os.close(self.journals._journal)

    def lines(self) -> int:
        return sum(path.read_text().count('"order"') for path in (self.folder / "orders").glob("*.jsonl"))


@pytest.fixture
def one(tmp_path: Path) -> Process:
    return Process("one", tmp_path / "one")


@pytest.fixture
def other(tmp_path: Path) -> Process:
    return Process("other", tmp_path / "other")


def beaten(two: Two, *processes: Process) -> Driver:
    """The primary, which has heard of them."""
    driver = opened(two.primary)
    for process in processes:
        process.beat(driver)
    return driver


def promoted(two: Two, *, waited: bool = True) -> Driver:
    """The replica is the primary now, and somebody has said there that it lives."""
    two.promote()
    driver = opened(two.replica)
    driver.ledger.run(steps.heartbeat("p", SAID))
    if waited:
        later(driver)
    return driver


def promoted_again(two: Two) -> Driver:
    """The first one follows the second, and is promoted in its place."""
    follow(two.primary, two.replica, "word")
    hear_all(two.primary, two.replica)
    with two.primary.client(1) as client:
        client.replicaof("NO", "ONE")
    driver = opened(two.primary)
    driver.ledger.run(steps.heartbeat("p", SAID))
    later(driver)
    return driver


def later(driver: Driver, by_ms: int = 10_000) -> None:
    """So much later, as the recovery sees it."""
    driver.ledger.client.hincrby(driver.ledger.key("recovery"), "since", -by_ms)
    for name, beat in driver.ledger.client.hgetall(driver.ledger.key("heartbeats")).items():
        at_ms, _, said = beat.partition(" ")
        driver.ledger.client.hset(driver.ledger.key("heartbeats"), name, f"{int(at_ms) - by_ms} {said}")


def states(driver: Driver, *names: str) -> list[JobState]:
    return [driver.job(rid(name)).state for name in names]


def sent_next(driver: Driver) -> list[RequestId]:
    """What the gate would have submitted."""
    found = []
    while (answer := driver.ask()).kind == "granted":
        assert answer.request_id is not None
        found.append(answer.request_id)
    assert answer.kind == "empty"
    return found


def test_what_it_has_not_heard_of_is_what_became_of_it_and_the_gate_opens_when_all_are_in(
    two: Two, one: Process, other: Process
) -> None:
    primary = beaten(two, one, other)
    one.accepted(primary, one.order(primary), "t-x")
    two.cut_off()
    under_way = other.order(primary)
    one.accepted(primary, one.order(primary), "t-z")
    driver = promoted(two)
    assert states(driver, "x", "y", "z") == [JobState.SUBMITTED, JobState.QUEUED, JobState.QUEUED]
    wait = driver.ask()
    assert (wait.reason, wait.detail.partition(":")[0]) == ("paused", "recovering")

    other.beat(driver)
    assert one.journals.bring_in(driver.ledger) == "awaits"
    assert driver.ask().reason == "paused", "another process lives"
    assert other.journals.bring_in(driver.ledger) == "open"
    assert states(driver, "x", "y", "z") == [JobState.SUBMITTED, JobState.SUBMITTING, JobState.SUBMITTED]
    assert driver.job(rid("z")).task_id == "t-z"
    assert driver.ledger.mark() == Mark(ledger=driver.ledger.ledger_id() or "", orders=3)
    assert (driver.spent("a"), driver.spent_on()) == (3, 3)
    assert driver.members("leases").keys() == {rid("x"), rid("y"), rid("z")}
    assert sent_next(driver) == []
    other.accepted(driver, under_way, "t-y")
    assert driver.job(rid("y")).task_id == "t-y", "its answer came later"
    assert (
        driver.ledger.status(BatchId("a")).ordered,
        driver.ledger.status(BatchId("a")).charged_for_sure,
    ) == (3, 3)


def test_what_was_not_bought_is_sent_and_counts(two: Two, one: Process) -> None:
    primary = beaten(two, one)
    two.cut_off()
    one.refused(primary, one.order(primary))
    driver = promoted(two)
    assert one.journals.bring_in(driver.ledger) == "open"
    assert (driver.spent("a"), driver.ledger.marks()) == (0, primary.ledger.marks())
    assert rid("x") in sent_next(driver)


def test_a_dead_process_is_brought_in_by_whoever_lives_on_its_host_and_its_post_is_unknown(
    two: Two, one: Process
) -> None:
    dead = Process("dead", one.folder)
    primary = beaten(two, one, dead)
    two.cut_off()
    dead.order(primary)
    posted_ms = primary.ledger.client.hget(primary.ledger.key("job", rid("x")), "begun_ms")
    dead.dies()
    driver = promoted(two)
    assert one.journals.bring_in(driver.ledger) == "open"
    assert states(driver, "x") == [JobState.UNKNOWN]
    assert driver.ledger.client.hget(driver.ledger.key("job", rid("x")), "begun_ms") == posted_ms
    assert rid("x") in driver.members("unknown")
    assert driver.ledger.status(BatchId("a")).perhaps_charged == 1
    assert sent_next(driver) == [rid("y"), rid("z")]


def test_a_process_that_hangs_is_given_up_but_its_orders_are_brought_in_by_whoever_lives_on_its_host(
    two: Two, one: Process
) -> None:
    hangs = Process("hangs", one.folder)
    primary = beaten(two, one, hangs)
    two.cut_off()
    permit = hangs.order(primary)
    driver = promoted(two)
    hangs.beat(driver)
    assert one.journals.bring_in(driver.ledger) == "awaits", "it may know more"
    later(driver, 13_000)
    assert one.journals.bring_in(driver.ledger) == "open"
    assert states(driver, "x") == [JobState.SUBMITTING]
    assert sent_next(driver) == [rid("y"), rid("z")]
    hangs.accepted(driver, permit, "t-x")
    assert driver.job(rid("x")).task_id == "t-x", "it goes on"


def test_what_a_process_knows_better_than_who_has_read_its_journal_counts(two: Two, one: Process) -> None:
    slow = Process("slow", one.folder)
    primary = beaten(two, one, slow)
    two.cut_off()
    permit = slow.order(primary)
    driver = promoted(two)
    slow.beat(driver)
    assert one.journals.bring_in(driver.ledger) == "awaits"
    slow.accepted(primary, permit, "t-x")
    assert slow.journals.bring_in(driver.ledger) == "open"
    assert (driver.job(rid("x")).state, driver.job(rid("x")).task_id) == (JobState.SUBMITTED, "t-x")
    assert (driver.spent("a"), driver.ledger.status(BatchId("a")).charged_for_sure) == (1, 1)


def test_a_copy_of_a_data_folder_that_is_asked_first_stands_for_nobody(
    two: Two, one: Process, tmp_path: Path
) -> None:
    primary = beaten(two, one)
    two.cut_off()
    permit = one.order(primary)
    shutil.copytree(one.folder, tmp_path / "copy")
    copy = Process("copy", tmp_path / "copy")
    one.accepted(primary, permit, "t-x")
    driver = promoted(two)
    one.beat(driver)
    assert copy.journals.bring_in(driver.ledger) == "awaits"
    assert states(driver, "x") == [JobState.SUBMITTING], (
        "the copy knows of no answer, nor whether there will be one"
    )
    under_way = one.order(primary)
    assert one.journals.bring_in(driver.ledger) == "open"
    assert driver.job(rid("x")).task_id == "t-x"
    assert states(driver, "x", "y", "z") == [JobState.SUBMITTED, JobState.SUBMITTING, JobState.QUEUED]
    assert under_way.request_id == rid("y")
    assert (driver.spent("a"), driver.ledger.status(BatchId("a")).charged_for_sure) == (2, 1)


def test_orders_that_nobody_brings_in_are_for_a_person_until_somebody_does(
    two: Two, one: Process, other: Process
) -> None:
    primary = beaten(two, one, other)
    two.cut_off()
    other.order(primary)
    one.order(primary)
    driver = promoted(two)
    other.beat(driver)
    assert one.journals.bring_in(driver.ledger) == "awaits"
    later(driver, 13_000)
    with structlog.testing.capture_logs() as events:
        assert [one.journals.bring_in(driver.ledger) for _ in "ab"] == ["lost", "lost"], "the other is silent"
    assert [event["event"] for event in events] == ["ledger.lost"]
    assert driver.ask().detail == "ledger: it counts 1 orders, but 2 were seen"
    assert other.journals.bring_in(driver.ledger) == "open", "its host is back"
    assert sent_next(driver) == [rid("z")]


def test_orders_that_only_the_host_has_noted_are_missing(two: Two, one: Process) -> None:
    driver = beaten(two, one)
    mark = HighWaterMark(one.folder, "vton")
    mark.raise_to(Mark(ledger=driver.ledger.ledger_id() or "", orders=2))
    two.cut_off()
    driver = promoted(two)
    one.journals._mark = mark
    assert one.journals.bring_in(driver.ledger) == "lost"
    assert driver.ask().detail == "ledger: it counts 0 orders, but 2 were seen"
    driver.ledger.accept([Mark(ledger=driver.ledger.ledger_id() or "", orders=2)])
    assert len(sent_next(driver)) == 3, "a person has decided"


def test_an_order_whose_rows_are_missing_too_is_known_when_they_come_again(two: Two, one: Process) -> None:
    primary = beaten(two, one)
    two.cut_off()
    primary.admit("b", ["new"])
    for _ in range(4):
        permit = one.order(primary)
        if permit.request_id == rid("new"):
            break
    one.dies()
    again = Process("again", one.folder)
    driver = promoted(two)
    assert again.journals.bring_in(driver.ledger) == "open"
    assert states(driver, "new") == [JobState.UNKNOWN]
    driver.admit("b", ["new"], seal=True)
    assert driver.counts("b")["unknown"] == 1
    assert rid("new") not in sent_next(driver)


def test_a_task_that_replaced_a_failed_one_is_asked_for_and_not_bought_a_third_time(
    two: Two, one: Process
) -> None:
    primary = beaten(two, one)
    one.accepted(primary, one.order(primary), "t-1")
    two.cut_off()
    assert primary.ledger.run(steps.again(rid("x"), TaskId("t-1"), 0))
    primary.ledger.run(steps.reconcile(policy="hold", quiet_s=1))
    permit = one.order(primary)
    assert permit.request_id == rid("x")
    one.accepted(primary, permit, "t-2")
    driver = promoted(two, waited=False)
    assert one.journals.bring_in(driver.ledger) == "awaits"
    later(driver)
    assert one.journals.bring_in(driver.ledger) == "open"
    job = driver.job(rid("x"))
    assert (job.state, job.task_id) == (JobState.SUBMITTED, "t-2")
    assert driver.ledger.client.hget(driver.ledger.key("job", rid("x")), "past") == "t-1"


def test_an_answer_is_brought_in_whose_order_is_known(two: Two, one: Process) -> None:
    primary = beaten(two, one)
    permit = one.order(primary)
    two.cut_off()
    one.accepted(primary, permit, "t-x")
    driver = promoted(two)
    assert states(driver, "x") == [JobState.SUBMITTING]
    assert one.journals.bring_in(driver.ledger) == "open"
    assert driver.job(rid("x")).task_id == "t-x"


def test_whoever_began_too_late_to_be_known_has_time_to_say_that_it_lives(two: Two, one: Process) -> None:
    beaten(two, one)
    two.cut_off()
    driver = promoted(two, waited=False)
    assert one.journals.bring_in(driver.ledger) == "awaits"
    later(driver)
    assert one.journals.bring_in(driver.ledger) == "open"


def test_a_server_that_only_starts_anew_is_waited_for_by_nobody(two: Two, one: Process) -> None:
    driver = beaten(two, one)
    one.accepted(driver, one.order(driver), "t-x")
    two.primary.kill()
    two.primary.start()
    driver = opened(two.primary)
    one.beat(driver)
    assert one.journals.bring_in(driver.ledger) == "none"
    assert driver.ledger.gate().paused is None


def test_nobody_has_to_be_waited_for_where_replicas_confirm(two: Two, one: Process) -> None:
    driver = beaten(two, one)
    one.accepted(driver, one.order(driver), "t-x")
    driver.ledger.client.hset(driver.ledger.key("meta"), "confirmed_orders", 1)
    follow(two.replica, two.primary, "word")
    two.fail_over()
    driver = opened(two.replica)
    one.beat(driver)
    assert one.journals.bring_in(driver.ledger) == "open"


def test_a_persons_own_pause_outlives_it(two: Two, one: Process) -> None:
    pause(beaten(two, one).ledger, "Friday")
    two.cut_off()
    driver = promoted(two)
    assert driver.ask().detail.startswith("recovering: ")
    assert one.journals.bring_in(driver.ledger) == "open"
    assert driver.ask().detail == "Friday"


def test_whoever_waits_at_the_gate_brings_its_own_in_and_goes_on(two: Two, one: Process) -> None:
    primary = beaten(two, one)
    two.cut_off()
    one.order(primary)
    driver = promoted(two)
    assert one.gate(driver).acquire().request_id == rid("y")


def test_whoever_has_seen_more_waits_for_the_journals_and_needs_no_person(two: Two, one: Process) -> None:
    primary = beaten(two, one)
    two.cut_off()
    one.accepted(primary, one.order(primary), "t-x")
    seen = primary.ledger.mark()
    assert seen is not None
    two.promote()
    driver = opened(two.replica)
    assert driver.ledger.is_recovering(seen)
    assert driver.ask(seen_orders=1).detail.startswith("recovering: "), "whoever comes first"
    later(driver)
    assert one.journals.bring_in(driver.ledger) == "open"
    assert not driver.ledger.is_recovering(seen)
    assert driver.ask(seen_orders=1).kind == "granted"


def test_a_server_that_an_earlier_version_has_found_to_lack_orders_opens_when_they_are_in(
    two: Two, one: Process
) -> None:
    primary = beaten(two, one)
    two.cut_off()
    one.order(primary)
    two.promote()
    driver = opened(two.replica)
    driver.gate(paused="ledger: it counts 0 orders, but 1 were seen")
    driver.ledger.run(steps.heartbeat("p", SAID))
    later(driver)
    assert one.journals.bring_in(driver.ledger) == "open"
    assert driver.ledger.gate().paused is None


def test_an_intent_that_an_old_primary_took_is_not_sent_once_another_is_known(two: Two, one: Process) -> None:
    primary = beaten(two, one)
    gate = one.gate(primary)
    permit = gate.acquire()
    run = gate.itself._intents.run

    async def meanwhile(call: Any) -> Any:
        reply = await run(call)
        primary.ledger.term.learn("1-12345678")
        return reply

    object.__setattr__(gate.itself, "_intents", type("Runner", (), {"run": staticmethod(meanwhile)})())
    assert gate.begin(permit) == "closed"
    assert one.lines() == 0


def test_a_journal_is_put_aside_and_goes_and_what_is_kept_is_found_in_both(tmp_path: Path) -> None:
    now = [0.0]
    journals = IntentJournals(tmp_path, clock=lambda: now[0])
    name = journals.own()
    for number in range(3):
        journals.ended(f"c-{number}")
        now[0] += KEPT_S + 1
    folder = tmp_path / "orders"
    assert sorted(path.name for path in folder.iterdir()) == [f"{name}.former.jsonl", f"{name}.jsonl"]
    newest = [(folder / f"{name}{end}").read_text().split("\n")[-1] for end in (".former.jsonl", ".jsonl")]
    assert [line[11:14] for line in newest] == ["c-1", "c-2"]
    os.utime(folder / f"{name}.jsonl", (0, 0))
    IntentJournals(tmp_path).own()
    assert (folder / f"{name}.jsonl").exists(), "its process lives"


def test_a_disk_that_takes_nothing_is_told_of_once_and_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "orders").write_text("no folder")
    journals = IntentJournals(tmp_path)
    with structlog.testing.capture_logs() as events:
        journals.own()
        journals.ended("c")
        journals.ended("d")
    assert {event["event"] for event in events} == {"order.unsaved"}
    assert len(events) == 1


def test_a_process_whose_journal_the_disk_does_not_take_is_not_waited_for_forever(
    two: Two, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "orders").write_text("no folder")
    bare = Process("bare", tmp_path / "full")
    beaten(two, bare)
    two.cut_off()
    driver = promoted(two)
    bare.beat(driver)
    assert bare.journals.bring_in(driver.ledger) == "open"


def test_orders_that_the_disk_did_not_take_are_missing(two: Two, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "orders").write_text("no folder")
    bare = Process("bare", tmp_path / "full")
    primary = beaten(two, bare)
    two.cut_off()
    bare.accepted(primary, bare.order(primary), "t-x")
    driver = promoted(two)
    assert bare.journals.bring_in(driver.ledger) == "lost"
    assert driver.ask().detail == "ledger: it counts 0 orders, but 1 were seen"


def test_a_journal_that_cannot_be_read_does_not_keep_the_others_from_being_brought_in(
    two: Two, one: Process
) -> None:
    primary = beaten(two, one)
    two.cut_off()
    one.order(primary)
    # Whoever reads it gets an OSError, root too.
    (one.folder / "orders" / "0000000000000000.jsonl").mkdir()
    driver = promoted(two)
    with structlog.testing.capture_logs() as events:
        assert one.journals.bring_in(driver.ledger) == "open"
    assert "order.unsaved" in {event["event"] for event in events}
    assert states(driver, "x") == [JobState.SUBMITTING]


def test_a_journal_is_begun_as_soon_as_the_disk_takes_one(two: Two, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "orders").write_text("no folder")
    bare = Process("bare", tmp_path / "full")
    (tmp_path / "full" / "orders").unlink()
    bare.order(beaten(two, bare))
    assert bare.lines() == 1
    # Somebody tidies up, and it is put aside then.
    (tmp_path / "full" / "orders" / f"{bare.journals.name}.jsonl").unlink()
    bare.journals._begun_s -= KEPT_S + 1
    bare.order(opened(two.primary))
    assert bare.lines() == 1


def test_a_journal_that_cannot_be_put_aside_goes_on(tmp_path: Path) -> None:
    now = [0.0]
    journals = IntentJournals(tmp_path, clock=lambda: now[0])
    journals.own()
    now[0] += KEPT_S + 1
    (tmp_path / "orders" / f"{journals.name}.former.jsonl").mkdir()
    journals.ended("c")
    assert '"c"' in (tmp_path / "orders" / f"{journals.name}.jsonl").read_text()


def test_what_was_brought_in_before_the_second_of_two_promotions_counts_once(
    two: Two, one: Process, other: Process
) -> None:
    dead = Process("dead", one.folder)
    primary = beaten(two, one, other)
    two.cut_off()
    dead.order(primary)
    answered = one.order(primary)
    one.order(primary)
    dead.dies()
    driver = promoted(two)
    assert one.journals.bring_in(driver.ledger) == "awaits"

    driver = promoted_again(two)
    one.gate(driver).ended(answered, TaskId("t-y"), ("s",))
    assert one.journals.bring_in(driver.ledger) == "awaits"
    assert other.journals.bring_in(driver.ledger) == "open"
    assert states(driver, "x", "y", "z") == [JobState.UNKNOWN, JobState.SUBMITTED, JobState.SUBMITTING]
    assert (driver.spent("a"), driver.spent_on()) == (3, 3)
    status = driver.ledger.status(BatchId("a"))
    assert (status.ordered, status.perhaps_charged) == (3, 2)
    assert not any("orders" in driver.raw(rid(name)) for name in "xyz")


def test_whoever_was_bought_once_more_is_not_bought_a_third_time(two: Two, one: Process) -> None:
    dead = Process("dead", one.folder)
    primary = beaten(two, one)
    dead.order(primary)
    primary.score("posting", rid("x"), 0)
    primary.ledger.run(steps.reconcile(policy="resubmit", quiet_s=0))
    primary.ledger.run(steps.reconcile(policy="resubmit", quiet_s=0))
    assert primary.raw(rid("x"))["resubmitted"] == "1"
    two.cut_off()
    assert dead.order(primary).request_id == rid("x")
    dead.dies()
    driver = promoted(two)
    assert one.journals.bring_in(driver.ledger) == "open"
    assert states(driver, "x") == [JobState.UNKNOWN]
    driver.score("unknown", rid("x"), 0)
    driver.ledger.run(steps.reconcile(policy="resubmit", quiet_s=0))
    assert states(driver, "x") == [JobState.UNKNOWN]


def test_what_was_bought_again_because_a_person_opened_the_gate_is_known_and_counted(
    two: Two, one: Process, other: Process
) -> None:
    primary = beaten(two, one, other)
    two.cut_off()
    other.accepted(primary, other.order(primary), "t-1")
    other.order(primary)
    driver = promoted(two)
    resume(driver.ledger)
    for task in ("t-2", "t-3"):
        one.accepted(driver, one.order(driver), task)
    one.beat(driver)
    assert other.journals.bring_in(driver.ledger) == "awaits"
    assert driver.raw(rid("x"))["past"] == "t-1"
    assert driver.ledger.client.hget(driver.ledger.key("tasks"), "t-1") == rid("x")
    status = driver.ledger.status(BatchId("a"))
    assert (driver.spent("a"), driver.spent_on()) == (4, 4)
    assert (status.ordered, status.charged_for_sure, status.perhaps_charged) == (4, 3, 1)


@pytest.mark.parametrize("late", [False, True])
def test_of_two_orders_of_a_job_that_it_lacks_both_tasks_are_kept_whichever_comes_first(
    two: Two, one: Process, other: Process, late: bool
) -> None:
    primary = beaten(two, one, other)
    two.cut_off()
    first = one.order(primary)
    one.accepted(primary, first, "t-1")
    assert primary.ledger.run(steps.again(rid("x"), TaskId("t-1"), 0))
    primary.ledger.run(steps.reconcile(policy="hold", quiet_s=1))
    other.accepted(primary, other.order(primary), "t-2")
    driver = promoted(two)
    for process in (other, one) if late else (one, other):
        process.journals.bring_in(driver.ledger)
    assert driver.ledger.gate().paused is None
    job = driver.job(rid("x"))
    assert (job.state, job.task_id) == (JobState.SUBMITTED, "t-2")
    assert driver.raw(rid("x"))["past"] == "t-1"
    status = driver.ledger.status(BatchId("a"))
    assert (driver.spent("a"), driver.spent_on(), status.charged_for_sure) == (2, 2, 2)


def test_what_one_server_was_told_to_lack_the_next_one_lacks_too(
    two: Two, one: Process, other: Process
) -> None:
    driver = beaten(two, one, other)
    mark = HighWaterMark(one.folder, "vton")
    mark.raise_to(Mark(ledger=driver.ledger.ledger_id() or "", orders=2))
    one.journals._mark = mark
    two.cut_off()
    driver = promoted(two)
    other.beat(driver)
    assert one.journals.bring_in(driver.ledger) == "awaits"
    one.journals._mark = None
    driver = promoted_again(two)
    other.beat(driver)
    assert one.journals.bring_in(driver.ledger) == "awaits"
    assert other.journals.bring_in(driver.ledger) == "lost"


@pytest.mark.parametrize("lacks", [False, True])
def test_a_pause_of_meanwhile_hides_no_order_and_outlives_the_recovery(
    two: Two, one: Process, other: Process, lacks: bool
) -> None:
    primary = beaten(two, one, other)
    two.cut_off()
    if lacks:
        one.order(primary)
    other.order(primary)
    driver = promoted(two)
    pause(driver.ledger, "Friday")
    one.beat(driver)
    assert other.journals.bring_in(driver.ledger) == "awaits"
    assert driver.ask().detail.startswith("recovering: ")
    assert driver.ask().detail.endswith("; then it stays paused: Friday")
    if lacks:
        driver.ledger.client.hdel(driver.ledger.key("heartbeats"), "one")
        assert other.journals.bring_in(driver.ledger) == "lost"
        assert driver.ask().detail == "ledger: it counts 1 orders, but 2 were seen"
        driver.ledger.accept([Mark(ledger=driver.ledger.ledger_id() or "", orders=2)])
    else:
        assert one.journals.bring_in(driver.ledger) == "open"
    assert driver.ask().detail == "Friday"


def test_a_persons_pause_outlives_two_promotions_and_a_lost_order(two: Two, one: Process) -> None:
    primary = beaten(two, one)
    pause(primary.ledger, "Friday")
    two.cut_off()
    mark = HighWaterMark(one.folder, "vton")
    mark.raise_to(Mark(ledger=primary.ledger.ledger_id() or "", orders=1))
    one.journals._mark = mark
    assert one.journals.bring_in(promoted(two).ledger) == "lost"
    driver = promoted_again(two)
    driver.ledger.accept([Mark(ledger=driver.ledger.ledger_id() or "", orders=1)])
    assert driver.ask().detail == "Friday"


def test_a_host_that_comes_back_after_the_gate_was_opened_loses_no_task(
    two: Two, one: Process, other: Process
) -> None:
    primary = beaten(two, one, other)
    two.cut_off()
    one.accepted(primary, one.order(primary), "t-x")
    other.accepted(primary, other.order(primary), "t-y")
    driver = promoted(two)
    driver.ledger.client.hdel(driver.ledger.key("heartbeats"), "other")
    assert one.journals.bring_in(driver.ledger) == "open"
    assert other.journals.bring_in(driver.ledger) == "none"
    assert driver.job(rid("y")).task_id == "t-y"
    assert sent_next(driver) == [rid("z")]
    assert (driver.spent("a"), driver.ledger.status(BatchId("a")).charged_for_sure) == (3, 2)


def test_a_host_whose_mark_cannot_be_read_keeps_no_gate_shut(two: Two, one: Process) -> None:
    beaten(two, one)
    two.cut_off()
    mark = HighWaterMark(one.folder, "vton")
    mark.path.write_text("no JSON")
    one.journals._mark = mark
    assert one.journals.bring_in(promoted(two).ledger) == "open"


def test_a_restored_ledger_that_a_person_accepts_is_open_though_orders_were_awaited(two: Two) -> None:
    primary = opened(two.primary)
    pause(primary.ledger, "ledger: restored from a back-up")
    two.cut_off()
    driver = promoted(two)
    driver.ledger.accept([Mark(ledger=driver.ledger.ledger_id() or "", orders=1)])
    assert driver.ask().kind == "granted"
