"""When a task is asked for, and whether a failed one is tried again. Pure: no clock, no network, no log."""

import math
from dataclasses import dataclass

from jobs.config.settings import TaskSettings
from jobs.records import Failure, JobState, Latency
from worker.hidream.outcomes import Ended, SubFailureKind
from worker.hidream.results import job_failure

#: Samples before the learnt latency is believed more than the configured guess.
ENOUGH_SAMPLES = 3
#: Spread of ln(latency) while nothing is learnt.
GUESSED_SPREAD = 0.6
#: A spread below this is an accident of few samples.
LEAST_SPREAD = 0.04
#: The first poll comes when about one task in twelve is over.
FIRST_Z = -1.4
#: What one poll may cost in idle slot time, as a share of the median latency. About 12 polls a task; with 8 the slots
#: would be idle 1 % longer, and no limit on polls is known. `_POLLS_EACH` in jobs.config.settings follows from it: from
#: that the rate of polls is derived which a collect process may reach.
POLL_COST = 0.002
#: Until the latency is learnt a poll is cheaper than an idle slot: the first one comes so early, ms; each next one after
#: this share of the time waited, or after so many ms.
EARLY_MS = 1_000
EARLY_STEP_MS = 250
EARLY_GROWTH = 0.1
#: A task's own progress predicts its end. It is believed once it has predicted so many, and while that leaves less than
#: this share of the spread; then one early poll shows when to ask again.
ENOUGH_PREDICTED = 8
NARROWER = 0.5
PREDICTED_Z = -2.0
LEAST_OFF = 0.015
#: Progress below this says too little of the end.
LEAST_PROGRESS = 0.05
#: From here on (one task in 160 is slower) the log-normal is no longer believed and the distance grows with the time waited.
TAIL_Z = 2.5
TAIL_GROWTH = 0.1
#: Here the hazard's asymptote is as good as the formula, which runs out of digits.
FAR_Z = 6.0
#: With callbacks that arrive, polls only catch the lost ones; they are relied on while they tell so many of the ends.
CALLBACK_Z = 2.6
RELIABLE = 0.6
CALLBACK_GRACE_MS = 500
#: Bounds of the distance between two polls, ms.
SHORTEST_POLL_MS = 40
LONGEST_POLL_MS = 30_000

#: Waits after polls without an answer, doubling, ms; a task that is not known is asked for more often.
UNANSWERED_MS = 500
LONGEST_MISSING_MS = 5_000

#: Waits before a new task for a job whose task failed, doubling, ms.
AGAIN_MS = 2_000
LONGEST_AGAIN_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PollSchedule:
    """When a task is asked for: quiet until a result is plausible, dense where it is likely, backing off after."""

    tasks: TaskSettings

    def first_ms(self, latency: Latency | None, *, callbacks: bool) -> int:
        """From acceptance to the first poll."""
        mean, spread = self._shape(latency)
        if callbacks and self.relies_on_callbacks(latency):
            return int(math.exp(mean + CALLBACK_Z * spread)) + CALLBACK_GRACE_MS
        z = PREDICTED_Z if _predicts(latency) else FIRST_Z
        plausible = math.exp(mean + z * spread)
        return max(SHORTEST_POLL_MS, int(plausible if _learnt(latency) else min(EARLY_MS, plausible)))

    def relies_on_callbacks(self, latency: Latency | None) -> bool:
        """Whether callbacks have proven to arrive; until then, and when they stop, polls go on as if there were none."""
        return latency is not None and _learnt(latency) and latency.callback_share >= RELIABLE

    def next_ms(
        self,
        latency: Latency | None,
        elapsed_ms: float,
        *,
        predicted_ms: float | None = None,
        callbacks: bool = False,
    ) -> int:
        """From a poll that found the task under way, `elapsed_ms` after acceptance, to the next one.

        Args:
            latency: what the account's tasks have taught.
            elapsed_ms: since acceptance.
            predicted_ms: the task's whole time as its progress predicts it, see `predict_ms`.
            callbacks: the task has been given a callback address.
        """
        if callbacks and self.relies_on_callbacks(latency):
            until_lost = self.first_ms(latency, callbacks=True) - elapsed_ms
            if until_lost > SHORTEST_POLL_MS:
                return int(min(LONGEST_POLL_MS, until_lost))
        mean, spread = self._shape(latency)
        if latency is not None and predicted_ms is not None and _predicts(latency):
            mean = math.log(predicted_ms) + latency.off_mean
            spread = max(LEAST_OFF, math.sqrt(latency.off_variance))
        plausible = math.exp(mean + FIRST_Z * spread)
        tail = max(0.0, elapsed_ms - math.exp(mean + TAIL_Z * spread))
        # Keller's rule for inspections: their density goes with the root of the hazard rate.
        # (Asked before an end is plausible, as after a change of latency, there is no hazard yet to go by.)
        likely = math.sqrt(2 * POLL_COST * math.exp(mean) / _hazard(max(plausible, elapsed_ms), mean, spread))
        wait = max(plausible - elapsed_ms, likely, TAIL_GROWTH * tail)
        if not _learnt(latency):
            wait = min(wait, max(EARLY_STEP_MS, EARLY_GROWTH * elapsed_ms))
        return int(min(LONGEST_POLL_MS, max(SHORTEST_POLL_MS, wait)))

    def _shape(self, latency: Latency | None) -> tuple[float, float]:
        if latency is None or not _learnt(latency):
            return math.log(self.tasks.latency_s * 1000), GUESSED_SPREAD
        return latency.mean, max(LEAST_SPREAD, math.sqrt(latency.variance))


def predict_ms(progress: float | None, elapsed_ms: float) -> float | None:
    """A task's whole time if it goes on as it went so far; None when its progress tells nothing."""
    if progress is None or not LEAST_PROGRESS <= progress < 1 or elapsed_ms <= 0:
        return None
    return elapsed_ms / progress


def _learnt(latency: Latency | None) -> bool:
    return latency is not None and latency.samples >= ENOUGH_SAMPLES


def _predicts(latency: Latency | None) -> bool:
    """Whether tasks' progress has proven to predict their ends better than the account's latency does."""
    return (
        latency is not None
        and _learnt(latency)
        and latency.predicted >= ENOUGH_PREDICTED
        and latency.off_variance < NARROWER**2 * latency.variance
    )


def _hazard(at_ms: float, mean: float, spread: float) -> float:
    """How likely a log-normal task ends in the next ms, having lasted `at_ms`."""
    z = (math.log(at_ms) - mean) / spread
    if z > FAR_Z:
        return z / (spread * at_ms)
    density = math.exp(-z * z / 2) / (at_ms * spread * math.sqrt(2 * math.pi))
    return max(density / (math.erfc(z / math.sqrt(2)) / 2), 1e-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect:
    """The task brought pictures; `failure` tells of sub-tasks that did not."""

    picture_urls: tuple[str, ...]
    failure: Failure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TryAgain:
    """The task failed; one more is worth it."""

    wait_ms: int
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """The job ends without a picture."""

    state: JobState
    failure: Failure


def after_task(end: Ended, *, task_failures: int, max_attempts: int) -> Collect | TryAgain | GiveUp:
    """What becomes of a job whose task is over. `task_failures`: tasks of it that failed before this one."""
    if end.pictures:
        return Collect(picture_urls=end.pictures, failure=job_failure(end.failures) if end.failures else None)
    failure = job_failure(end.failures)
    kinds = {each.kind for each in end.failures}
    if SubFailureKind.MODERATED in kinds:
        return GiveUp(state=JobState.REJECTED, failure=failure)
    tries = {SubFailureKind.FAILED: max_attempts, SubFailureKind.NOTHING: min(2, max_attempts)}
    allowed = min((tries.get(kind, 1) for kind in kinds), default=2)
    if task_failures + 1 < allowed:
        return TryAgain(wait_ms=min(LONGEST_AGAIN_MS, AGAIN_MS * 2**task_failures), failure=failure)
    return GiveUp(state=JobState.FAILED, failure=failure)


def unanswered_ms(unanswered: int, retry_after_s: float | None, *, missing: bool) -> int:
    """The wait after a poll without an answer; `unanswered`: such polls in a row before it."""
    if retry_after_s is not None:
        return max(UNANSWERED_MS, int(retry_after_s * 1000))
    longest = LONGEST_MISSING_MS if missing else LONGEST_POLL_MS
    return int(min(longest, UNANSWERED_MS * 2 ** min(unanswered, 10)))
