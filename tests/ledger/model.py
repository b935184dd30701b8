"""What the ledger should hold after each step, told once more in plain Python."""

from collections.abc import Iterable
from dataclasses import dataclass, field

ENDED = frozenset({"succeeded", "failed", "rejected", "cancelled", "unknown"})


@dataclass
class Twin:
    """A job as it should be."""

    home: str
    refs: dict[str, list[int]]
    state: str = "queued"
    #: Batch in whose line it stands; None: in no line.
    line: str | None = None
    claim: str | None = None
    task: str | None = None
    hinted: bool = False
    #: Batch that paid for the task to come, while that may be taken back.
    paid: str | None = None
    attempts: int = 0
    failures: int = 0
    retryable: bool = False
    shared: bool = False
    resubmitted: bool = False
    #: Which sorted sets it is in.
    sets: set[str] = field(default_factory=set)

    def renew(self) -> None:
        """Somebody asks once more."""
        self.claim = self.task = self.paid = None
        self.hinted = self.shared = self.resubmitted = False
        self.failures = 0

    def release(self) -> None:
        self.sets -= {"leases", "posting"}


@dataclass
class Model:
    """All of it."""

    batches: tuple[str, ...]
    jobs: dict[str, Twin] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)
    sealed: set[str] = field(default_factory=set)
    rows: dict[str, int] = field(default_factory=dict)
    bad: dict[str, int] = field(default_factory=dict)
    #: Rows that left their job with their cancelled batch.
    left: dict[str, int] = field(default_factory=dict)
    reused: dict[str, int] = field(default_factory=dict)
    duplicate: dict[str, int] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)

    def admit(self, batch: str, first: int, names: Iterable[str | None]) -> list[str]:
        """Returns the jobs that come into the line."""
        groups: dict[str, list[int]] = {}
        for number, name in enumerate(names, first):
            _add(self.rows, batch, 1)
            if name is None:
                _add(self.bad, batch, 1)
            else:
                groups.setdefault(name, []).append(number)
        queued = []
        for name, numbers in groups.items():
            _add(self.duplicate, batch, len(numbers) - 1)
            twin = self.jobs.get(name)
            if twin is None:
                self.jobs[name] = Twin(home=batch, refs={batch: numbers}, line=batch)
                queued.append(name)
                continue
            known = batch in twin.refs
            twin.refs.setdefault(batch, []).extend(numbers)
            _add(self.duplicate, batch, int(known))
            if not known and (twin.state == "cancelled" or (twin.state == "failed" and twin.retryable)):
                twin.renew()
                twin.state, twin.home, twin.line = "queued", batch, batch
                queued.append(name)
            elif not known and twin.state == "succeeded":
                _add(self.reused, batch, len(numbers))
        return queued

    def grantable(self, budget: int) -> set[str]:
        return {
            name
            for name, twin in self.jobs.items()
            if twin.line and (budget == 0 or self.spent.get(twin.line, 0) < budget)
        }

    def grant(self, name: str, claim: str) -> None:
        twin = self.jobs[name]
        twin.claim, twin.paid, twin.line = claim, twin.line, None
        twin.sets |= {"leases", "posting"}
        _add(self.spent, twin.paid or "", 1)

    def refund(self, twin: Twin) -> None:
        if twin.paid:
            _add(self.spent, twin.paid, -1)
            twin.paid = None

    def queue(self, twin: Twin) -> None:
        """Back in the line, where it belongs."""
        twin.claim, twin.state = None, "queued"
        if twin.home not in twin.refs:
            twin.home = next(iter(twin.refs), twin.home)
        twin.line = twin.home

    def hold(self, twin: Twin, *, shared: bool = False) -> None:
        twin.state, twin.shared = "unknown", shared
        twin.release()
        twin.sets.add("unknown")
        if shared:
            twin.claim = None
            twin.sets.discard("due")

    def accept(self, name: str, task: str) -> str:
        """Returns `recorded` or `shared`."""
        twin, owner = self.jobs[name], self.tasks.setdefault(task, name)
        if owner != name:
            self.hold(twin, shared=True)
            if self.jobs[owner].state == "submitted":
                self.hold(self.jobs[owner], shared=True)
            return "shared"
        twin.state, twin.task, twin.hinted = "submitted", task, False
        twin.attempts += 1
        twin.sets = twin.sets - {"posting", "unknown"} | {"leases", "due"}
        return "recorded"

    def end(self, twin: Twin, state: str, *, retryable: bool = False) -> None:
        twin.state, twin.retryable = state, retryable
        twin.release()
        twin.sets -= {"due", "unknown"}

    def cancel(self, batch: str, twin: Twin) -> None:
        others = [name for name in twin.refs if name != batch]
        if not others:
            twin.state, twin.line = "cancelled", None
            twin.sets.discard("retry")
            return
        _add(self.left, batch, len(twin.refs.pop(batch)))
        if twin.line == batch:
            self.queue(twin)

    # -- what is to be seen of it

    def counts(self, batch: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for twin in self.jobs.values():
            _add(found, twin.state, len(twin.refs.get(batch, ())))
        _add(found, "cancelled", self.left.get(batch, 0))
        _add(found, "invalid", self.bad.get(batch, 0))
        return {state: count for state, count in found.items() if count}

    def open(self, batch: str) -> int:
        return sum(count for state, count in self.counts(batch).items() if state not in ENDED | {"invalid"})

    def members(self, kind: str) -> set[str]:
        return {name for name, twin in self.jobs.items() if kind in twin.sets}


def _add(numbers: dict[str, int], name: str, count: int) -> None:
    numbers[name] = numbers.get(name, 0) + count
