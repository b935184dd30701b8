"""What is known of batches, account and processes at one moment; jobs.health.reading reads it."""

from collections.abc import Mapping

from msgspec import Struct

from jobs.health.account import LOST_ACTION
from jobs.health.typed import as_typed
from jobs.ledger.records import GateState, Heartbeat
from jobs.records import BatchId, BatchStatus, JobState, Owner


class Ended(Struct, frozen=True, kw_only=True):
    """One job that has ended."""

    at_ms: int
    #: None: it was not asked for; then nothing is known of why either.
    state: JobState | None = None
    #: Why it has no picture; empty when it has one.
    kind: str = ""
    owner: Owner = Owner.OPS

    @property
    def bad(self) -> bool:
        """Whether it ended without its picture, and nobody has wanted that."""
        return self.state not in {None, JobState.SUCCEEDED, JobState.CANCELLED}


class Facts(Struct, frozen=True, kw_only=True):
    """What is known at one moment. Counts are of the batches that are looked at, of the account where it is said so."""

    #: When it was read, on the ledger's clock.
    read_ms: int
    #: The account's limits.
    in_flight: int
    per_minute: float
    #: How long a task takes, s: as learnt, else as configured.
    latency_s: float
    #: Commands that are advised are for a simulated shop.
    simulated: bool = False
    #: Why the ledger cannot be the one of last time; empty when it can.
    lost: str = ""
    #: What a person does about that; empty when `lost` says it.
    lost_action: str = LOST_ACTION
    #: Whether callbacks are to come.
    callbacks: bool = False
    #: By when the backlog is to be empty, as whoever asks has said; None: nobody has.
    deadline_ms: int | None = None
    #: By when open batches are to be over, as their runs have said.
    deadlines: Mapping[BatchId, int] = {}
    gate: GateState = GateState()
    #: Pictures counted against today's budget of the account.
    spent_today: int = 0
    #: Which budget keeps jobs waiting; empty when none does.
    budget: str = ""
    processes: tuple[Heartbeat, ...] = ()
    batches: tuple[BatchStatus, ...] = ()
    #: When a manifest was last given for a batch, unless it was cancelled; and since when a batch has something to write.
    given_ms: Mapping[BatchId, int] = {}
    unwritten: Mapping[BatchId, float] = {}
    #: What stands behind `vton run` for a batch, where it is known, see jobs.health.typed.
    typed: Mapping[BatchId, tuple[str, ...]] = {}
    #: Jobs in line, by batch, of the account; and since when the next ones of the lines wait; None: none does.
    waiting: Mapping[BatchId, int] = {}
    queued_ms: int | None = None
    #: Jobs that wait to be submitted, and those among them that may go before the last of these: batches take turns.
    queued: int = 0
    ahead: int = 0
    #: Parallel tasks of the account that are in use.
    slots: int = 0
    #: Tasks of the account whose end is waited for, and for how long the first of them has been due, ms.
    tasks: int = 0
    overdue_ms: int = 0
    #: For how long the first request of the account has been without an answer beyond all patience, ms.
    unanswered_ms: int = 0
    #: Jobs that may have been bought, and since when the first of them has been so.
    unknown: int = 0
    unknown_ms: int | None = None
    #: The newest ends, the newest first.
    ends: tuple[Ended, ...] = ()

    @property
    def open_rows(self) -> int:
        """Rows that will still change by themselves."""
        return sum(batch.open for batch in self.batches)

    def before(self, own: int) -> int:
        """Jobs of all lines that may go before the last of `own` jobs of one batch."""
        return min(sum(self.waiting.values()), own * len(self.waiting))

    @property
    def begun_ms(self) -> int:
        """Since when there has been something to do: the oldest batch that is open."""
        return min((batch.created_ms for batch in self.open_batches), default=self.read_ms)

    @property
    def named(self) -> str:
        """The batch that a command is advised for: the only one, or a place for its name."""
        names = [batch.batch_id for batch in self.open_batches or self.batches]
        return names[0] if len(names) == 1 else "BATCH"

    @property
    def run(self) -> str:
        """`vton run …` of that batch, with every word it was given with: without `--again` it would be another batch."""
        return as_typed(self.typed.get(BatchId(self.named), ()), simulated=self.simulated)

    @property
    def open_batches(self) -> tuple[BatchStatus, ...]:
        """Those with such rows, or of which more rows may come."""
        return tuple(batch for batch in self.batches if not batch.complete)
