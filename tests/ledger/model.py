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
    #: Batch whose order the task is, or the one to come, while that counts.
    paid: str | None = None
    #: Former orders that it goes on without: batch and task, None while none was named.
    orders: list[tuple[str, str | None]] = field(default_factory=list)
    #: What a person has found out: when the POST began, its outcome, its task, who pays.
    settled: list[tuple[str, str, str, str | None]] = field(default_factory=list)
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

    def keep_order(self) -> None:
        if self.paid:
            self.orders.append((self.paid, self.task))
            self.paid = None

    def open_order(self) -> int | None:
        """The last former order that no task was named for."""
        return next((at for at in reversed(range(len(self.orders))) if self.orders[at][1] is None), None)

    def forget_task(self) -> None:
        self.keep_order()
        self.claim = self.was = self.task = self.hint_task = None
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
    charged: dict[str, int] = field(default_factory=dict)
    #: Tasks that were named though nothing was counted for them any more.
    uncounted: dict[str, int] = field(default_factory=dict)

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
            self.forget_task(twin, renew=True)
            twin.state = "queued"
            return True
        if not known and twin.state == "succeeded":
            _add(self.reused, batch, 1)
        return False

    def grant(self, name: str, claim: str, batch: str) -> None:
        twin = self.jobs[name]
        twin.claim, twin.was, twin.paid = claim, None, batch
        twin.sets = twin.sets - {"retry"} | {"leases", "posting"}
        _add(self.spent, batch, 1)

    def forget_task(self, twin: Twin, *, renew: bool = False) -> None:
        """It begins anew; a task that a callback has named is that of an order without one."""
        hinted = twin.hint_task
        if renew:
            twin.renew()
        else:
            twin.forget_task()
        self.name_order(twin, hinted)

    def name_order(self, twin: Twin, task: str | None) -> None:
        at = twin.open_order()
        if task and at is not None:
            batch = twin.orders[at][0]
            twin.orders[at] = batch, task
            _add(self.charged, batch, 1)

    def charge(self, twin: Twin, home: str | None) -> None:
        """A task was named: of its order, of a former one, or of one that counts no more and is its home's."""
        at = twin.open_order()
        if not twin.paid and at is not None:
            twin.paid = twin.orders.pop(at)[0]
        elif not twin.paid and home:
            twin.paid = home
            _add(self.spent, home, 1)
            _add(self.uncounted, home, 1)
        if twin.paid:
            _add(self.charged, twin.paid, 1)

    def refund(self, twin: Twin) -> None:
        if twin.paid:
            _add(self.spent, twin.paid, -1)
            twin.paid = None

    def queue(self, twin: Twin) -> None:
        """Back in the line, unless nobody wants it any more."""
        twin.was, twin.claim = twin.claim or twin.was, None
        twin.state = "queued" if twin.refs.keys() - self.cancelled else "cancelled"

    def hold(self, name: str, home: str | None) -> str:
        """Its slot stays taken for a while. Returns the state it comes to."""
        twin = self.jobs[name]
        twin.sets.discard("posting")
        if not self.adopt(name, twin.hint_task, home):
            twin.state = "unknown"
            twin.sets.add("unknown")
        return twin.state

    def adopt(self, name: str, task: str | None, home: str | None) -> bool:
        """A callback named the task of a job that nobody could account for. `home`: the batch in whose line it stands."""
        twin = self.jobs[name]
        if not task or task in self.tasks:
            return False
        self.tasks[task] = name
        if twin.state == "queued":
            self.refund(twin)
        elif twin.task:
            twin.keep_order()
        self.charge(twin, home)
        twin.state, twin.task, twin.hint_task = "submitted", task, None
        twin.attempts += 1
        twin.sets = twin.sets - {"posting", "unknown", "retry"} | {"leases", "due"}
        return True

    def accept(self, name: str, task: str, home: str | None) -> bool:
        """False: the task is another job's, and both are held."""
        twin, owner = self.jobs[name], self.tasks.setdefault(task, name)
        if owner != name:
            self._share(twin)
            if self.jobs[owner].state == "submitted":
                self._share(self.jobs[owner])
            return False
        if twin.hint_task and twin.hint_task != task:
            self.name_order(twin, twin.hint_task)
        self.charge(twin, home)
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

    def settle(
        self, name: str, batch: str, begun: str, outcome: str, task: str, *, home: str | None, force: bool
    ) -> str:
        """A person has found out what became of a POST that began at `begun`. Returns what the ledger should answer."""
        twin = self.jobs.get(name)
        if twin is None or batch not in twin.refs:
            return "none"
        posted = begun if twin.state == "unknown" or not twin.settled else twin.settled[-1][0]
        former = next((one for one in reversed(twin.settled) if one[0] == posted), None)
        if former is not None and former[1:3] == (outcome, task):
            return "known"
        if task in self.tasks and (self.tasks[task], twin.task) != (name, task):
            return "taken"
        if former is not None and former[1] != "leave":
            if not force or not self._take_back(twin, former):
                return "moved" if force else "differs"
        elif twin.state != "unknown":
            return "state"
        twin.settled.append((posted, outcome, task, twin.paid))
        twin.sets.discard("unknown")
        if outcome == "bought" and twin.task == task:
            twin.shared = False
            twin.ask_old_task()
        elif outcome == "bought":
            self.adopt(name, task, home)
        elif outcome == "not_bought":
            if twin.task and twin.paid:
                _add(self.charged, twin.paid, -1)
            twin.release()
            self.refund(twin)
            self.forget_task(twin, renew=True)
            self.queue(twin)
        return "settled"

    def _take_back(self, twin: Twin, former: tuple[str, str, str, str | None]) -> bool:
        _, outcome, task, payer = former
        if former != twin.settled[-1]:
            return False
        if outcome == "bought" and twin.task == task and twin.state != "unknown":
            del self.tasks[task]
            if twin.paid:
                _add(self.charged, twin.paid, -1)
            twin.attempts -= 1
            twin.release()
            twin.sets -= {"due"}
            twin.claim = twin.was = twin.task = twin.hint_task = None
            twin.over = twin.lost = False
        elif outcome == "not_bought" and twin.state == "queued" and twin.claim is None:
            twin.sets.discard("retry")
            if payer:
                twin.paid = payer
                _add(self.spent, payer, 1)
        else:
            return False
        twin.state, twin.shared, twin.lost = "unknown", False, False
        return True

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
