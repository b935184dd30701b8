"""The soak: random faults under load for as long as wanted, then the invariants and what grew."""

import random
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.records import BatchId
from tests.faults.nights import unknowable
from tests.faults.outcome import Outcome
from tests.faults.pause import pause
from tests.faults.stage import Setup, Stage
from tests.faults.verdict import judge

#: Growth from the first third to the last that is still called none: allocators and caches settle.
MB_ALLOWED = 48.0
DESCRIPTORS_ALLOWED = 40

_VENDOR: list[dict[str, Any]] = [
    {"at": "submit", "do": "reset-after", "when": {"every": 97}},
    {"at": "submit", "do": "503", "when": {"every": 61}},
    {"at": "submit", "do": "429", "retry_after": 1.0, "when": {"every": 89}},
    {"at": "task", "do": "failed", "when": {"every": 37}},
    {"at": "task", "do": "moderated", "when": {"every": 83}},
    {"at": "poll", "do": "status", "each": 1, "when": {"every": 23}},
    {"at": "poll", "do": "timeout", "each": 1, "when": {"every": 71}},
    {"at": "download", "do": "404", "each": 1, "when": {"every": 29}},
    {"at": "download", "do": "corrupt", "each": 1, "when": {"every": 43}},
    {"at": "download", "do": "truncated", "each": 1, "when": {"every": 53}},
]


@dataclass(slots=True)
class Soak:
    """One soak."""

    stage: Stage
    dice: random.Random
    faults: int = 0
    #: POSTs that were under way whenever something was killed.
    accounted: int = 0
    batches: list[BatchId] = field(default_factory=list)
    #: (seconds, processes' resident MB, descriptors) of workers that live long.
    sizes: list[tuple[float, float, int]] = field(default_factory=list)

    def fault(self) -> None:
        """One fault of the list, at random."""
        stage, dice = self.stage, self.dice
        kind = dice.choice(("kill", "kill", "term", "stop", "reset", "lose", "delay", "redis"))
        victims = [worker for worker in stage.crew.workers if worker.ready and not worker.name.endswith("-1")]
        if kind in {"kill", "term", "stop"} and not victims:
            return
        self.faults += 1
        match kind:
            case "kill":
                self.accounted += len(stage.submitting())
                dice.choice(victims).kill()
            case "term":
                dice.choice(victims).signal(signal.SIGTERM, group=False)
            case "stop":
                victim = dice.choice(victims)
                victim.signal(signal.SIGSTOP)
                pause(dice.uniform(0.5, 3))
                victim.signal(signal.SIGCONT)
                self.accounted += len(stage.submitting())
            case "reset":
                stage.redis_proxy.reset_all()
            case "lose":
                stage.redis_proxy.lose_every = 25
                pause(3)
                stage.redis_proxy.lose_every = 0
            case "delay":
                stage.redis_proxy.delay_s = 0.1
                pause(4)
                stage.redis_proxy.delay_s = 0
            case _:
                self.accounted += len(stage.submitting())
                stage.redis.kill()
                pause(dice.uniform(0.2, 4))
                stage.redis.start()

    def feed(self) -> None:
        """Keeps enough work waiting."""
        if self.stage.ledger.queued_total() < 60:
            number = len(self.batches)
            self.batches.append(
                self.stage.enqueue(f"batch-{number}", range(200 * number, 200 * number + 220))
            )

    def measure(self, at_s: float) -> None:
        """Notes the size of the workers that are never killed."""
        megabytes, descriptors = 0.0, 0
        for worker in self.stage.crew.workers:
            if worker.name.endswith("-1") and worker.alive:
                for process in worker.processes():
                    megabytes += process.memory_info().rss / 1e6
                    descriptors += process.num_fds()
        self.sizes.append((at_s, megabytes, descriptors))

    def growth(self) -> tuple[float, int]:
        """Medians of the last third less those of the second."""
        third = max(1, len(self.sizes) // 3)
        middle, last = self.sizes[third : 2 * third] or self.sizes, self.sizes[-third:]
        return _median([one[1] for one in last]) - _median([one[1] for one in middle]), int(
            _median([one[2] for one in last]) - _median([one[2] for one in middle])
        )


def soak(folder: Path, minutes: float, *, seed: int) -> Outcome:
    """Random faults for so many minutes, then a quiet end."""
    setup = Setup(
        submit=3, collect=3, threads=4, in_flight=20, per_minute=900, latency_s=0.5, redis_proxy=True
    )
    with Stage(folder, setup) as stage:
        stage.simulator.set_faults([dict(rule) for rule in _VENDOR])
        run = Soak(stage, random.Random(seed))
        began = time.monotonic()
        while (at_s := time.monotonic() - began) < minutes * 60:
            run.feed()
            run.fault()
            run.measure(at_s)
            _breathe(stage, run.dice.uniform(0.5, 3))
        stage.finish(*run.batches, within_s=600)
        verdict = judge(stage, *run.batches, unknown_at_most=run.accounted + unknowable(stage))
        megabytes, descriptors = run.growth()
        broken = [f"{megabytes:.0f} MB more than before"] if megabytes > MB_ALLOWED else []
        broken += [f"{descriptors} descriptors more than before"] if descriptors > DESCRIPTORS_ALLOWED else []
        return Outcome(
            verdict=verdict,
            faults=run.faults + sum(stage.simulator.totals()["faults"].values()),
            broken=broken,
            note=f"{minutes:g} min, seed {seed}, {run.faults} of our faults, the rest the vendor's; workers that lived"
            f" through it all grew by {megabytes:.1f} MB and {descriptors} descriptors;"
            f" {run.accounted + unknowable(stage)} unknown could be accounted for",
        )


def _breathe(stage: Stage, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        stage.crew.poll()
        pause(0.05)


def _median(numbers: list[float] | list[int]) -> float:
    return sorted(numbers)[len(numbers) // 2] if numbers else 0.0
