"""The soak: random faults under load for as long as wanted, then the invariants and what grew."""

import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from jobs.records import BatchId
from tests.faults.batch_runs import unknowable
from tests.faults.outcome import Outcome
from tests.faults.pause import pause
from tests.faults.rig import Rig, Setup
from tests.faults.verdict import judge

#: Growth from the first third to the last that is still called none, per process kind: allocators and caches settle.
MB_ALLOWED = 48.0
DESCRIPTORS_ALLOWED = 40
#: What Redis may hold for each job, KB: it keeps every job of the soak, so it grows with them and with nothing else.
REDIS_KB_A_JOB = 12.0
#: Redis' own size and its buffers, MB.
REDIS_MB = 16.0
#: Jobs of a soak of any length, so that its files have an end; a longer one has a slower account.
JOBS_AT_MOST = 20_000
#: And what these files may take, MB.
DISK_MB_ALLOWED = 1_500.0

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


#: Queues, each with its kind of process.
KINDS = ("submit", "collect")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A worker, its master and what that has started, at one moment."""

    #: Resident memory, MB.
    megabytes: float
    #: Open file descriptors.
    descriptors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """The medians of the first third of a soak and of its last."""

    kind: str
    first: Size
    last: Size

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.first.megabytes:.0f} to {self.last.megabytes:.0f} MB,"
            f" {self.first.descriptors} to {self.last.descriptors} descriptors"
        )

    def beyond(self) -> list[str]:
        """What grew by more than is allowed."""
        megabytes = self.last.megabytes - self.first.megabytes
        descriptors = self.last.descriptors - self.first.descriptors
        found = []
        if megabytes > MB_ALLOWED:
            found.append(f"{self.kind} grew by {megabytes:.0f} MB, allowed {MB_ALLOWED:g}")
        if descriptors > DESCRIPTORS_ALLOWED:
            found.append(f"{self.kind} grew by {descriptors} descriptors, allowed {DESCRIPTORS_ALLOWED}")
        return found


@dataclass(slots=True)
class Soak:
    """One soak."""

    rig: Rig
    dice: random.Random
    faults: int = 0
    #: POSTs that were under way whenever something was killed.
    accounted: int = 0
    batches: list[BatchId] = field(default_factory=list)
    #: By process kind, in the order of time: of the worker of each kind that no fault ends.
    sizes: dict[str, list[Size]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def fault(self) -> None:
        """One fault of the list, at random."""
        rig, dice = self.rig, self.dice
        kind = dice.choice(("kill", "kill", "term", "stop", "reset", "lose", "delay", "redis"))
        victims = [
            worker for worker in rig.processes.workers if worker.ready and not worker.name.endswith("-1")
        ]
        if kind in {"kill", "term", "stop"} and not victims:
            return
        self.faults += 1
        match kind:
            case "kill":
                self.accounted += len(rig.submitting())
                dice.choice(victims).kill()
            case "term":
                dice.choice(victims).signal(signal.SIGTERM, group=False)
            case "stop":
                victim = dice.choice(victims)
                victim.signal(signal.SIGSTOP)
                pause(dice.uniform(0.5, 3))
                victim.signal(signal.SIGCONT)
                self.accounted += len(rig.submitting())
            case "reset":
                rig.redis_proxy.reset_all()
            case "lose":
                rig.redis_proxy.lose_every = 25
                pause(3)
                rig.redis_proxy.lose_every = 0
            case "delay":
                rig.redis_proxy.delay_s = 0.1
                pause(4)
                rig.redis_proxy.delay_s = 0
            case _:
                self.accounted += len(rig.submitting())
                rig.redis.kill()
                pause(dice.uniform(0.2, 4))
                rig.redis.start()

    def feed(self) -> None:
        """Keeps enough work waiting."""
        if self.rig.ledger.queued_total() < 60:
            number = len(self.batches)
            self.batches.append(self.rig.enqueue(f"batch-{number}", range(200 * number, 200 * number + 220)))

    def measure(self) -> None:
        """Notes the size of the workers that are never killed."""
        for kind in KINDS:
            processes = self.rig.processes.of(kind)[0].processes()
            with suppress(psutil.NoSuchProcess):
                self.sizes[kind].append(
                    Size(
                        megabytes=sum(process.memory_info().rss for process in processes) / 1e6,
                        descriptors=sum(process.num_fds() for process in processes),
                    )
                )

    def growth(self) -> list[Growth]:
        """What each kind of process has grown by, from the first third to the last."""
        found = []
        for kind, sizes in self.sizes.items():
            third = max(1, len(sizes) // 3)
            found.append(Growth(kind=kind, first=_median(sizes[:third]), last=_median(sizes[-third:])))
        return found


def soak(folder: Path, minutes: float, *, seed: int) -> Outcome:
    """Random faults for so many minutes, then a quiet end."""
    setup = Setup(
        submit=3,
        collect=3,
        threads=4,
        in_flight=20,
        per_minute=int(min(900, max(30, JOBS_AT_MOST / minutes))),
        latency_s=0.5,
        redis_proxy=True,
    )
    with Rig(folder, setup) as rig:
        rig.simulator.set_faults([dict(rule) for rule in _VENDOR])
        run = Soak(rig, random.Random(seed))
        began = time.monotonic()
        while time.monotonic() - began < minutes * 60:
            run.feed()
            run.fault()
            run.measure()
            _breathe(rig, run.dice.uniform(0.5, 3))
        rig.finish(*run.batches, within_s=600)
        redis_mb = int(rig.ledger.client.info("memory")["used_memory"]) / 1e6
        verdict = judge(rig, *run.batches, unknown_at_most=run.accounted + unknowable(rig))
        growth, disk_mb = run.growth(), _disk_mb(folder)
        broken = [line for one in growth for line in one.beyond()]
        # One that was started again has another's size.
        broken += [
            f"{rig.processes.of(kind)[0].name} ended by itself"
            for kind in KINDS
            if rig.processes.of(kind)[0].starts > 1
        ]
        if redis_mb > REDIS_MB + verdict.jobs * REDIS_KB_A_JOB / 1000:
            broken.append(f"Redis holds {redis_mb:.0f} MB for {verdict.jobs} jobs")
        if disk_mb > DISK_MB_ALLOWED:
            broken.append(f"{disk_mb:.0f} MB of files, allowed {DISK_MB_ALLOWED:g}")
        return Outcome(
            verdict=verdict,
            faults=run.faults + sum(rig.simulator.totals()["faults"].values()),
            broken=broken,
            note=f"{minutes:g} min, seed {seed}, {run.faults} of our faults, the rest the vendor's; from the first third"
            f" to the last: {'; '.join(map(str, growth))} (allowed: {MB_ALLOWED:g} MB, {DESCRIPTORS_ALLOWED}"
            f" descriptors); Redis {redis_mb:.1f} MB in the end; {disk_mb:.0f} MB of files;"
            f" {run.accounted + unknowable(rig)} unknown could be accounted for",
        )


def _breathe(rig: Rig, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        rig.processes.poll()
        pause(0.05)


def _median(sizes: list[Size]) -> Size:
    middle = len(sizes) // 2
    return Size(
        megabytes=sorted(one.megabytes for one in sizes)[middle],
        descriptors=sorted(one.descriptors for one in sizes)[middle],
    )


def _disk_mb(folder: Path) -> float:
    """What the run has written; a picture that a batch folder links to counts once."""
    files = {found.st_ino: found.st_size for path in folder.rglob("*") if (found := path.lstat())}
    return sum(files.values()) / 1e6
