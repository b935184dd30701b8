"""When a paid task is given up. Pure functions, so every case is a line of a table."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.config.settings import TaskSettings
from jobs.records import PAID_LOSSES, Owner
from worker.collect.giving_up import (
    COLLECT_PATIENCE_MS,
    DOUBT_MS,
    ENOUGH_ERRORS,
    ENOUGH_FETCHES,
    ENOUGH_UNANSWERED,
    LONGEST_REFETCH_MS,
    MANY_UNANSWERED,
    OUTAGE_PATIENCE_MS,
    PRESENT_MS,
    REFETCH_MS,
    FailedFetch,
    KeepAsking,
    Lost,
    NoAnswer,
    after_no_answer,
    after_own_error,
    outlasted,
    refetch_ms,
)

TASKS = TaskSettings(lost_after_s=60, give_up_s=1800)
NOW = 10_000_000
MINUTE, HALF_AN_HOUR = 60_000, 1_800_001


def ago(**ms: int | None) -> dict[str, Any]:
    return {name: None if each is None else NOW - each for name, each in ms.items()}


def facts(
    *,
    unanswered: int = 99,
    missing: bool = False,
    named: bool = False,
    auth: bool = False,
    **ms_ago: int | None,
) -> NoAnswer:
    """Facts whose times are told as so many ms ago."""
    times = ago(**({"since_ms": 0} | ms_ago))
    return NoAnswer(
        now_ms=NOW,
        reason="HTTP 5",
        unanswered=unanswered,
        missing=missing,
        named=named,
        auth=auth,
        **times,
    )


#: A task of its own that HiDream does not know: 404 for a minute, another task answered since the last one.
ALONE: dict[str, Any] = {
    "missing": True, "since_ms": MINUTE, "missing_ms": MINUTE, "missed_ms": 5_000, "answered_ms": 1_000,
}  # fmt: skip

#: A task whose id a person has given, and that HiDream does not know; nobody else is asked for.
NAMED: dict[str, Any] = {"named": True, "missing": True, "since_ms": MINUTE, "missing_ms": MINUTE}

TABLE = [
    ("404 alone for a minute, others answered", ALONE, "task_lost"),
    ("the same, asked too few times", ALONE | {"unanswered": ENOUGH_UNANSWERED - 1}, None),
    ("the same for less than lost_after_s", ALONE | {"missing_ms": MINUTE - 1}, None),
    ("the first 404", {"missing": True, "unanswered": 1, "answered_ms": 1_000}, None),
    ("others answered, but not since the last 404", ALONE | {"answered_ms": 6_000}, None),
    ("others answered once, long ago", ALONE | {"missed_ms": 40_000, "answered_ms": 30_000}, None),
    ("nobody else was ever answered", ALONE | {"answered_ms": None}, None),
    ("404 for a minute, but this is a 500", ALONE | {"missing": False}, None),
    ("404 over all tasks for ten minutes", ALONE | {"missing_ms": 0, "since_ms": 10 * MINUTE, "answered_ms": None}, None),
    ("a storm that is just over for others", ALONE | {"missing_ms": 4_000, "since_ms": 10 * MINUTE}, None),
    ("403 over all tasks for ten minutes", {"since_ms": 10 * MINUTE}, None),
    ("no answer for half an hour", {"since_ms": HALF_AN_HOUR}, "task_timeout"),
    ("no answer for half an hour, others answered", {"since_ms": HALF_AN_HOUR, "answered_ms": 0}, "task_timeout"),
    ("only 404 for half an hour, nobody else there", {"missing": True, "since_ms": HALF_AN_HOUR}, "task_lost"),
    ("two polls, half an hour apart", {"since_ms": HALF_AN_HOUR, "unanswered": MANY_UNANSWERED - 1}, None),
    ("the token refused for half an hour", {"auth": True, "since_ms": HALF_AN_HOUR}, None),
    ("the token refused, others answered", {"auth": True, "since_ms": HALF_AN_HOUR, "answered_ms": 0}, "task_timeout"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "known", "kind"), TABLE, ids=[line[0] for line in TABLE])
def test_when_a_task_without_an_answer_is_given_up(
    case: str, known: dict[str, Any], kind: str | None
) -> None:
    verdict = after_no_answer(facts(**known), TASKS)
    assert (verdict.kind if isinstance(verdict, Lost) else None) == kind, case


def test_every_loss_keeps_its_task_to_be_asked_again() -> None:
    lost = [
        after_no_answer(facts(**ALONE), TASKS),
        after_no_answer(facts(since_ms=HALF_AN_HOUR), TASKS),
        outlasted(HALF_AN_HOUR, TASKS),
        outlasted(HALF_AN_HOUR, TASKS, odd="5"),
        after_own_error(ENOUGH_ERRORS, 0, "why", TASKS),
    ]
    assert all(isinstance(each, Lost) and each.kind in PAID_LOSSES for each in lost)


def test_an_outage_is_told_from_a_loss() -> None:
    outage = after_no_answer(facts(since_ms=HALF_AN_HOUR), TASKS)
    alone = after_no_answer(facts(since_ms=HALF_AN_HOUR, answered_ms=0), TASKS)
    assert isinstance(outage, Lost)
    assert isinstance(alone, Lost)
    assert (outage.outage, alone.outage) == (True, False)


def test_a_run_of_404_begins_anew_while_nobody_is_answered() -> None:
    known = ALONE | {"missing_ms": 30_000}
    assert after_no_answer(facts(**known), TASKS) == KeepAsking(missing_since_ms=NOW - 30_000)
    for answered_ms in (PRESENT_MS + 1, None):
        verdict = after_no_answer(facts(**known | {"answered_ms": answered_ms}), TASKS)
        assert isinstance(verdict, KeepAsking)
        assert verdict.missing_since_ms == NOW
    assert after_no_answer(facts(**known | {"missing": False}), TASKS) == KeepAsking()


@pytest.mark.parametrize(
    ("since_ms", "answered_ms", "outage"),
    [
        (DOUBT_MS, None, False),
        (DOUBT_MS + 1, None, True),
        (DOUBT_MS + 1, DOUBT_MS, False),
        (10 * MINUTE, DOUBT_MS + 1, True),
    ],
)
def test_a_silence_of_a_minute_stops_the_buying(since_ms: int, answered_ms: int | None, outage: bool) -> None:
    verdict = after_no_answer(facts(since_ms=since_ms, answered_ms=answered_ms), TASKS)
    assert isinstance(verdict, KeepAsking)
    assert verdict.outage is outage


ms = st.integers(0, 10**8)


@given(
    st.fixed_dictionaries(
        {
            "unanswered": st.integers(1, 100),
            "missing": st.booleans(),
            "auth": st.booleans(),
            "since_ms": ms,
            "missing_ms": st.none() | ms,
            "missed_ms": st.none() | ms,
        }
    )
)
def test_a_storm_loses_nothing_before_it_has_outlasted_all_patience(known: dict[str, Any]) -> None:
    verdict = after_no_answer(facts(**known), TASKS)
    assert isinstance(verdict, KeepAsking) or known["since_ms"] > TASKS.give_up_s * 1000


def test_a_task_under_way_is_given_up_when_its_time_is_over() -> None:
    assert outlasted(HALF_AN_HOUR - 1, TASKS) is None
    over, odd = outlasted(HALF_AN_HOUR, TASKS), outlasted(HALF_AN_HOUR, TASKS, odd="5")
    assert over is not None
    assert odd is not None
    assert (over.kind, odd.kind, "status 5" in odd.why) == ("task_timeout", "status_unknown", True)


@given(ms, st.integers(1, 5), st.one_of(st.none(), ms))
def test_pictures_are_fetched_again_long_enough_and_often_enough(
    waited_ms: int, fetches: int, fetched_ms: int | None
) -> None:
    known = FailedFetch(now_ms=NOW, fetches=fetches, since_ms=NOW - waited_ms, **ago(fetched_ms=fetched_ms))
    others = fetched_ms is not None and fetched_ms < waited_ms
    patience_ms = COLLECT_PATIENCE_MS if others else OUTAGE_PATIENCE_MS
    wait_ms = refetch_ms(known)
    assert (wait_ms is None) == (waited_ms > patience_ms and fetches >= ENOUGH_FETCHES)
    assert wait_ms is None or REFETCH_MS <= wait_ms <= LONGEST_REFETCH_MS
    assert known.doubtful == (waited_ms > DOUBT_MS and fetches >= ENOUGH_FETCHES and not others)


@given(st.integers(1, 10), st.floats(0, 1e8))
def test_errors_of_our_own_are_bounded(errors: int, elapsed_ms: float) -> None:
    verdict = after_own_error(errors, elapsed_ms, "why", TASKS)
    if errors >= ENOUGH_ERRORS or elapsed_ms > TASKS.give_up_s * 1000:
        assert isinstance(verdict, Lost)
        assert (verdict.kind, verdict.failure().owner) == ("set_aside", Owner.OPS)
    else:
        assert isinstance(verdict, int)
        assert 1_000 <= verdict <= 8_000


def test_a_task_id_that_a_person_has_mistyped_is_no_outage_and_is_theirs_to_put_right() -> None:
    waits = after_no_answer(facts(**NAMED | {"missing_ms": MINUTE - 1}), TASKS)
    assert waits == KeepAsking(missing_since_ms=NOW - MINUTE + 1, outage=False)
    assert isinstance(after_no_answer(facts(**NAMED | {"unanswered": 1}), TASKS), KeepAsking)
    given_up = after_no_answer(facts(**NAMED), TASKS)
    assert isinstance(given_up, Lost)
    assert (given_up.kind, given_up.outage, given_up.failure().owner) == ("task_lost", False, Owner.OPS)
    assert "settle" in given_up.why


def test_any_other_silence_of_a_task_that_a_person_has_named_is_as_of_any_task() -> None:
    silent = after_no_answer(facts(named=True, since_ms=DOUBT_MS + 1), TASKS)
    assert silent == KeepAsking(outage=True)
