"""What the ledger should hold after each step, told once more in plain Python."""

from collections.abc import Iterable
from dataclasses import dataclass, field

ENDED = frozenset({"succeeded", "failed", "rejected", "cancelled", "unknown"})


@dataclass
class Twin:
    """A job as it should be."""

    refs: dict[str, list[int]]
    state: str = "queued"
    claim: str | None = None
    #: Who held it last, while nobody else has taken it.
    was: str | None = None
    task: str | None = None
    #: A task that a callback named before the submit was answered.
    hint_task: str | None = None
    #: Batch that paid for the task to come, while that may be taken back.
    paid: str | None = None
    attempts: int = 0
    failures: int = 0
    retryable: bool = False
    #: It failed, and its task may still have its picture.
    lost: bool = False
    #: HiDream has said that its task is over.
    over: bool = False
    shared: bool = False
    resubmitted: bool = False
    #: Which sorted sets it is in.
    sets: set[str] = field(default_factory=set)

    @property
    def waits(self) -> bool:
        """It stands in a line."""
        return self.state == "queued" and self.claim is None and "retry" not in self.sets

    def forget_task(self) -> None:
        self.claim = self.was = self.task = self.hint_task = self.paid = None
        self.over = False

    def renew(self) -> None:
        """Somebody asks once more."""
        self.forget_task()
        self.shared = self.resubmitted = self.lost = False
        self.failures = 0

    def ask_old_task(self) -> None:
        """Nothing is bought, and whether the task takes a slot is not known yet."""
        self.state, self.lost = "submitted", False
        self.sets.add("due")

    def release(self) -> None:
        self.sets -= {"leases", "posting"}


@dataclass
class Model:
    """All of it. Numbers are by batch."""

    jobs: dict[str, Twin] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)
    sealed: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
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
        return [name for name, numbers in groups.items() if self._join(batch, name, numbers)]

    def change(
        self, batch: str, first: int, before: Iterable[str | None], after: Iterable[str | None]
    ) -> list[str]:
        """The rows of a chunk have other pictures now. Returns the jobs that come into the line."""
        joins: dict[str, list[int]] = {}
        leaves: dict[str, list[int]] = {}
        for number, (old, new) in enumerate(zip(before, after, strict=True), first):
            if old == new:
                continue
            _add(self.bad, batch, (new is None) - (old is None))
            if new is not None:
                joins.setdefault(new, []).append(number)
            if old is not None:
                leaves.setdefault(old, []).append(number)
        queued = [name for name, numbers in joins.items() if self._join(batch, name, numbers)]
        for name, numbers in leaves.items():
            self._leave(batch, self.jobs[name], numbers)
        return queued

    def _leave(self, batch: str, twin: Twin, numbers: list[int]) -> None:
        stay = [number for number in twin.refs.pop(batch) if number not in numbers]
        _add(self.duplicate, batch, (0 if stay else 1) - len(numbers))
        if stay:
            twin.refs[batch] = stay
        elif twin.state == "queued" and twin.claim is None and not twin.refs.keys() - self.cancelled:
            twin.state = "cancelled"
            twin.sets.discard("retry")

    def _join(self, batch: str, name: str, numbers: list[int]) -> bool:
        """Whether the job comes into the line because of it."""
        twin = self.jobs.get(name)
        known = twin is not None and batch in twin.refs
        asked = twin is not None and not known and twin.lost
        again = (
            twin is not None
            and not known
            and not asked
            and (twin.state == "cancelled" or (twin.state == "failed" and twin.retryable))
        )
        if batch in self.cancelled:
            # The batch takes nothing more, and changes nothing for others.
            waits = twin is not None and twin.state == "queued" and twin.claim is None
            if twin is not None and not known and (waits or asked or (again and twin.state == "failed")):
                _add(self.left, batch, len(numbers))
                return False
            asked = again = False
        _add(self.duplicate, batch, len(numbers) - 1)
        if twin is None:
            self.jobs[name] = Twin(refs={batch: numbers})
            if batch in self.cancelled:
                self.jobs[name].state = "cancelled"
                return False
            return True
        twin.refs.setdefault(batch, []).extend(numbers)
        _add(self.duplicate, batch, int(known))
        if asked:
            twin.ask_old_task()
        elif again:
            twin.renew()
            twin.state = "queued"
            return True
        if not known and twin.state == "succeeded":
            _add(self.reused, batch, len(numbers))
        return False

    def grant(self, name: str, claim: str, batch: str) -> None:
        twin = self.jobs[name]
        twin.claim, twin.was, twin.paid = claim, None, batch
        twin.sets = twin.sets - {"retry"} | {"leases", "posting"}
        _add(self.spent, batch, 1)

    def refund(self, twin: Twin) -> None:
        if twin.paid:
            _add(self.spent, twin.paid, -1)
            twin.paid = None

    def queue(self, twin: Twin) -> None:
        """Back in the line, unless nobody wants it any more."""
        twin.was, twin.claim = twin.claim or twin.was, None
        twin.state = "queued" if twin.refs.keys() - self.cancelled else "cancelled"

    def hold(self, name: str) -> str:
        """Its slot stays taken for a while. Returns the state it comes to."""
        twin = self.jobs[name]
        twin.sets.discard("posting")
        if not self.adopt(name, twin.hint_task):
            twin.state = "unknown"
            twin.sets.add("unknown")
        return twin.state

    def adopt(self, name: str, task: str | None) -> bool:
        """A callback named the task of a job that nobody could account for."""
        twin = self.jobs[name]
        if not task or task in self.tasks:
            return False
        self.tasks[task] = name
        twin.state, twin.task, twin.hint_task = "submitted", task, None
        twin.attempts += 1
        twin.sets = twin.sets - {"posting", "unknown", "retry"} | {"leases", "due"}
        return True

    def accept(self, name: str, task: str) -> bool:
        """False: the task is another job's, and both are held."""
        twin, owner = self.jobs[name], self.tasks.setdefault(task, name)
        if owner != name:
            self._share(twin)
            if self.jobs[owner].state == "submitted":
                self._share(self.jobs[owner])
            return False
        twin.state, twin.task, twin.hint_task, twin.was = "submitted", task, None, None
        twin.attempts += 1
        twin.sets = twin.sets - {"posting", "unknown", "retry"} | {"leases", "due"}
        return True

    def _share(self, twin: Twin) -> None:
        twin.state, twin.shared, twin.claim = "unknown", True, None
        twin.release()
        twin.sets = twin.sets - {"due"} | {"unknown"}

    def end(self, twin: Twin, state: str, *, retryable: bool = False, lost: bool = False) -> None:
        twin.state, twin.retryable, twin.lost = state, retryable, lost
        twin.release()
        twin.sets -= {"due", "unknown"}

    def cancel(self, batch: str, twin: Twin) -> None:
        if twin.refs.keys() - self.cancelled - {batch}:
            rows = len(twin.refs.pop(batch))
            _add(self.left, batch, rows)
            _add(self.duplicate, batch, 1 - rows)
        else:
            twin.state = "cancelled"
            twin.sets.discard("retry")

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
