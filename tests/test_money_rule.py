"""The money rule: every outcome has its place in the table, and the ledger and the gate do what the table says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from jobs.config.settings import LimitSettings, TaskSettings
from jobs.ledger import steps
from jobs.ledger.accepted_answers import AcceptedAnswers
from jobs.records import PAID_LOSSES, JobState, SettledAs
from tests.driver import Driver, failure, rid
from tests.on_loop import call, gate_of
from worker.collect.schedule import Collect, PollSchedule, TryAgain, after_task
from worker.hidream.outcomes import (
    Accepted,
    Busy,
    Ended,
    NotSent,
    Paused,
    Pending,
    PollFailed,
    PollOutcome,
    Refused,
    SubFailure,
    SubFailureKind,
    SubmitOutcome,
    Unknown,
)
from worker.hidream.proof import DEATHS, FAILURES, LOSSES, POLLS, SUBMITS, Again, Death, Proof, Verdict
from worker.hidream.wire import Body
from worker.metrics import Metrics
from worker.submit.bodies import Bodies
from worker.submit.submission import Submission

ARCHITECTURE = Path(__file__).parents[1] / "docs" / "architecture.md"

#: Every way in which each outcome of a submit can differ for what comes after it.
SUBMIT_SAMPLES: dict[type, list[Any]] = {
    Accepted: [Accepted(task_id="t-1"), Accepted(task_id="t-1", sub_task_ids=("s-1", "s-2"))],  # type: ignore[arg-type]
    Refused: [
        Refused(failure=failure(retryable=True, kind="refused")),
        Refused(failure=failure(retryable=False, kind="picture_invalid")),
    ],
    Busy: [Busy(reason="2004"), Busy(reason="429", retry_after_s=1, throttled=True)],
    Paused: [
        Paused(reason=reason, message="no") for reason in get_args(Paused.__dataclass_fields__["reason"].type)
    ],
    NotSent: [NotSent(reason="refused")],
    Unknown: [
        Unknown(reason="reset"),
        Unknown(reason="404", bare=True),
        Unknown(reason="429", bare=True, throttled=True, retry_after_s=1),
        Unknown(reason="another's", mixed=True),
    ],
}


class Vendor:
    """A client with one answer."""

    def __init__(self, outcome: SubmitOutcome) -> None:
        self.outcome = outcome

    async def submit(self, body: Body, request_id: str = "") -> SubmitOutcome:
        del body, request_id
        return self.outcome

    async def aclose(self) -> None:
        """It has no connection."""


def submit(driver: Driver, folder: Path, outcome: SubmitOutcome) -> None:
    """One turn of the real submission, its client answering so."""
    gate = gate_of(driver.ledger, LimitSettings(in_flight=9, images_per_minute=1e9), submit_timeout_s=5)
    submission = Submission(
        gate=gate.itself,
        client=Vendor(outcome),
        bodies=Bodies(),
        schedule=PollSchedule(tasks=TaskSettings()),
        metrics=Metrics(),
        answers=AcceptedAnswers(folder),
        notify_url=lambda _request_id: None,
    )
    call(submission.submit_next())


def time_passes(driver: Driver) -> None:
    """Whatever waits for a time has waited long enough; no person does anything."""
    for kind in ("posting", "retry", "unknown", "leases"):
        driver.score(kind, rid("x"), 0)
    driver.gate(closed_until=0, probe_at=0)
    driver.ledger.run(steps.reconcile(policy="hold", quiet_s=0))


def granted_again(driver: Driver) -> bool:
    """Whether the gate ever hands the job out once more, by itself, over days."""
    for _ in range(5):
        time_passes(driver)
        answer = driver.ask()
        if answer.kind == "granted":
            assert answer.request_id == rid("x")
            return True
    return False


def granted_to_the_next_run(driver: Driver) -> bool:
    """Whether another batch that wants the pair has it sent again."""
    driver.admit("b", ["x"])
    return granted_again(driver)


def hold_to(driver: Driver, verdict: Verdict) -> None:
    assert granted_again(driver) is (verdict.again is Again.MACHINE)
    if verdict.again is not Again.MACHINE:
        retryable = driver.job(rid("x")).failure
        worth_it = verdict.again is Again.NEXT_RUN and retryable is not None and retryable.retryable
        assert granted_to_the_next_run(driver) is worth_it


@pytest.fixture
def x(driver: Driver) -> Driver:
    """A ledger with one job."""
    driver.admit("a", ["x"], seal=True)
    return driver


# -- the table ----------------------------------------------------------------------------------------------


def test_every_outcome_has_its_place_in_the_table() -> None:
    assert set(get_args(SubmitOutcome)) == SUBMITS.keys() == SUBMIT_SAMPLES.keys()
    assert set(get_args(PollOutcome)) == POLLS.keys()
    assert set(SubFailureKind) == FAILURES.keys()
    assert LOSSES.keys() == PAID_LOSSES
    assert set(Death) == DEATHS.keys()


def every_verdict() -> Iterator[Verdict]:
    for table in (SUBMITS, DEATHS, POLLS, FAILURES, LOSSES):
        yield from table.values()  # type: ignore[attr-defined]


def test_no_machine_sends_again_without_proof_that_nothing_was_bought_or_made() -> None:
    for verdict in every_verdict():
        if verdict.again is not Again.PERSON:
            assert verdict.proof in {Proof.NOT_BOUGHT, Proof.NOTHING_MADE}, verdict


def test_the_documented_table_is_the_codes() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `?([\w ]+?)`? \| (.+?) \| (.+?) \| (.+?) \|$",
        text.partition("## The money rule")[2],
        re.MULTILINE,
    )
    said = {name: (proof, again) for name, _, proof, again in rows if name != "outcome"}
    names = {
        **{kind.__name__: verdict for kind, verdict in {**SUBMITS, **POLLS}.items()},
        **{kind.name.lower(): verdict for kind, verdict in FAILURES.items()},
        **dict(LOSSES.items()),
        **{death.name.replace("_", " ").lower(): verdict for death, verdict in DEATHS.items()},
    }
    expected = {name: (verdict.proof.value, verdict.again.value) for name, verdict in names.items()}
    assert {name: said.get(name) for name in expected} == expected


# -- what the ledger and the gate do -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "outcome", [sample for samples in SUBMIT_SAMPLES.values() for sample in samples], ids=repr
)
def test_after_a_submit_the_gate_hands_a_job_out_again_only_as_the_table_says(
    x: Driver, tmp_path: Path, outcome: SubmitOutcome
) -> None:
    submit(x, tmp_path, outcome)
    hold_to(x, SUBMITS[type(outcome)])


@pytest.mark.parametrize("death", Death)
def test_after_a_workers_death_the_gate_hands_its_job_out_again_only_as_the_table_says(
    x: Driver, death: Death
) -> None:
    if death is Death.BEFORE_INTENT:
        x.granted()
    else:
        x.submitting()
    hold_to(x, DEATHS[death])


@pytest.mark.parametrize("kind", sorted(PAID_LOSSES))
def test_a_paid_loss_is_asked_for_and_never_bought_by_a_machine(x: Driver, kind: str) -> None:
    job = x.submitted(task="t-1")
    assert x.ledger.run(steps.fail(job.request_id, failure(kind=kind), task_id=job.task_id))
    hold_to(x, LOSSES[kind])
    assert x.state(rid("x")) is JobState.SUBMITTED, "the next run has asked for the old task"
    assert x.job(rid("x")).task_id == "t-1"


@pytest.mark.parametrize(("outcome", "again"), [("bought", False), ("leave", False), ("not_bought", True)])
def test_what_a_person_settles_is_sent_again_only_on_the_word_that_it_was_not_bought(
    x: Driver, outcome: SettledAs, *, again: bool
) -> None:
    x.unknown()
    task = "t-1" if outcome == "bought" else ""
    assert x.ledger.run(steps.settle(rid("x"), "a", outcome, by="ann", task_id=task)).kind == "settled"
    assert granted_again(x) is again
    if not again:
        assert not granted_to_the_next_run(x)


def test_a_task_under_way_or_without_an_answer_is_never_bought_again(x: Driver) -> None:
    job = x.submitted(task="t-1")
    for answered in (True, False):
        x.ledger.run(steps.defer(job.request_id, 1, answered=answered, task_id=job.task_id))
    hold_to(x, POLLS[PollFailed])
    assert POLLS[Pending].again is POLLS[PollFailed].again


def test_a_task_with_a_picture_is_never_bought_again(x: Driver) -> None:
    x.succeeded()
    hold_to(x, POLLS[Ended])


@pytest.mark.parametrize("kind", SubFailureKind)
def test_a_task_that_made_nothing_is_replaced_only_as_the_table_says_and_within_its_tries(
    kind: SubFailureKind,
) -> None:
    end = Ended(failures=(SubFailure(kind=kind, status="x"),))
    first = after_task(end, task_failures=0, max_attempts=3)
    assert isinstance(first, TryAgain) is (FAILURES[kind].again is Again.MACHINE)
    assert not isinstance(after_task(end, task_failures=2, max_attempts=3), TryAgain), "within its tries"
    with_picture = Ended(pictures=("p",), failures=end.failures)
    assert isinstance(after_task(with_picture, task_failures=0, max_attempts=3), Collect)
