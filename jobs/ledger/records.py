"""The records that only the ledger holds; those that travel on are in jobs.records."""

from typing import Literal

from msgspec import Struct

from jobs.records import BatchId, RequestId, TaskId


class ScriptFields(Struct, frozen=True, kw_only=True):
    """The rest of a job's hash: what only the scripts of the ledger and the gate read."""

    #: The token of the last step, by which a repeated one is known.
    op: str = ""
    #: The batch in whose line it stands.
    batch: BatchId | None = None
    #: The token of the permit's holder; `was`: of a former one, whose late word still counts.
    claim: str = ""
    was: str = ""
    #: The number of its last order among all of the ledger.
    order: int | None = None
    #: Where and on which UTC day it was counted against budgets.
    paid_batch: BatchId | None = None
    paid_day: str = ""
    #: The batch to which its last POST was given back.
    given_back: BatchId | None = None
    #: A task that a callback has named while nobody could tell.
    hint_task: TaskId | None = None
    #: Its task's whole time as the task's progress predicted it.
    predicted_ms: int | None = None
    #: Refusals that are not its task's, the last of them, and those of them while other jobs were accepted.
    turned_away: int = 0
    turned_ms: int | None = None
    passed: int = 0
    #: The policy `resubmit` has sent it again.
    resubmitted: bool = False


class GateState(Struct, frozen=True, kw_only=True):
    """The account's gate as the ledger holds it; Latency and Heard are in the same hash."""

    #: Why a person or we have paused the account.
    paused: str | None = None
    #: Until when everybody waits, and since when; which effect of an answer it was, see give_back.lua, and its words.
    closed_until: float = 0
    closed_at: float = 0
    closed_by: str = ""
    closed_why: str = ""
    #: Why nothing can succeed: `token`, `credits`, `module` or `vendor`; its words, and since when.
    breaker: str | None = None
    breaker_why: str = ""
    breaker_since: float | None = None
    #: What it waits for, see doubt.lua; None: an accepted submit.
    breaker_by: str | None = None
    #: A poll's token was refused, no submit's.
    breaker_asked: bool = False
    #: The job that tries whether the breaker may close, when the next one may, and how long after this one.
    probe: RequestId | None = None
    probe_at: float | None = None
    probe_wait: float = 0
    #: Bad answers in a row, refusals in a row, and paid tasks lost in a row.
    streak: int = 0
    busy: int = 0
    lost: int = 0
    #: When a submit was last accepted, and when its POST had begun.
    last_accept: float = 0
    last_begun: float = 0
    #: Share of the permitted rate that is used, since when, and when the next submit may go.
    factor: float = 1
    factor_ms: float = 0
    tat: float = 0


class Heard(Struct, frozen=True, kw_only=True):
    """What HiDream has last said of any task, in the gate's hash too."""

    #: When a poll was last answered, and of which task; None before the first.
    answered_ms: int | None = None
    answered_by: TaskId | None = None
    #: When a picture was last fetched and kept.
    fetched_ms: int | None = None


class BadCell(Struct, frozen=True, kw_only=True):
    """Why a row cannot become a job."""

    #: Column name as the manifest has it; empty when the line as a whole is bad.
    column: str
    why: str


class RowRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row as the ledger holds it."""

    #: Its job; first, where the scripts find it. None for a bad row.
    job: RequestId | None = None
    line: int
    sku: str
    #: The manifest's own columns, as written.
    fields: dict[str, str]
    #: Slot → picture as written, when the fields only name the pictures.
    inputs: dict[str, str] | None = None
    bad: BadCell | None = None
    #: Of a later version: the row whose version it is, and which one; 0: a row of the manifest.
    of: int = 0
    version: int = 1
    #: The manifest that it stands in, of a batch of several; empty: the batch's own.
    file: str = ""


class BatchRecord(Struct, frozen=True, kw_only=True):
    """A batch as the ledger holds it."""

    created_ms: int
    #: The token that opened it, and its last exporter's.
    op: str = ""
    exporter: str = ""
    #: The manifest's name, and the digest of its content with the epoch.
    manifest: str = ""
    content: str = ""
    #: Where local pictures are looked for, see encode_path.
    folder: str = ""
    #: The manifest's own columns; empty when each row has its own.
    columns: tuple[str, ...] = ()
    delimiter: str = ","
    bom: bool = False
    #: Where its files belong, see jobs.results.output_place; empty: wherever workers write.
    output: str = ""
    #: What was typed behind `vton run` or `vton enqueue`, see jobs.cli.repeating and encode_path.
    words: tuple[str, ...] = ()
    #: Row status → rows; the hash has a field `n:<status>` for each.
    counts: dict[str, int] = {}
    #: All that count in `counts`; `retakes`: those of them that are later versions of others.
    rows: int = 0
    retakes: int = 0
    open: int = 0
    reused: int = 0
    duplicate: int = 0
    sealed: bool = False
    cancelled: bool = False
    #: By when the run that is at it is to be over, on the ledger's clock; None: it has no deadline.
    deadline_ms: int | None = None
    completed_ms: int | None = None
    #: When a manifest was last given for it.
    opened_ms: int | None = None
    #: It is being pruned, and what a person lets go with it, see prune_begin.lua.
    pruning: str = ""
    #: How often a chunk of rows has changed some of them, and what it was last fed with, see jobs.producing.fed.
    row_writes: int = 0
    fed: str = ""
    #: Submits counted against its budget, those of them whose task was named, and those given back.
    spent: int = 0
    #: None: opened by a version up to 0.1, which did not count it.
    charged: int | None = None
    refunded: int = 0


#: What a process does: `worker` takes both queues, `run` is `vton run` itself, `producer` reads a manifest.
Role = Literal["submit", "collect", "worker", "receiver", "run", "producer"]


class Heartbeat(Struct, frozen=True, kw_only=True):
    """What a process says of itself every few seconds. Spans of time, not moments: its host's clock may be another one."""

    role: Role
    host: str
    pid: int
    version: str
    #: Since its start.
    up_ms: int
    #: Since its last useful act: a submit, a poll, a callback that was answered; None before the first.
    idle_ms: int | None = None
    #: The batch that it is there for, of a run or a producer, and the time left until its deadline.
    batch: str = ""
    left_ms: int | None = None
    #: The name of its journal of orders, see jobs.ledger.intents; empty: it submits nothing.
    journal: str = ""
    #: When it said so; the ledger's own time, and not part of what is sent.
    at_ms: int = 0

    @property
    def name(self) -> str:
        """Which process it is, for people."""
        return f"{self.role} {self.host}:{self.pid}"
