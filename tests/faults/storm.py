"""The kill storm: workers die faster than they can begin."""

import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from jobs.records import BatchId, JobState
from tests.faults.kills import hurry_on
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.processes import Worker
from tests.faults.proxy import Proxy
from tests.faults.rig import Rig, Setup
from tests.faults.verdict import judge

#: From a victim's stop until all it had sent has come to the proxy, s.
SETTLED_S = 0.02


class Storm:
    """Kills workers at random and counts, each time in two readings, what of the victim was under way just then."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self._rig = rig
        self._dice = random.Random(seed)
        self._next = 0.0
        self.kills = 0
        #: In the ledger: intents of the dead that were open, by id and claim.
        self.intents: set[tuple[str, str]] = set()
        #: On the wire: POSTs of the dead that had gone up and were not answered, by id.
        self.unanswered: set[str] = set()

    def turn(self) -> None:
        """Kills one worker if it is time.

        It is stopped first, for as long as ledger and wire are read: what it runs no further is dated from there.
        """
        now = time.monotonic()
        able = [worker for worker in self._rig.processes.workers if worker.ready]
        if now < self._next or not able:
            return
        self._next = now + self._dice.uniform(0.1, 0.3)
        victim = self._dice.choice(able)
        submitters = self._rig.processes.of("submit")
        if victim in submitters:
            self._read(victim, self._rig.wires[submitters.index(victim)])
        else:
            victim.kill()
        self.kills += 1

    def _read(self, victim: Worker, wire: Proxy) -> None:
        # What is answered while the victim stands still, it never hears of: the answer waits until it is dead.
        with wire.replies_held():
            victim.signal(signal.SIGSTOP)
            # What it had sent already is still on its way through the proxy.
            pause(SETTLED_S)
            self.unanswered |= wire.unanswered()
            self.intents |= {
                (request_id, claim)
                for request_id, claim in self._rig.submitting().items()
                if self._may_be_of(request_id, wire)
            }
            victim.kill()

    def _may_be_of(self, request_id: str, victims: Proxy) -> bool:
        """Whether its POST went through the victim's wire, or through none yet."""
        wires = [wire for wire in self._rig.wires if request_id in wire.posted]
        return not wires or victims in wires


def kill_storm(
    folder: Path,
    *,
    jobs: int,
    kills: int,
    per_minute: int,
    submit: int = 4,
    collect: int = 2,
    hurry: bool = False,
) -> Outcome:
    """Some workers, one of them killed every 0.1 to 0.3 s as long as any is up."""
    setup = Setup(
        submit=submit,
        collect=collect,
        threads=4,
        per_minute=per_minute,
        in_flight=20,
        latency_s=0.4,
        submit_delay_s=0.05 if hurry else 0.2,
        wires=True,
    )
    with Rig(folder, setup) as rig:
        batch = rig.enqueue("batch", range(jobs))
        rig.until(lambda: rig.arrived(3), "submits have begun")
        storm = Storm(rig, seed=1)

        def over() -> bool:
            storm.turn()
            return storm.kills >= kills or not rig.ledger.queued_total()

        rig.until(over, f"{kills} kills", within_s=900, step_s=0.02)
        ended = time.monotonic()
        if hurry:
            hurry_on(rig, batch)
        rig.finish(batch, within_s=600)
        verdict = judge(rig, batch, unknown_at_most=len(storm.intents))
        reading = _on_the_wire(rig, batch, storm)
        return Outcome(
            verdict=verdict,
            faults=storm.kills,
            recovery_s=None,
            note=f"{verdict.unknown} unknown; in the ledger {len(storm.intents)} intents open at the kills; on the wire"
            f" {reading.note}; {time.monotonic() - ended:.0f} s from the last kill to the end",
            broken=[
                *([] if storm.kills >= kills else [f"only {storm.kills} kills before the jobs were over"]),
                *reading.broken,
            ],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the wire says of the unknown jobs."""

    note: str
    broken: list[str]


def _on_the_wire(rig: Rig, batch: BatchId, storm: Storm) -> Reading:
    """Every unknown job was under way when somebody died, and every POST that was is unknown: id by id, not by count.

    Most were POSTs without an answer. Between the intent and the first byte, and between the last byte of the answer and
    its record, the wire shows nothing: who died there must have had an open intent, and is named apart in the note.
    """
    states = {rid: job.state for rid, job in rig.jobs(batch).items()}
    unknown = {rid for rid, state in states.items() if state is JobState.UNKNOWN}
    silent = unknown - storm.unanswered
    went_up = set().union(*(wire.posted for wire in rig.wires))
    unsent = silent - went_up
    broken = []
    strangers = silent - {rid for rid, _ in storm.intents}
    if strangers:
        broken.append(f"{len(strangers)} unknown were not under way at any kill")
    moved = [states[rid].value for rid in storm.unanswered - unknown]
    if moved:
        broken.append(f"{len(moved)} POSTs unanswered at a kill are not unknown but {sorted(set(moved))}")
    bought = unsent & {task["request_id"] for task in rig.simulator.tasks()}
    if bought:
        broken.append(f"{len(bought)} unknown were bought past the wire")
    return Reading(
        note=f"{len(storm.unanswered)} POSTs unanswered at the kills; of the unknown {len(unsent)} were not yet sent and"
        f" {len(silent - unsent)} answered and not yet recorded",
        broken=broken,
    )


@scenario("kill storm", "kill storm: 2,400 jobs, 6 workers, 120 kills")
def _storm(folder: Path) -> Outcome:
    return kill_storm(folder, jobs=2400, kills=120, per_minute=1200)
