"""The kill storm: workers die faster than they can begin."""

import random
import signal
import time
from pathlib import Path

from tests.faults.crew import Worker
from tests.faults.kills import hurry_on
from tests.faults.outcome import Outcome, scenario
from tests.faults.stage import Setup, Stage
from tests.faults.verdict import judge


class Storm:
    """Kills workers at random and counts the intents of each that were open when it stopped running."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._dice = random.Random(seed)
        self._next = 0.0
        self.kills = 0
        #: Intents of the dead, by id and claim: what may be unknown.
        self.open_at_death: set[tuple[str, str]] = set()

    def turn(self) -> None:
        """Kills one worker if it is time.

        It is stopped first, for as long as the ledger is read: what it runs no further is dated from there.
        """
        now = time.monotonic()
        able = [worker for worker in self._stage.crew.workers if worker.ready]
        if now < self._next or not able:
            return
        self._next = now + self._dice.uniform(0.1, 0.3)
        victim = self._dice.choice(able)
        victim.signal(signal.SIGSTOP)
        if victim in self._stage.crew.of("submit"):
            self.open_at_death |= {
                (request_id, claim)
                for request_id, claim in self._stage.submitting().items()
                if self._may_be_of(victim, request_id)
            }
        victim.kill()
        self.kills += 1

    def _may_be_of(self, victim: Worker, request_id: str) -> bool:
        """Whether its POST went through the victim's wire, or through none yet."""
        wires = [wire for wire in self._stage.wires if request_id in wire.posted]
        return not wires or self._stage.wires[self._stage.crew.of("submit").index(victim)] in wires


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
    with Stage(folder, setup) as stage:
        batch = stage.enqueue("night", range(jobs))
        stage.until(lambda: stage.arrived(3), "submits have begun")
        storm = Storm(stage, seed=1)

        def over() -> bool:
            storm.turn()
            return storm.kills >= kills or not stage.ledger.queued_total()

        stage.until(over, f"{kills} kills", within_s=900, step_s=0.02)
        ended = time.monotonic()
        if hurry:
            hurry_on(stage, batch)
        stage.finish(batch, within_s=600)
        verdict = judge(stage, batch, unknown_at_most=len(storm.open_at_death))
        wire = sum(proxy.orphaned for proxy in stage.wires)
        return Outcome(
            verdict=verdict,
            faults=storm.kills,
            recovery_s=None,
            note=f"{len(storm.open_at_death)} intents open at the kills ({wire} POSTs unanswered on the wire);"
            f" {time.monotonic() - ended:.0f} s from the last kill to the end",
            broken=[] if storm.kills >= kills else [f"only {storm.kills} kills before the jobs were over"],
        )


@scenario("kill storm", "kill storm: 2,400 jobs, 6 workers, 120 kills")
def _storm(folder: Path) -> Outcome:
    return kill_storm(folder, jobs=2400, kills=120, per_minute=1200)
