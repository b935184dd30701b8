"""The records, from the manifest to the results: source, pair, row, job, picture, failure.

All are frozen and keyword-only. Times are milliseconds since the epoch on Redis' clock (`_ms`) or seconds (`_s`).
Those that are stored are a `Struct`: their field lists are the names in JSON and in Redis, `rename` says which differ, and
jobs.ledger.codec reads and writes all of them. So are those of which a large manifest makes a million: one is made in a
fifth of the time.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NewType

from msgspec import Struct

#: UUIDv5 of a pair; the job's key in the ledger and the `request_id` sent to HiDream.
RequestId = NewType("RequestId", str)
#: A manifest's run.
BatchId = NewType("BatchId", str)
#: HiDream's id of an accepted task.
TaskId = NewType("TaskId", str)


class Slot(StrEnum):
    """Where a picture goes in the request body; the order is HiDream's."""

    PERSON = "person"
    UPPER_CLOTHES = "upper_clothes"
    LOWER_CLOTHES = "lower_clothes"
    DRESS = "dress"


_SLOTS = tuple(Slot)


@dataclass(frozen=True, slots=True, kw_only=True)  # no Struct: a union takes only one of them
class Url:
    """A picture that HiDream fetches itself."""

    #: http or https, as the manifest says it.
    url: str


class LocalFile(Struct, frozen=True, kw_only=True, array_like=True):
    """A picture on our disk, sent as base64."""

    #: Absolute, resolved.
    path: str
    #: Hex digest of the content at planning time; the content is the identity, the path is not.
    sha256: str
    #: The size of the JPEG that is made of it and sent instead, pixels, `<width>x<height>`; empty: it is sent as it is.
    jpeg: str = ""

    @property
    def shown(self) -> str:
        """The path as text for people and files of text."""
        return shown(self.path)


def shown(name: str) -> str:
    r"""A file's name as text: bytes that are no UTF-8, which Python holds as half characters, as `\xe9`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


Source = Url | LocalFile


class Pair(Struct, frozen=True, kw_only=True):
    """What is bought: one person in one garment, or in an upper and a lower one."""

    person: Source
    upper_clothes: Source | None = None
    lower_clothes: Source | None = None
    #: Excludes the other two.
    dress: Source | None = None

    def slots(self) -> list[tuple[Slot, Source]]:
        """The filled slots in HiDream's order."""
        every = zip(_SLOTS, (self.person, self.upper_clothes, self.lower_clothes, self.dress), strict=True)
        return [each for each in every if each[1] is not None]  # type: ignore[misc]  # no tuple is made twice


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a batch's tables are written: so that the spreadsheet that made the manifest opens them by a double click."""

    delimiter: str = ","
    #: A mark before the text, by which a spreadsheet knows that it is UTF-8.
    bom: bool = False


class Row(Struct, frozen=True, kw_only=True):
    """One valid line of a manifest, its sources as written (not yet looked at on disk)."""

    #: 1-based, counting data rows (bad ones too).
    number: int
    #: Line in the file where the row begins, 1-based.
    line: int
    #: May be empty.
    sku: str
    #: Slot name → URL or path as written; only filled slots.
    inputs: dict[str, str]
    #: The manifest's own columns in their order, as written, those of `inputs` and `sku` among them.
    fields: dict[str, str]
    #: The file it stands in, of a batch of several.
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """One line of a manifest that cannot become a job."""

    number: int
    line: int
    #: Column name as the manifest has it; empty when the line as a whole is bad.
    column: str
    #: A sentence for the merchandiser.
    why: str
    sku: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    #: The file it stands in, of a batch of several.
    file: str = ""
    #: The picture that `why` begins with; empty when it begins with none.
    value: str = ""
    #: Slot name → URL or path, where they are known: the row itself is well, one of them is not.
    inputs: Mapping[str, str] = field(default_factory=dict)


class JobState(StrEnum):
    """Where a job stands; see docs/architecture.md for the arrows."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


#: States in which nothing more happens by itself.
FINAL_STATES = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.REJECTED, JobState.CANCELLED})


#: States in which a batch no longer waits for a job.
ENDED_STATES = FINAL_STATES | {JobState.UNKNOWN}


class Owner(StrEnum):
    """Who can fix a failure."""

    MERCH = "merch"
    OPS = "ops"
    VENDOR = "vendor"


#: Why nothing can be bought, as the breaker says it. The first ones only a person can put right: `hidream.pause_codes` may
#: name them, `vton run` ends with them, and `vton doctor` has advice for each (`ADVICE`); `vendor` may pass by itself.
PersonsReason = Literal["token", "credits", "module"]
PauseReason = Literal[PersonsReason, "vendor"]


class Failure(Struct, frozen=True, kw_only=True):
    """Why a row has no picture, and whose it is."""

    #: Stable word for programs, e.g. `moderated`, `picture_invalid`, `no_result`, `row_invalid`.
    kind: str
    #: HiDream's code or the HTTP status where there was one.
    code: int | None = None
    #: A sentence for people, without secrets.
    message: str
    #: Whether running it again may help.
    retryable: bool
    owner: Owner


#: Kinds of failure of a job whose task was bought and brought no picture, while HiDream has not said that it has none:
#: the old task is asked again before anything is bought. `PAID_LOSSES` in prelude.lua has the same.
PAID_LOSSES = frozenset(
    {"picture_lost", "picture_refused", "task_lost", "task_timeout", "status_unknown", "set_aside"}
)

#: The kind of failure of a pair that was bought, or may have been, before the ledger was pruned; admit.lua writes it.
BOUGHT_BEFORE = "bought_before"


class Picture(Struct, frozen=True, kw_only=True):
    """A result picture on disk, proven whole."""

    #: File name inside the picture store, `<sha256>.<jpg|png|webp>`.
    name: str
    #: Where it was downloaded from.
    url: str
    sha256: str
    #: Pixels.
    width: int
    height: int
    bytes: int


class FormerOrder(Struct, frozen=True, kw_only=True):
    """An order of a job that went on without it: it is still on HiDream's bill, or may be."""

    #: When its POST began; None: not known.
    posted_ms: int | None = None
    #: Which batch it counts for.
    batch: BatchId
    #: None: HiDream has named none.
    task_id: TaskId | None = None


#: What a person has found out about a POST without a clear answer.
SettledAs = Literal["bought", "not_bought", "leave"]


class Settlement(Struct, frozen=True, kw_only=True):
    """What a person says became of one POST of a job."""

    outcome: SettledAs
    #: HiDream's task, of what was bought.
    task_id: TaskId | None = None
    #: When that POST began; None: not known.
    posted_ms: int | None = None
    #: Which batch it counts for; None: not known.
    batch: BatchId | None = None
    #: Who says it, and when.
    by: str
    at_ms: int


#: Fields of a job that have other names in its hash.
_JOB_NAMES = {
    "sub_task_ids": "subs",
    "picture_urls": "urls",
    "past_task_ids": "past",
    "former_orders": "orders",
    "posted_ms": "begun_ms",
    "version": "v",
}


class Job(Struct, frozen=True, kw_only=True, rename=_JOB_NAMES):
    """A job as the ledger holds it."""

    request_id: RequestId
    state: JobState
    pair: Pair
    #: Batch → numbers of the rows that want this job.
    refs: Mapping[str, tuple[int, ...]]
    #: Tasks that HiDream has accepted.
    attempts: int = 0
    #: Tasks of this job that HiDream has failed.
    task_failures: int = 0
    task_id: TaskId | None = None
    sub_task_ids: tuple[str, ...] = ()
    #: Picture addresses of a task that has ended and is not yet collected.
    picture_urls: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    failure: Failure | None = None
    #: How the end was learnt: `poll` or `callback`.
    source: str = ""
    #: A callback has come that nobody has followed yet.
    hinted: bool = False
    polls: int = 0
    #: Polls without an answer since the last one with an answer.
    unanswered: int = 0
    #: When the first of these was.
    unanswered_ms: int | None = None
    #: When the first of an unbroken run of 404 polls was, while other tasks were answered; and the last one.
    missing_ms: int | None = None
    missed_ms: int | None = None
    #: Downloads of its pictures that have failed; what our own settings refuse is none.
    fetches: int = 0
    #: When the first of these was.
    fetch_failed_ms: int | None = None
    #: Since when our own settings have refused to fetch its pictures.
    refused_ms: int | None = None
    #: A status that nobody has documented, as its last answer had it; empty when it had none.
    odd: str = ""
    #: What its result lists while it lists fewer sub-tasks than were bought, and since when it has been the same.
    incomplete: str = ""
    incomplete_ms: int | None = None
    #: Errors of our own since the last answer that could be recorded.
    errors: int = 0
    #: Earlier tasks of this job, the oldest first: an id that HiDream gave is never forgotten.
    past_task_ids: tuple[str, ...] = ()
    #: Orders that it went on without, the oldest first.
    former_orders: tuple[FormerOrder, ...] = ()
    #: What persons have found out about its POSTs, the oldest first.
    settled: tuple[Settlement, ...] = ()
    queued_ms: int | None = None
    #: When its POST began.
    posted_ms: int | None = None
    submitted_ms: int | None = None
    #: When a task that had been given up was asked for again; None when it never was.
    asked_ms: int | None = None
    #: When HiDream last said that the task was not over.
    polled_ms: int | None = None
    #: When HiDream said the task was over.
    ended_ms: int | None = None
    finished_ms: int | None = None
    #: Counts transitions; an outbox entry of an older version is out of date.
    version: int = 0

    @property
    def paid_loss(self) -> bool:
        """Its task was bought and may still have its picture; `paid_loss` in prelude.lua says the same."""
        lost = self.failure is not None and self.failure.kind in PAID_LOSSES
        return lost and self.state is JobState.FAILED and self.task_id is not None

    @property
    def bought_before(self) -> bool:
        """It was bought, or may have been, and pruned since."""
        return (
            self.state is JobState.FAILED and self.failure is not None and self.failure.kind == BOUGHT_BEFORE
        )


#: Names in the gate's hash; `learnt()` in prelude.lua answers with all fields in their order.
_LATENCY_NAMES = {
    "mean": "lat_mean",
    "variance": "lat_var",
    "samples": "lat_n",
    "off_variance": "off_var",
    "predicted": "off_n",
}


class Latency(Struct, frozen=True, kw_only=True, rename=_LATENCY_NAMES):
    """How long the account's tasks take, learnt by every process together, as a log-normal."""

    #: Mean of ln(milliseconds).
    mean: float
    #: Variance of ln(milliseconds).
    variance: float
    #: Tasks it was learnt from.
    samples: int
    #: Share of the recent ends that a callback was the first to tell, 0 to 1.
    callback_share: float = 0.0
    #: How far off the ends were that a task's own progress predicted: mean and variance of ln(true ÷ predicted).
    off_mean: float = 0.0
    off_variance: float = 0.0
    #: Tasks whose progress predicted their end.
    predicted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """A batch in numbers. `counts` are rows by status and add up to `rows` once the batch is sealed."""

    batch_id: BatchId
    #: The producer has admitted the last row.
    sealed: bool
    #: Rows admitted, bad ones among them, and later versions of rows.
    rows: int
    #: Row status (a JobState, or `invalid`) → rows.
    counts: Mapping[str, int]
    #: Rows whose pair an earlier batch had already bought.
    reused: int
    #: Rows whose pair another row of this batch has.
    duplicate: int
    created_ms: int
    #: When the last row ended; None while the batch runs.
    completed_ms: int | None
    #: Of the rows, those that are later versions of others.
    retakes: int = 0
    #: Submits that count against its budget: those charged for sure and those perhaps charged.
    ordered: int = 0
    #: Of these, those whose task HiDream has named.
    charged_for_sure: int = 0
    #: Of these, those without a clear answer (yet).
    perhaps_charged: int = 0
    #: Submits that were counted and given back: nothing was bought by them for sure.
    refunded: int = 0

    @property
    def money(self) -> dict[str, int]:
        """Its submits by the words for money."""
        return {
            "ordered": self.ordered,
            "charged_for_sure": self.charged_for_sure,
            "perhaps_charged": self.perhaps_charged,
            "refunded": self.refunded,
        }

    @property
    def open(self) -> int:
        """Rows that will still change by themselves."""
        return sum(self.counts.get(state, 0) for state in JobState if state not in ENDED_STATES)

    @property
    def complete(self) -> bool:
        """Every row admitted and ended; `unknown` counts as ended, since only a callback or a person moves it."""
        return self.sealed and self.open == 0


class Image(Struct, frozen=True, kw_only=True):
    """A picture of a row; what a `Picture` is in the store."""

    #: In the batch folder, see image_path.
    path: str
    url: str
    sha256: str
    width: int
    height: int
    bytes: int
    #: Of AI origin, as HiDream has delivered it; see jobs.marks.found.
    marks: tuple[str, ...] = ()


class RowError(Struct, frozen=True, kw_only=True, rename={"kind": "class"}):
    """A Failure as results have it."""

    kind: str
    code: int | None = None
    message: str
    retryable: bool
    owner: Owner


class Timings(Struct, frozen=True, kw_only=True):
    """When a row's job went which step, ISO 8601 in UTC."""

    queued_at: str | None = None
    posted_at: str | None = None
    submitted_at: str | None = None
    finished_at: str | None = None
    #: How long its task took, s.
    task_s: float | None = None


class Inputs(Struct, frozen=True, kw_only=True):
    """Every slot's address or path; None for those that are not filled."""

    person: str | None = None
    upper_clothes: str | None = None
    lower_clothes: str | None = None
    dress: str | None = None


#: What a person says of a picture; `clear` takes an earlier word back.
Judgement = Literal["approve", "reject", "clear"]

#: Why a person rejects a picture, in the order of the keys 1 to 9; the names stand in review.csv and never change.
REJECT_REASONS = (
    "colour",
    "pattern_or_logo",
    "construction",
    "length_or_sleeve",
    "face",
    "hands",
    "background",
    "framing",
    "other",
)


class Verdict(Struct, frozen=True, kw_only=True):
    """What one person has said of one picture; it holds for this content, whichever rows have it."""

    #: The row at which it was given, and its job; other rows may have the same picture.
    row: int
    request_id: str = ""
    picture_sha256: str
    verdict: Judgement
    #: Of REJECT_REASONS; empty unless it is rejected.
    reasons: tuple[str, ...] = ()
    note: str = ""
    #: Who has said it, as they call themselves.
    reviewer: str
    #: ISO 8601 in UTC, with milliseconds.
    at: str


def standing(verdicts: Iterable[Verdict]) -> Verdict | None:
    """Which of the verdicts on one picture counts: the last; None when that took the earlier ones back."""
    last = max(verdicts, key=lambda one: (one.at, one.verdict, one.reviewer), default=None)
    return None if last is None or last.verdict == "clear" else last


class Settled(Struct, frozen=True, kw_only=True):
    """A Settlement as results have it; times are ISO 8601 in UTC."""

    outcome: SettledAs
    task_id: TaskId | None = None
    posted_at: str | None = None
    by: str
    at: str


def counting(pictures: Sequence[Sequence[str]], said: Callable[[str], Verdict | None]) -> int:
    """Which version of a row counts, by its place: the one approved last, else the newest that nobody has rejected.

    Are all rejected, the newest with a picture counts.

    Args:
        pictures: the SHA-256 of each version's pictures, the oldest version first; none as long as it has no picture.
        said: the verdict that stands on a picture.
    """

    def rank(place: int) -> tuple[int, str, int]:
        words = [said(sha256) for sha256 in pictures[place]]
        if any(word is not None and word.verdict == "reject" for word in words) or not words:
            return (1 if words else 0), "", place
        if all(word is not None for word in words):
            return 3, max(word.at for word in words if word is not None), place
        return 2, "", place

    best = max(range(len(pictures)), key=rank)
    return best if pictures[best] else 0


class Flag(Struct, frozen=True, kw_only=True):
    """What a computer has seen in a picture that a person should look at; docs/flags.md has them all."""

    #: One of the ids of jobs.flags.rules.
    id: str
    #: What was measured, and the limit that it is beyond.
    value: float
    limit: float
    #: The same in words.
    evidence: str


class FlagValues(Struct, frozen=True, kw_only=True):
    """What flags follow from, each in the unit of its limit; None when it could not be measured."""

    unchanged: float | None = None
    is_garment: float | None = None
    same_as_row: float | None = None
    blank: float | None = None
    dark: float | None = None
    grey: float | None = None
    blurred: float | None = None
    small: float | None = None
    aspect: float | None = None
    colour: float | None = None


class Version(Struct, frozen=True, kw_only=True):
    """One version of a row's picture in its history; what a ResultLine says of the one that counts."""

    #: 1, 2 …; the first is the pair's own job.
    version: int
    request_id: str
    status: str
    task_id: TaskId | None = None
    sub_task_ids: tuple[str, ...] = ()
    past_task_ids: tuple[str, ...] = ()
    attempts: int = 0
    images: tuple[Image, ...] = ()
    error: RowError | None = None
    timings: Timings = Timings()
    source: str | None = None
    #: What people have said of its pictures, the oldest first.
    review: tuple[Verdict, ...] = ()


class ResultLine(Struct, frozen=True, kw_only=True):
    """A result line: every line has the same keys in this order, and each key one JSON type or null."""

    batch: str
    #: The row's number, and its line in the manifest.
    row: int
    line: int = 0
    sku: str
    #: None for a bad row, or one that left its job.
    request_id: str | None = None
    #: A JobState, or `invalid`.
    status: str
    task_id: TaskId | None = None
    sub_task_ids: tuple[str, ...] = ()
    past_task_ids: tuple[str, ...] = ()
    attempts: int = 0
    images: tuple[Image, ...] = ()
    error: RowError | None = None
    timings: Timings = Timings()
    #: How the end was learnt, `poll` or `callback`, or `reused`; None without a picture.
    source: str | None = None
    inputs: Inputs = Inputs()
    #: The manifest's columns that pass through.
    extra: dict[str, str | None] = {}
    #: What people have said of its pictures, those it had before among them; the oldest first.
    review: tuple[Verdict, ...] = ()
    #: The flags of its first picture.
    flags: tuple[Flag, ...] = ()
    #: What was measured of it.
    measures: FlagValues = FlagValues()
    #: What persons have found out about its job's POSTs without a clear answer, the oldest first.
    settled: tuple[Settled, ...] = ()
    #: Which version of the row's picture this is.
    version: int = 1
    #: All of them, the oldest first; empty while there is one only.
    versions: tuple[Version, ...] = ()
    #: The manifest that the row stands in.
    file: str = ""
