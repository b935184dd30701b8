"""Any order of steps, right and wrong claims, lost replies and dead holders: the ledger stays what the model says."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobs.ledger import Ledger, steps
from jobs.ledger.codec import decode_job
from jobs.ledger.orders import Money, orders_of
from jobs.ledger.script import Call
from jobs.records import BatchId, Job, JobState, SettledAs, TaskId
from tests.conftest import flush
from tests.driver import Driver, failure, picture, rid, row
from tests.ledger.model import ENDED, Model, Twin

NAMES = tuple("vwxyz")
BATCHES = ("a", "b")
CAP = 3
SETS = ("leases", "posting", "due", "retry", "unknown")
NAME_OF = {rid(name): name for name in NAMES}

chunks = st.lists(st.sampled_from([*NAMES, None]), min_size=1, max_size=4)
names = st.sampled_from(NAMES)
#: Which of the jobs that a step is meant for; 0: any job at all.
picks = st.integers(0, 5)
batches = st.sampled_from(BATCHES)
#: Whose news it is: the holder's own, a former holder's, a stranger's.
claims = st.sampled_from(["own"] * 6 + ["former", "stranger"])
flags = st.booleans()
rarely = st.sampled_from([False] * 5 + [True])


class LedgerMachine(RuleBasedStateMachine):
    """Two batches, five pairs, an account of three parallel tasks."""

    ledger: Ledger

    def __init__(self) -> None:
        super().__init__()
        self.driver = Driver(Ledger(self.ledger.client, f"{self.ledger.prefix}-{uuid4().hex[:8]}"))
        self.model = Model()
        #: What was run with a token, to be run again at any time.
        self.history: list[Call[Any]] = []
        self.claims: dict[str, list[str]] = {name: [] for name in NAMES}
        self.former_tasks: dict[str, list[str]] = {name: [] for name in NAMES}
        self.admitted: list[tuple[str, int, list[str | None]]] = []
        self.serial = 0
        self.budget = 0
        self.changed = False
        #: Leases over the cap: tasks that a late worker or a callback told us of.
        self.adopted = 0

    def teardown(self) -> None:
        flush(self.driver.ledger.client, self.driver.ledger.prefix)

    @initialize(budget=st.sampled_from([0, 0, 4]))
    def open(self, budget: int) -> None:
        self.budget = budget
        for batch in BATCHES:
            self.driver.ledger.open_batch(BatchId(batch))
        # Slots of unknown jobs stay taken for as long as a task takes: longer than any of these tests.
        self.driver.gate(lat_mean="12.5", lat_var="0", lat_n="100")

    # -- the producer ------------------------------------------------------------------------------------

    @rule(batch=batches, chunk=chunks)
    def admit(self, batch: str, chunk: list[str | None]) -> None:
        if batch in self.model.sealed:
            return
        first = self.model.rows.get(batch, 0) + 1
        reused = self.model.reused.get(batch, 0)
        expected = self.model.admit(batch, first, chunk)
        admitted = self._admit(batch, first, chunk)
        assert list(admitted.queued) == [rid(name) for name in expected]
        assert (admitted.rows, admitted.reused) == (len(chunk), self.model.reused.get(batch, 0) - reused)
        self.admitted.append((batch, first, chunk))

    @precondition(lambda self: self.admitted)
    @rule(which=st.integers(0, 99))
    def admit_again(self, which: int) -> None:
        batch, first, chunk = self.admitted[which % len(self.admitted)]
        if self.model.left.get(batch):
            return  # they would join again
        before = self.driver.snapshot()
        assert self._admit(batch, first, chunk).rows == 0
        assert self.driver.snapshot() == before

    @precondition(lambda self: self.admitted)
    @rule(
        which=st.integers(0, 99), pictures=st.lists(st.sampled_from([*NAMES, None]), min_size=4, max_size=4)
    )
    def change_pictures(self, which: int, pictures: list[str | None]) -> None:
        batch, first, chunk = self.admitted[which % len(self.admitted)]
        if self.model.left.get(batch):
            return
        changed = pictures[: len(chunk)]
        expected = self.model.change(batch, first, chunk, changed)
        admitted = self._admit(batch, first, changed)
        assert list(admitted.queued) == [rid(name) for name in expected]
        assert admitted.rows == 0
        self.admitted[which % len(self.admitted)] = (batch, first, changed)
        self.changed = True

    def _admit(self, batch: str, first: int, chunk: list[str | None]) -> Any:
        rows = [row(number, name) for number, name in enumerate(chunk, first)]
        return self.driver.ledger.admit(BatchId(batch), rows)

    @rule(batch=batches)
    def seal(self, batch: str) -> None:
        self.driver.ledger.seal(BatchId(batch))
        self.model.sealed.add(batch)

    # -- the gate ----------------------------------------------------------------------------------------

    @rule(replay=flags)
    def permit(self, replay: bool) -> None:
        self.serial += 1
        claim = f"claim-{self.serial}"
        grantable, leases = self._grantable(), len(self.model.members("leases"))
        call = self.driver.ask_call(claim, in_flight=CAP, batch_budget=self.budget)
        answer = self.driver.ledger.run(call)
        if answer.kind != "granted":
            assert leases >= CAP or not grantable, answer
            return
        name = NAME_OF[answer.request_id or rid("")]
        batch = self.driver.raw(answer.request_id)["paid_batch"]
        assert (name, batch) in grantable
        assert leases < CAP
        self.model.grant(name, claim, batch)
        self.claims[name].append(claim)
        self.history.append(call)
        if replay:
            before = self.driver.snapshot()
            assert self.driver.ledger.run(call).request_id == answer.request_id
            assert self.driver.snapshot() == before

    def _grantable(self) -> set[tuple[str, str]]:
        """Jobs that may be submitted now, each with a batch that would pay."""
        return {
            (name, batch)
            for name, twin in self.model.jobs.items()
            if twin.state == "queued" and twin.claim is None
            for batch in twin.refs.keys() - self.model.cancelled
            if rid(name) in self.driver.line(batch)
            and (self.budget == 0 or self.model.spent.get(batch, 0) < self.budget)
        }

    @rule(pick=picks, whose=claims)
    def begin(self, pick: int, whose: str) -> None:
        name = self._pick(pick, lambda twin: twin.claim and twin.state in {"queued", "submitting"})
        twin, claim = self._twin(name), self._claim(name, whose)
        ours = twin is not None and twin.claim == claim and twin.state in {"queued", "submitting"}
        adopted = twin is not None and ours and twin.state == "queued" and self._adopt(name, twin.hint_task)
        assert self.driver.begin(rid(name), claim) == ("go" if ours and not adopted else "fenced")
        if twin is not None and ours and not adopted:
            twin.state = "submitting"

    @rule(pick=picks, whose=claims, replay=flags)
    def give_back(self, pick: int, whose: str, replay: bool) -> None:
        name = self._pick(pick, lambda twin: twin.claim and twin.state in {"queued", "submitting", "unknown"})
        twin, claim = self._twin(name), self._claim(name, whose)
        ours = twin is not None and twin.claim == claim
        ours = ours and twin is not None and twin.state in {"queued", "submitting", "unknown"}
        reply = self._run(self.driver.give_back_call(rid(name), claim), replay=replay)
        assert reply[0] == int(ours)
        if twin is None or not ours:
            return
        if self._adopt(name, twin.hint_task):
            return
        self.model.refund(twin)
        self.model.queue(twin)
        twin.release()
        twin.sets.discard("unknown")
        self._renounce(name, claim)

    def _adopt(self, name: str, task: str | None) -> bool:
        lent = "leases" in self.model.jobs[name].sets
        if not self.model.adopt(name, task, self._home(name)):
            return False
        self.adopted += int(not lent)
        self.former_tasks[name].append(task or "")
        return True

    def _home(self, name: str) -> str | None:
        """The batch in whose line it stands, or stood."""
        return self.driver.raw(rid(name)).get("batch")

    # -- the submit worker -------------------------------------------------------------------------------

    @rule(
        pick=picks,
        whose=claims,
        replay=flags,
        shares=st.sampled_from([False, False, False, True]),
        data=st.data(),
    )
    def accept(self, pick: int, whose: str, replay: bool, shares: bool, data: st.DataObject) -> None:
        name = self._pick(pick, lambda twin: twin.claim and twin.state in {"submitting", "unknown"})
        twin, claim = self._twin(name), self._claim(name, whose)
        self.serial += 1
        task = f"task-{self.serial}"
        if shares and self.model.tasks:
            task = data.draw(st.sampled_from(sorted(self.model.tasks)))
        call = steps.accept(rid(name), claim, TaskId(task), ["s"], first_poll_ms=60_000)
        taken = self._run(call, replay=replay)
        if twin is None or not self._is_heard(twin, claim):
            assert (taken.recorded, taken.shared_with) == (False, None)
            return
        self.adopted += int("leases" not in twin.sets)
        if self.model.accept(name, task, self._home(name)):
            assert taken.recorded
            self.former_tasks[name].append(task)
        else:
            assert taken.shared_with == rid(self.model.tasks[task])

    def _is_heard(self, twin: Twin, claim: str) -> bool:
        if twin.state == "queued":
            return twin.claim is None and twin.was == claim
        return twin.claim == claim and twin.state in {"submitting", "unknown"}

    @rule(pick=picks, whose=claims, replay=flags)
    def hold(self, pick: int, whose: str, replay: bool) -> None:
        name = self._pick(pick, lambda twin: twin.claim and twin.state == "submitting")
        twin, claim = self._twin(name), self._claim(name, whose)
        ours = twin is not None and twin.claim == claim and twin.state == "submitting"
        assert self._run(steps.hold(rid(name), claim, failure()), replay=replay) == ours
        if ours:
            self.model.hold(name, self._home(name))

    @rule(pick=picks, whose=claims, retryable=flags, replay=flags)
    def refuse(self, pick: int, whose: str, retryable: bool, replay: bool) -> None:
        name = self._pick(pick, lambda twin: twin.claim and twin.state in {"queued", "submitting", "unknown"})
        twin, claim = self._twin(name), self._claim(name, whose)
        ours = twin is not None and twin.claim == claim
        ours = ours and twin is not None and twin.state in {"queued", "submitting", "unknown"}
        call = steps.refuse(rid(name), claim, failure(retryable=retryable), answered=True)
        assert self._run(call, replay=replay) == ours
        if twin is None or not ours:
            return
        if self._adopt(name, twin.hint_task):
            return
        self.model.refund(twin)
        self.model.end(twin, "failed", retryable=retryable)

    # -- the watcher and the collection ------------------------------------------------------------------

    @rule(pick=picks, former=rarely)
    def defer(self, pick: int, former: bool) -> None:
        name = self._pick(pick, lambda twin: twin.state == "submitted")
        task = self._task(name, former)
        assert self._twice(steps.defer(rid(name), 60_000, task_id=task)) == self._has(name, task)
        twin = self.model.jobs.get(name)
        if twin is not None and self._has(name, task) and not twin.over:
            # One that had been given up takes a slot when HiDream says that it runs.
            self.adopted += int("leases" not in twin.sets)
            twin.sets.add("leases")

    @rule(pick=picks, former=rarely, replay=flags)
    def ended(self, pick: int, former: bool, replay: bool) -> None:
        name = self._pick(pick, lambda twin: twin.state == "submitted")
        task = self._task(name, former)
        call = steps.ended(rid(name), task, ["u"], "poll", 12_000)
        assert (self._twice(call) if replay else self.driver.ledger.run(call)) == self._has(name, task)
        if self._has(name, task):
            self.model.jobs[name].over = True
            self.model.jobs[name].release()

    @rule(pick=picks, former=rarely, replay=flags)
    def again(self, pick: int, former: bool, replay: bool) -> None:
        name = self._pick(pick, lambda twin: twin.state == "submitted")
        task = self._task(name, former)
        ours = self._has(name, task)
        assert self._run(steps.again(rid(name), task, 60_000), replay=replay) == ours
        if ours:
            twin = self.model.jobs[name]
            twin.state = "queued"
            self.model.forget_task(twin)
            twin.failures += 1
            twin.release()
            twin.sets = twin.sets - {"due"} | {"retry"}

    @rule(pick=picks, former=rarely, replay=flags, partial=flags)
    def succeed(self, pick: int, former: bool, replay: bool, partial: bool) -> None:
        name = self._pick(pick, lambda twin: twin.state == "submitted")
        task = self._task(name, former)
        ours = self._has(name, task)
        call = steps.succeed(rid(name), [picture()], failure() if partial else None, task_id=task)
        assert self._run(call, replay=replay) == ours
        if ours:
            self.model.end(self.model.jobs[name], "succeeded")

    @rule(
        pick=picks,
        former=rarely,
        replay=flags,
        end=st.sampled_from([("failed", "task_failed"), ("failed", "task_lost"), ("rejected", "moderated")]),
        retryable=flags,
    )
    def fail(self, pick: int, former: bool, replay: bool, end: tuple[str, str], retryable: bool) -> None:
        name = self._pick(pick, lambda twin: twin.state == "submitted")
        task, (state, kind) = self._task(name, former), end
        ours = self._has(name, task)
        failed = failure(retryable=retryable, kind=kind)
        call = steps.fail(rid(name), failed, JobState(state), task_id=task)
        assert self._run(call, replay=replay) == ours
        if ours:
            lost = kind == "task_lost"
            self.model.end(self.model.jobs[name], state, retryable=retryable, lost=lost)

    @rule(pick=picks, kind=st.sampled_from(["new", "own", "none"]))
    def hint(self, pick: int, kind: str) -> None:
        open_states = {"queued", "submitting", "submitted", "unknown"}
        name = self._pick(pick, lambda twin: twin.lost or twin.state in open_states)
        self.serial += 1
        twin = self._twin(name)
        own = twin.task if twin is not None else None
        task = {"new": f"task-{self.serial}", "own": own, "none": None}[kind]
        assert self.driver.ledger.run(steps.hint(rid(name), task)) == (twin is not None)
        if twin is None:
            return
        if twin.state == "submitting" or (twin.state == "queued" and twin.claim):
            twin.hint_task = task or twin.hint_task
        elif twin.lost and task == own:
            twin.ask_old_task()
        elif twin.state in {"unknown", "queued", "cancelled"} or (twin.state == "failed" and not twin.task):
            self._adopt(name, task)

    @rule()
    def take_due(self) -> None:
        for name in self.model.members("due"):
            self.driver.score("due", rid(name), 0)
        due = self.driver.ledger.run(steps.take_due(16))
        assert {NAME_OF[job.request_id] for job in due.jobs} == self.model.members("due")
        assert all(job.state is JobState.SUBMITTED for job in due.jobs)
        assert self.driver.ledger.run(steps.take_due(16)).jobs == ()

    # -- persons and time --------------------------------------------------------------------------------

    @rule(pick=picks, state=st.sampled_from(["failed", "rejected", "unknown", "cancelled"]), anew=flags)
    def reopen(self, pick: int, state: str, anew: bool) -> None:
        name = self._pick(pick, lambda twin: twin.state == state)
        twin = self._twin(name)
        ours = twin is not None and twin.state == state and bool(twin.refs)
        assert self._twice(steps.reopen(rid(name), JobState(state), anew=anew)) == ours
        assert not self.driver.ledger.run(steps.reopen(rid(name), JobState(state)))
        if twin is not None and ours:
            self.model.cancelled -= twin.refs.keys()
            if twin.lost and not anew:
                twin.ask_old_task()
                return
            self.model.forget_task(twin, renew=True)
            self.model.queue(twin)
            twin.sets.discard("unknown")

    @rule(
        pick=picks,
        batch=batches,
        outcome=st.sampled_from(["bought", "not_bought", "leave"]),
        known=rarely,
        again=rarely,
        force=flags,
    )
    def settle(
        self, *, pick: int, batch: str, outcome: SettledAs, known: bool, again: bool, force: bool
    ) -> None:
        name = self._pick(pick, lambda twin: twin.state == "unknown" or (again and twin.settled))
        twin = self._twin(name)
        self.serial += 1
        task = f"task-{self.serial}" if outcome == "bought" else ""
        if task and known and self.model.tasks:
            task = sorted(self.model.tasks)[pick % len(self.model.tasks)]
        begun, lent = (
            self.driver.raw(rid(name)).get("begun_ms", ""),
            twin is not None and "leases" in twin.sets,
        )
        home = self._home(name)
        call = steps.settle(rid(name), batch, outcome, by="somebody", task_id=task, force=force)
        kind = self.driver.ledger.run(call).kind
        assert kind == self.model.settle(name, batch, begun, outcome, task, home=home, force=force)
        if kind == "settled":
            self.history.append(call)
            self.adopted += int(outcome == "bought" and not lent)
            self.former_tasks[name] += [task] if task else []

    @rule(pick=picks, batch=batches)
    def cancel(self, pick: int, batch: str) -> None:
        name = self._pick(pick, lambda twin: twin.state == "queued" and twin.claim is None)
        self._cancel(name, batch)

    @rule(batch=batches, killed=rarely)
    def cancel_a_batch(self, batch: str, killed: bool) -> None:
        self.driver.ledger.client.hset(self.driver.ledger.key("batch", batch), "cancelled", 1)
        self.model.cancelled.add(batch)
        if not killed:
            for name in NAMES:
                self._cancel(name, batch)

    @precondition(lambda self: self.model.cancelled)
    @rule(batch=batches)
    def run_a_batch_again(self, batch: str) -> None:
        assert not self.driver.ledger.open_batch(BatchId(batch))
        self.model.cancelled.discard(batch)

    def _cancel(self, name: str, batch: str) -> None:
        twin = self._twin(name)
        ours = twin is not None and twin.state == "queued" and twin.claim is None and batch in twin.refs
        assert self._twice(steps.cancel(batch, rid(name))) == ours
        assert not self.driver.ledger.run(steps.cancel(batch, rid(name)))
        if twin is not None and ours:
            self.model.cancel(batch, twin)

    @rule(
        policy=st.sampled_from(["hold", "resubmit"]),
        dead=st.sets(names),
        ripe=st.sets(names),
        old=st.sets(names),
    )
    def reconcile(self, policy: str, dead: set[str], ripe: set[str], old: set[str]) -> None:
        for kind, which in (("posting", dead), ("retry", ripe), ("unknown", old)):
            for name in which:
                self.driver.score(kind, rid(name), 0)
        # One that becomes unknown by this turn is not old.
        old = old & self.model.members("unknown")
        found = self.driver.ledger.run(steps.reconcile(policy=policy, quiet_s=3_600))
        redriven, unknown = self._bury(dead & self.model.members("posting"))
        for name in ripe & self.model.members("retry"):
            twin = self.model.jobs[name]
            twin.sets.discard("retry")
            if twin.state == "queued":
                self.model.queue(twin)
                redriven.add(name)
        resubmitted = self._resubmit(old & self.model.members("unknown")) if policy == "resubmit" else set()
        assert {NAME_OF[each] for each in found.redriven} == redriven
        assert {NAME_OF[each] for each in found.unknown} == unknown
        assert {NAME_OF[each] for each in found.resubmitted} == resubmitted
        assert found.queued == self.driver.ledger.queued_total()

    def _bury(self, dead: set[str]) -> tuple[set[str], set[str]]:
        redriven, unknown = set(), set()
        for name in dead:
            twin = self.model.jobs[name]
            if twin.state == "queued":
                twin.release()
                if self._adopt(name, twin.hint_task):
                    continue
                self.model.refund(twin)
                self.model.queue(twin)
                redriven.add(name)
                self._renounce(name, twin.was or "")
            elif self.model.hold(name, self._home(name)) == "unknown":
                unknown.add(name)
        return redriven, unknown

    def _resubmit(self, old: set[str]) -> set[str]:
        resubmitted = set()
        for name in old:
            twin = self.model.jobs[name]
            twin.sets.discard("unknown")
            wanted = twin.refs.keys() - self.model.cancelled
            if twin.state == "unknown" and not twin.shared and not twin.resubmitted and wanted:
                twin.resubmitted = True
                twin.keep_order()
                self.model.queue(twin)
                resubmitted.add(name)
        return resubmitted

    @precondition(lambda self: self.history)
    @rule(which=st.integers(0, 999))
    def an_old_script_comes_late(self, which: int) -> None:
        call = self.history[which % len(self.history)]
        before = self.driver.snapshot()
        self.driver.ledger.run(call)
        assert self.driver.snapshot() == before

    # -- what is always so -------------------------------------------------------------------------------

    @invariant()
    def the_ledger_is_what_the_model_says(self) -> None:
        seen = self.driver.snapshot()
        jobs = {
            key[4:]: decode_job(key[4:], fields) for key, fields in seen.items() if key.startswith("job:")
        }
        self._jobs_stand_where_they_should(seen, jobs)
        self._every_job_is_in_the_places_it_belongs_to(seen)
        assert len(seen.get("leases", ())) <= CAP + self.adopted
        for batch in BATCHES:
            if f"batch:{batch}" in seen:
                self._orders_are_what_is_counted(batch, seen)
                self._counters_are_what_a_recount_says(batch, seen[f"batch:{batch}"])
                self._every_end_is_told(batch, seen.get(f"out:{batch}", []), jobs)
        assert sum(int(each) for each in seen.get("spent", {}).values()) == sum(self.model.spent.values())

    def _jobs_stand_where_they_should(self, seen: dict[str, Any], jobs: dict[str, Job]) -> None:
        assert {NAME_OF[request_id] for request_id in jobs} == self.model.jobs.keys()
        for request_id, job in jobs.items():
            twin = self.model.jobs[NAME_OF[request_id]]
            assert (job.state, job.task_id) == (twin.state, twin.task), NAME_OF[request_id]
            assert (job.attempts, job.task_failures) == (twin.attempts, twin.failures)
            assert {batch: list(numbers) for batch, numbers in job.refs.items()} == twin.refs
            assert seen[f"job:{request_id}"].get("claim") == twin.claim

    def _every_job_is_in_the_places_it_belongs_to(self, seen: dict[str, Any]) -> None:
        for kind in SETS:
            assert {NAME_OF[each] for each in seen.get(kind, ())} == self.model.members(kind), kind
        ring = seen.get("ring", [])
        assert len(ring) == len(set(ring))
        served = [batch for batch in ring if batch not in self.model.cancelled]
        for name, twin in self.model.jobs.items():
            lines = [batch for batch in served if rid(name) in seen.get(f"queued:{batch}", ())]
            wanted = twin.refs.keys() - self.model.cancelled
            assert not (twin.waits and wanted) or wanted & set(lines), (
                f"{name} is in no line that would take it"
            )

    def _counters_are_what_a_recount_says(self, batch: str, fields: dict[str, str]) -> None:
        counts = {name[2:]: int(count) for name, count in fields.items() if name[:2] == "n:" and count != "0"}
        assert counts == self.model.counts(batch)
        assert int(fields["rows"]) == self.model.rows.get(batch, 0) == sum(counts.values())
        assert int(fields.get("reused", 0)) == self.model.reused.get(batch, 0)
        assert int(fields.get("duplicate", 0)) == self.model.duplicate.get(batch, 0)
        assert int(fields["open"]) == self.model.open(batch)
        complete = batch in self.model.sealed and self.model.open(batch) == 0
        assert ("completed_ms" in fields) == complete
        spent = int(fields.get("spent", 0))
        assert spent == self.model.spent.get(batch, 0)
        # Beside it stand tasks that were named though their order had been given back: they were bought all the same.
        assert self.budget == 0 or spent <= self.budget + self.model.uncounted.get(batch, 0)
        charged = int(fields.get("charged", 0))
        assert charged == self.model.charged.get(batch, 0)

    def _orders_are_what_is_counted(self, batch: str, seen: dict[str, Any]) -> None:
        """What the jobs say of their orders is what the batch's counters say; permits are counted and are no orders yet."""
        jobs = [(key[4:], fields) for key, fields in seen.items() if key.startswith("job:")]
        orders = [one for name, fields in jobs for one in orders_of(name, fields)]
        found = Counter(one.money for one in orders if one.batch == batch)
        charged, spent = (int(seen[f"batch:{batch}"].get(name, 0)) for name in ("charged", "spent"))
        permits = sum(twin.paid == batch and twin.state == "queued" for twin in self.model.jobs.values())
        assert found[Money.FOR_SURE] == charged
        assert found[Money.FOR_SURE] + found[Money.PERHAPS] + permits == spent

    def _every_end_is_told(self, batch: str, outbox: list[Any], jobs: dict[str, Job]) -> None:
        told = {(entry.get("job"), entry.get("v")) for _, entry in outbox}
        for request_id, job in jobs.items():
            if job.state in ENDED and batch in job.refs:
                assert (request_id, str(job.version)) in told
        rows = [entry["row"] for _, entry in outbox if "row" in entry]
        lost = self.model.bad.get(batch, 0) + self.model.left.get(batch, 0)
        assert len(set(rows)) >= lost
        assert self.changed or len(rows) == lost

    # -- small things ------------------------------------------------------------------------------------

    def _pick(self, pick: int, meant: Callable[[Twin], object]) -> str:
        """Mostly one that the step is meant for, or most runs would never get far."""
        fitting = sorted(name for name, twin in self.model.jobs.items() if meant(twin))
        return fitting[pick % len(fitting)] if pick and fitting else NAMES[pick % len(NAMES)]

    def _twin(self, name: str) -> Twin | None:
        return self.model.jobs.get(name)

    def _claim(self, name: str, whose: str) -> str:
        twin = self._twin(name)
        match whose:
            case "own" if twin is not None and twin.claim:
                return twin.claim
            case "former" if self.claims[name]:
                return self.claims[name][0]
            case _:
                return "stranger"

    def _task(self, name: str, former: bool) -> TaskId:
        twin = self._twin(name)
        if former and self.former_tasks[name]:
            return TaskId(self.former_tasks[name][0])
        return TaskId((twin.task if twin is not None else None) or "no-task")

    def _has(self, name: str, task: str) -> bool:
        twin = self._twin(name)
        return twin is not None and twin.state == "submitted" and twin.task == task

    def _renounce(self, name: str, claim: str) -> None:
        """Who gave a permit back, or lost it before its intent, never says afterwards that it was accepted."""
        self.model.jobs[name].was = None
        self.driver.ledger.client.hdel(self.driver.ledger.key("job", rid(name)), "was")
        assert claim

    def _twice(self, call: Call[Any]) -> Any:
        """Runs a step whose reply is lost, so that it is sent again at once."""
        reply = self.driver.ledger.run(call)
        before = self.driver.snapshot()
        assert self.driver.ledger.run(call) == reply
        assert self.driver.snapshot() == before
        return reply

    def _run(self, call: Call[Any], *, replay: bool) -> Any:
        """Runs a step with a token; its reply may be lost, so that it runs twice."""
        reply = self.driver.ledger.run(call)
        self.history.append(call)
        if replay:
            before = self.driver.snapshot()
            self.driver.ledger.run(call)
            assert self.driver.snapshot() == before
        return reply


@pytest.fixture
def machine(ledger: Ledger) -> Iterator[type[LedgerMachine]]:
    LedgerMachine.ledger = ledger
    yield LedgerMachine
    del LedgerMachine.ledger


def test_any_order_of_steps_leaves_the_ledger_as_the_model_says(machine: type[LedgerMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=100,
            stateful_step_count=60,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        ),
    )
