"""When to ask, whether to try again. Pure functions, so every answer is in a table or a property."""

import math
from statistics import NormalDist, fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.config.settings import _POLLS_EACH, TaskSettings
from jobs.records import Failure, JobState, Latency, Owner
from worker.collect.schedule import (
    AGAIN_MS,
    EARLY_MS,
    ENOUGH_SAMPLES,
    LONGEST_AGAIN_MS,
    LONGEST_MISSING_MS,
    LONGEST_POLL_MS,
    RELIABLE,
    SHORTEST_POLL_MS,
    UNANSWERED_MS,
    Collect,
    GiveUp,
    PollSchedule,
    TryAgain,
    after_task,
    predict_ms,
    unanswered_ms,
)
from worker.hidream.outcomes import Ended, SubFailure, SubFailureKind

SCHEDULE = PollSchedule(tasks=TaskSettings(latency_s=12))


def learnt(
    median_ms: float,
    spread: float,
    *,
    samples: int = 50,
    callback_share: float = 0.0,
    off: float = 1.0,
    predicted: int = 0,
) -> Latency:
    return Latency(
        mean=math.log(median_ms),
        variance=spread * spread,
        samples=samples,
        callback_share=callback_share,
        off_variance=off * off,
        predicted=predicted,
    )


latencies = st.one_of(
    st.none(),
    st.builds(
        learnt,
        st.floats(1, 3_000_000),
        st.floats(0, 3),
        samples=st.integers(1, 1_000),
        callback_share=st.floats(0, 1),
        off=st.floats(0, 2),
        predicted=st.integers(0, 100),
    ),
)


@given(latencies, st.floats(0, 1e8), st.one_of(st.none(), st.floats(0, 1)), st.booleans())
def test_polls_are_never_too_dense_nor_too_rare(
    latency: Latency | None, elapsed_ms: float, progress: float | None, callbacks: bool
) -> None:
    predicted_ms = predict_ms(progress, elapsed_ms)
    wait_ms = SCHEDULE.next_ms(latency, elapsed_ms, predicted_ms=predicted_ms, callbacks=callbacks)
    assert SHORTEST_POLL_MS <= wait_ms <= LONGEST_POLL_MS
    assert SCHEDULE.first_ms(latency, callbacks=callbacks) >= SHORTEST_POLL_MS


def polls_until(latency: Latency | None, end_ms: float) -> tuple[int, float]:
    """How often a task that lasts so long is asked for, and for how long it stays unnoticed after its end, ms."""
    at, polls = float(SCHEDULE.first_ms(latency, callbacks=False)), 1
    while at < end_ms:
        at += SCHEDULE.next_ms(latency, at)
        polls += 1
    return polls, at - end_ms


@given(st.floats(2_000, 200_000), st.floats(0.05, 0.6), st.floats(-1.2, 2.5))
def test_an_end_where_ends_are_likely_is_noticed_soon(median_ms: float, spread: float, z: float) -> None:
    _, late_ms = polls_until(learnt(median_ms, spread), median_ms * math.exp(z * spread))
    assert late_ms <= 0.1 * median_ms + 2 * SHORTEST_POLL_MS


@pytest.mark.parametrize(
    ("median_ms", "spread"), [(2_000, 0.3), (12_000, 0.2), (12_000, 0.6), (110_000, 0.4)]
)
def test_a_night_of_tasks_costs_few_polls_and_little_idle_time(median_ms: float, spread: float) -> None:
    ends = [
        median_ms * math.exp(NormalDist().inv_cdf((number + 0.5) / 400) * spread) for number in range(400)
    ]
    told = [polls_until(learnt(median_ms, spread), end) for end in ends]
    assert fmean(polls for polls, _ in told) <= 25
    assert fmean(late_ms for _, late_ms in told) <= 0.05 * median_ms


@pytest.mark.parametrize(
    ("median_ms", "spread"),
    [
        (1_000, 0.3),
        (2_000, 0.3),
        (12_000, 0.04),
        (12_000, 0.2),
        (12_000, 0.6),
        (110_000, 0.4),
        (600_000, 0.3),
    ],
)
def test_a_picture_needs_no_more_polls_on_the_mean_than_the_rate_of_polls_is_derived_from(
    median_ms: float, spread: float
) -> None:
    ends = (
        median_ms * math.exp(NormalDist().inv_cdf((number + 0.5) / 400) * spread) for number in range(400)
    )
    assert fmean(polls_until(learnt(median_ms, spread), end)[0] for end in ends) <= _POLLS_EACH


def test_nothing_is_asked_before_a_result_is_plausible() -> None:
    latency = learnt(12_000, 0.3)
    first = SCHEDULE.first_ms(latency, callbacks=False)
    assert 0.04 < NormalDist(math.log(12_000), 0.3).cdf(math.log(first)) < 0.2
    assert SCHEDULE.next_ms(latency, 100) >= first - 200


def test_a_task_slower_than_all_others_is_asked_for_ever_more_rarely() -> None:
    latency = learnt(12_000, 0.3)
    waits = [SCHEDULE.next_ms(latency, elapsed) for elapsed in (30_000, 60_000, 120_000, 300_000, 1_500_000)]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_POLL_MS


def test_polls_are_early_until_enough_is_learnt() -> None:
    assert SCHEDULE.first_ms(None, callbacks=False) == EARLY_MS
    assert SCHEDULE.first_ms(learnt(90_000, 0.2, samples=2), callbacks=False) == EARLY_MS
    assert SCHEDULE.first_ms(learnt(90_000, 0.2, samples=3), callbacks=False) > 60_000
    quicker = PollSchedule(tasks=TaskSettings(latency_s=1))
    assert quicker.first_ms(None, callbacks=False) < EARLY_MS / 2


#: Latency of tasks in s → how long their slots may stand idle after their ends, in s, and how often they may be asked for.
COLD = [(1, 0.26, 2), (2, 0.26, 6), (5, 0.6, 17), (12, 0.7, 28), (60, 1.1, 105)]


@pytest.mark.parametrize(("latency_s", "idle_s", "most_polls"), COLD)
def test_a_cold_start_leaves_no_slot_idle_for_long(latency_s: int, idle_s: float, most_polls: int) -> None:
    # Tasks of one length to 10 % more, so that no grid of polls is lucky.
    told = [polls_until(None, 1000 * latency_s * (1 + number / 200)) for number in range(20)]
    assert max(late_ms for _, late_ms in told) <= 1000 * idle_s
    assert max(polls for polls, _ in told) <= most_polls


@pytest.mark.parametrize("slots", [4, 10, 64])
def test_a_guess_six_times_too_long_costs_an_account_few_polls_and_little_idle_time(slots: int) -> None:
    """Tasks of about 2 s where 12 are guessed; every end teaches all that are under way."""
    ends = [2_000 * math.exp(NormalDist().inv_cdf((number + 0.5) / slots) * 0.35) for number in range(slots)]
    asked = [(SCHEDULE.first_ms(None, callbacks=False), end) for end in ends]
    latencies, unseen, polls_before = list[float](), list[float](), 0
    while asked:
        asked.sort(reverse=True)
        at, end = asked.pop()
        polls_before += len(latencies) < ENOUGH_SAMPLES
        if at >= end:
            latencies.append(math.log(end))
            unseen.append(at - end)
        else:
            known = (
                learnt(math.exp(fmean(latencies)), pstdev(latencies), samples=len(latencies))
                if latencies
                else None
            )
            asked.append((at + SCHEDULE.next_ms(known, at), end))
    assert max(unseen[:ENOUGH_SAMPLES]) <= 400
    assert fmean(unseen) <= 150
    assert polls_before <= max(slots, 32) * 3


def test_callbacks_are_relied_on_while_they_come() -> None:
    proven, unproven = (
        learnt(12_000, 0.3, callback_share=RELIABLE),
        learnt(12_000, 0.3, callback_share=RELIABLE - 0.01),
    )
    polled = SCHEDULE.first_ms(unproven, callbacks=True)
    assert polled == SCHEDULE.first_ms(proven, callbacks=False)
    assert SCHEDULE.first_ms(proven, callbacks=True) > 2 * polled
    assert SCHEDULE.first_ms(None, callbacks=True) == SCHEDULE.first_ms(None, callbacks=False)
    assert SCHEDULE.first_ms(learnt(12_000, 0.3, samples=2, callback_share=1), callbacks=True) < 12_000


def test_a_task_that_was_asked_for_before_callbacks_were_proven_waits_for_its_own() -> None:
    proven = learnt(12_000, 0.3, callback_share=1)
    waited = SCHEDULE.next_ms(proven, 9_000, callbacks=True)
    assert waited == SCHEDULE.first_ms(proven, callbacks=True) - 9_000
    assert SCHEDULE.next_ms(proven, 9_000) < waited
    overdue = SCHEDULE.first_ms(proven, callbacks=True) + 1
    assert SCHEDULE.next_ms(proven, overdue, callbacks=True) == SCHEDULE.next_ms(proven, overdue)


PROGRESSES = [(None, None), (0, None), (0.01, None), (0.5, 2_000), (0.25, 4_000), (1, None)]


@pytest.mark.parametrize(("progress", "predicted_ms"), PROGRESSES)
def test_progress_predicts_the_end(progress: float | None, predicted_ms: float | None) -> None:
    assert predict_ms(progress, 1_000) == predicted_ms


def test_progress_that_has_proven_to_predict_saves_polls_and_idle_time() -> None:
    proven = learnt(12_000, 0.35, off=0.01, predicted=20)

    def until(end_ms: float) -> tuple[int, float]:
        at, polls = float(SCHEDULE.first_ms(proven, callbacks=False)), 1
        while at < end_ms:
            at += SCHEDULE.next_ms(proven, at, predicted_ms=predict_ms(at / end_ms, at))
            polls += 1
        return polls, at - end_ms

    ends = [12_000 * math.exp(NormalDist().inv_cdf((number + 0.5) / 200) * 0.35) for number in range(200)]
    told = [until(end) for end in ends]
    assert fmean(polls for polls, _ in told) <= 5
    assert fmean(late_ms for _, late_ms in told) <= 0.015 * 12_000


@pytest.mark.parametrize(
    "latency", [learnt(12_000, 0.35, off=0.01, predicted=7), learnt(12_000, 0.35, off=0.2, predicted=50)]
)
def test_progress_is_not_believed_unless_it_has_predicted_better_than_the_latency_does(
    latency: Latency,
) -> None:
    assert SCHEDULE.next_ms(latency, 9_000, predicted_ms=30_000) == SCHEDULE.next_ms(latency, 9_000)


# -- after a task --------------------------------------------------------------------------------------------


def ended(*kinds: SubFailureKind, pictures: int = 0) -> Ended:
    return Ended(
        pictures=tuple(f"https://x/{number}.jpg" for number in range(pictures)),
        failures=tuple(SubFailure(kind=kind, status="3", message="said so") for kind in kinds),
    )


FAILED, MODERATED, NOTHING, UNLISTED = (
    SubFailureKind.FAILED,
    SubFailureKind.MODERATED,
    SubFailureKind.NOTHING,
    SubFailureKind.MISSING,
)


@pytest.mark.parametrize(
    ("end", "failures_before", "verdict"),
    [
        (ended(FAILED), 0, TryAgain),
        (ended(FAILED), 1, TryAgain),
        (ended(FAILED), 2, JobState.FAILED),
        (ended(NOTHING), 0, TryAgain),
        (ended(NOTHING), 1, JobState.FAILED),
        (ended(UNLISTED), 0, JobState.FAILED),
        (ended(MODERATED), 0, JobState.REJECTED),
        (ended(FAILED, MODERATED), 0, JobState.REJECTED),
        (ended(FAILED, NOTHING), 1, JobState.FAILED),
        (ended(FAILED, UNLISTED), 0, JobState.FAILED),
        (ended(UNLISTED, pictures=1), 0, Collect),
        (ended(), 0, TryAgain),
        (ended(), 1, JobState.FAILED),
        (ended(pictures=1), 0, Collect),
        (ended(pictures=2), 9, Collect),
        (ended(FAILED, pictures=1), 0, Collect),
        (ended(MODERATED, pictures=1), 0, Collect),
    ],
)
def test_what_becomes_of_a_job_after_its_task(end: Ended, failures_before: int, verdict: object) -> None:
    found = after_task(end, task_failures=failures_before, max_attempts=3)
    if isinstance(verdict, JobState):
        assert isinstance(found, GiveUp)
        assert found.state is verdict
    else:
        assert isinstance(found, verdict)  # type: ignore[arg-type]


def test_a_partial_result_keeps_its_pictures_and_tells_what_is_missing() -> None:
    found = after_task(ended(MODERATED, pictures=2), task_failures=0, max_attempts=3)
    assert isinstance(found, Collect)
    assert found.picture_urls == ("https://x/0.jpg", "https://x/1.jpg")
    assert isinstance(found.failure, Failure)
    assert (found.failure.kind, found.failure.owner) == ("moderated", Owner.MERCH)


def test_one_attempt_is_one_attempt() -> None:
    for kind in SubFailureKind:
        assert isinstance(after_task(ended(kind), task_failures=0, max_attempts=1), GiveUp)


@given(
    st.integers(0, 40), st.integers(1, 50), st.lists(st.sampled_from(SubFailureKind), min_size=1, max_size=4)
)
def test_attempts_are_bounded_and_their_waits_too(
    failures_before: int, max_attempts: int, kinds: list[SubFailureKind]
) -> None:
    found = after_task(ended(*kinds), task_failures=failures_before, max_attempts=max_attempts)
    if isinstance(found, TryAgain):
        assert failures_before + 1 < max_attempts
        assert AGAIN_MS <= found.wait_ms <= LONGEST_AGAIN_MS
    else:
        assert isinstance(found, GiveUp)


@given(st.integers(0, 10**6), st.booleans())
def test_polls_without_an_answer_back_off(unanswered: int, missing: bool) -> None:
    wait_ms = unanswered_ms(unanswered, None, missing=missing)
    assert unanswered_ms(0, None, missing=missing) <= wait_ms
    assert wait_ms <= unanswered_ms(unanswered + 1, None, missing=missing)
    assert wait_ms <= (LONGEST_MISSING_MS if missing else LONGEST_POLL_MS)


def test_hidreams_own_word_on_when_to_ask_again_counts() -> None:
    assert unanswered_ms(9, 2.5, missing=False) == 2_500
    assert unanswered_ms(0, 0, missing=False) == UNANSWERED_MS
