"""When a paid task is given up. Pure: facts in, a decision out.

What everybody suffers is an outage, and costs no task; a task is lost only when it alone is silent, or when the silence has
outlasted all patience. What is lost keeps its task id and is asked for again by the next run.
"""

from dataclasses import dataclass

from jobs.config.settings import TaskSettings
from jobs.records import Failure, Owner

#: Polls in a row that say 404 before a task is lost; and without any answer before it is given up.
ENOUGH_UNANSWERED = 3
MANY_UNANSWERED = 20
#: What was heard of others so long ago is still the present, ms.
PRESENT_MS = 20_000
#: From here on a silence stops the buying, and a picture that nobody can fetch does, ms.
DOUBT_MS = 60_000
#: A result that lists fewer sub-tasks than were bought, and the same ones for so long, is all there is, ms; and the longest
#: distance between its polls meanwhile, ms.
INCOMPLETE_MS = 30_000
INCOMPLETE_POLL_MS = 6_000

#: How long pictures are fetched at all while others are, and while no picture is fetched by anybody, ms.
COLLECT_PATIENCE_MS = 900_000
OUTAGE_PATIENCE_MS = 3_600_000
#: The same where a setting decides: somebody must come first, and nothing is bought meanwhile.
PERSON_PATIENCE_MS = 86_400_000
#: Downloads that must have failed before a paid picture is given up.
ENOUGH_FETCHES = 3
#: Waits before pictures are fetched again, as long as it has been tried already, ms.
REFETCH_MS = 500
LONGEST_REFETCH_MS = 30_000

#: Errors of our own in a row before a job is set aside; waits after them, doubling, ms.
ENOUGH_ERRORS = 5
ERROR_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The task is given up; its id is kept."""

    kind: str
    why: str
    #: Nobody else is heard of either: it is an outage, and says nothing of the account.
    outage: bool = False
    #: Its id is a person's, who can name another.
    named: bool = False

    def failure(self) -> Failure:
        """As the ledger keeps it."""
        ours = self.named or self.kind in {"set_aside", "picture_refused"}
        owner = Owner.OPS if ours else Owner.VENDOR
        return Failure(kind=self.kind, message=self.why, retryable=True, owner=owner)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAsking:
    """The task may be fine."""

    #: Since when HiDream does not know it while it knows others; None: it has not said so.
    missing_since_ms: int | None = None
    #: Nobody has been answered for a while: nothing more is to be bought.
    outage: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """A poll without a usable answer, and what is known beside it. Times are Redis' own, in ms."""

    now_ms: int
    #: HiDream's reason in our words.
    reason: str
    #: It was a 404.
    missing: bool = False
    #: HiDream has not named the task: a person has, who may have mistyped it.
    named: bool = False
    #: The token was refused: a person's to put right.
    auth: bool = False
    #: Polls of this task without an answer, this one among them, and when the first was.
    unanswered: int
    since_ms: int
    #: See `Job.missing_ms` and `Job.missed_ms`.
    missing_ms: int | None = None
    missed_ms: int | None = None
    #: When another task was last answered.
    answered_ms: int | None = None


def after_no_answer(facts: NoAnswer, tasks: TaskSettings) -> KeepAsking | Lost:
    """Whether a task that was not answered is given up.

    404 counts while others are answered: for `lost_after_s` nothing else, and another task answered since the 404 before it.
    Any silence, of whatever kind, counts up to `give_up_s`; a refused token does only while others are answered.
    A 404 of a task that a person has named says nothing of HiDream: it counts by itself, and is no outage.
    """
    if facts.named and facts.missing:
        return _after_missing_name(facts, tasks)
    heard_ms = facts.answered_ms
    others = heard_ms is not None and facts.now_ms - heard_ms <= PRESENT_MS
    since_ms = None
    if facts.missing:
        since_ms = facts.missing_ms if others and facts.missing_ms is not None else facts.now_ms
        witnessed = heard_ms is not None and facts.missed_ms is not None and heard_ms > facts.missed_ms
        long_enough = facts.now_ms - since_ms >= tasks.lost_after_s * 1000
        if witnessed and long_enough and facts.unanswered >= ENOUGH_UNANSWERED:
            return Lost(kind="task_lost", why="HiDream does not know the task any more, and knows others")
    silent_ms = facts.now_ms - facts.since_ms
    if (
        silent_ms > tasks.give_up_s * 1000
        and facts.unanswered >= MANY_UNANSWERED
        and (others or not facts.auth)
    ):
        kind = "task_lost" if facts.missing else "task_timeout"
        why = f"HiDream has said nothing of the task for {silent_ms // 1000} s: {facts.reason}"
        return Lost(kind=kind, why=why, outage=not others)
    heard = heard_ms is not None and facts.now_ms - heard_ms <= DOUBT_MS
    return KeepAsking(missing_since_ms=since_ms, outage=silent_ms > DOUBT_MS and not heard)


def _after_missing_name(facts: NoAnswer, tasks: TaskSettings) -> KeepAsking | Lost:
    since_ms = facts.now_ms if facts.missing_ms is None else facts.missing_ms
    if facts.now_ms - since_ms < tasks.lost_after_s * 1000 or facts.unanswered < ENOUGH_UNANSWERED:
        return KeepAsking(missing_since_ms=since_ms)
    why = "HiDream does not know the task that a person has named; vton settle --force names another, or takes it back"
    return Lost(kind="task_lost", why=why, named=True)


def outlasted(elapsed_ms: float, tasks: TaskSettings, *, odd: str = "") -> Lost | None:
    """Whether a task that HiDream says is under way has had its time. `odd`: the undocumented status it has."""
    if elapsed_ms <= tasks.give_up_s * 1000:
        return None
    seconds = int(elapsed_ms // 1000)
    if odd:
        why = f"HiDream says the status {odd} of it, which nobody has documented, for {seconds} s"
        return Lost(kind="status_unknown", why=why)
    return Lost(kind="task_timeout", why=f"HiDream has not ended the task within {seconds} s")


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedFetch:
    """A download that failed. Times are Redis' own, in ms."""

    now_ms: int
    #: Of this job, this one among them, and when the first was.
    fetches: int
    since_ms: int
    #: When a picture of any job was last fetched.
    fetched_ms: int | None = None

    @property
    def outage(self) -> bool:
        """Nobody has fetched a picture since."""
        return self.fetched_ms is None or self.fetched_ms <= self.since_ms

    @property
    def doubtful(self) -> bool:
        """It has lasted: nothing more is to be bought until a picture arrives."""
        lasted = self.now_ms - self.since_ms > DOUBT_MS
        return lasted and self.outage and self.fetches >= ENOUGH_FETCHES


def refetch_ms(facts: FailedFetch) -> int | None:
    """The wait before pictures are fetched again; None: they are given up."""
    waited_ms = facts.now_ms - facts.since_ms
    patience_ms = OUTAGE_PATIENCE_MS if facts.outage else COLLECT_PATIENCE_MS
    if waited_ms > patience_ms and facts.fetches >= ENOUGH_FETCHES:
        return None
    return int(min(LONGEST_REFETCH_MS, max(REFETCH_MS, waited_ms)))


def after_own_error(errors: int, elapsed_ms: float, why: str, tasks: TaskSettings) -> int | Lost:
    """The wait before a job is attended to again after its `errors`-th error of ours in a row, in ms; or it is set aside."""
    if errors >= ENOUGH_ERRORS or elapsed_ms > tasks.give_up_s * 1000:
        return Lost(kind="set_aside", why=f"an error of our own, {errors} times: {why}")
    return int(ERROR_MS * 2 ** (errors - 1))
