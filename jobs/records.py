"""The records that travel the road: source, pair, row, job, picture, failure.

All are frozen and keyword-only. Times are milliseconds since the epoch on Redis' clock (`_ms`) or seconds (`_s`).
Those that are stored say so by being a `Struct`: their field lists are the names in JSON and in Redis, `rename` says which
differ, and jobs.ledger.codec reads and writes all of them.
"""

from collections.abc import Mapping
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
        return [(slot, source) for slot, source in every if source is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a batch's tables are written: so that the spreadsheet that made the manifest opens them by a double click."""

    delimiter: str = ","
    #: A mark before the text, by which a spreadsheet knows that it is UTF-8.
    bom: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One valid line of a manifest, its sources as written (not yet looked at on disk)."""

    #: 1-based, counting data rows (bad ones too).
    number: int
    #: Line in the file where the row begins, 1-based.
    line: int
    #: May be empty.
    sku: str
    #: Slot name → URL or path as written; only filled slots.
    inputs: Mapping[str, str]
    #: The manifest's own columns in their order, as written, those of `inputs` and `sku` among them.
    fields: Mapping[str, str]


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


#: Fields of a job that have other names in its hash.
_JOB_NAMES = {
    "sub_task_ids": "subs",
    "picture_urls": "urls",
    "past_task_ids": "past",
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
    #: Rows admitted, bad ones among them.
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
    #: Submits that count against its budget: those charged for sure and those perhaps charged.
    ordered: int = 0
    #: Of these, those whose task HiDream has named.
    charged_for_sure: int = 0
    #: Of these, those without a clear answer (yet).
    perhaps_charged: int = 0
    #: Submits that were counted and given back: nothing was bought by them for sure.
    refunded: int = 0

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
