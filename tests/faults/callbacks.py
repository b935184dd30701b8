"""Callbacks that are lost, doubled, early, late, forged, or that nobody hears."""

import sys
import threading
import time
from pathlib import Path

import httpx
import redis

from jobs.records import BatchId
from tests.faults.batch_runs import at, struck
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.rig import PREFIX, VTON, Rig, Setup
from tests.faults.verdict import Verdict, judge
from tests.ports import free_port


def _callback_setup(**env: str) -> tuple[Setup, dict[str, str]]:
    port = free_port()
    receiver = {"VTON_CALLBACKS__PUBLIC_URL": f"http://127.0.0.1:{port}", "VTON_CALLBACKS__PORT": str(port)}
    return Setup(
        latency_s=0.8, env={**receiver, **env}, started=False, simulator=("--callback-shape", "mixed")
    ), receiver


def _with_receiver(rig: Rig) -> None:
    rig.processes.add_program("receiver", (sys.executable, "-m", "worker.callbacks"))
    rig.processes.start()
    rig.until(rig.ready, "workers and receiver are ready")


@scenario(
    "callbacks",
    "never, twice, early, late, forged, out of order, huge, in four shapes; unknown resolved by them",
)
def _callbacks(folder: Path) -> Outcome:
    setup, _ = _callback_setup()
    rules = [
        {"at": "callback", "do": name, "when": {"every": n}}
        for name, n in (
            ("never", 5),
            ("twice", 3),
            ("early", 7),
            ("late", 11),
            ("forged", 4),
            ("out-of-order", 13),
            ("huge", 17),
        )
    ]
    rules += at("submit", reset_after={"ordinals": [9, 21, 33, 45]})
    with Rig(folder, setup) as rig:
        _with_receiver(rig)
        rig.simulator.set_faults(rules)
        batch = rig.enqueue("batch", range(100))
        rig.finish(batch, within_s=200)
        # A late callback may still resolve what is unknown.
        pause(3)
        rig.finish(batch, within_s=60)
        verdict = judge(rig, batch, unknown_at_most=4)
        by = [job.source for job in rig.jobs(batch).values()]
        reported = rig.simulator.totals()["callbacks"]
        return Outcome(
            verdict=verdict,
            faults=sum(struck(rig).values()),
            broken=[] if by.count("callback") else ["no end was learnt by a callback"],
            note=f"{by.count('callback')} ends learnt by callback, {by.count('poll')} by poll;"
            f" {4 - verdict.unknown} of 4 unknown resolved; sent {reported}",
        )


@scenario("callbacks", "the receiver down all night")
def _no_receiver(folder: Path) -> Outcome:
    setup, _ = _callback_setup()
    with Rig(folder, setup) as rig:
        rig.processes.start()
        rig.until(rig.ready, "the workers are ready")
        batch = rig.enqueue("batch", range(60))
        took = rig.finish(batch, within_s=200)
        return Outcome(verdict=judge(rig, batch), faults=60, note=f"60 jobs in {took:.0f} s, all by polls")


#: How long the receiver is away, s: longer than the vendor tries.
AWAY_S = 12


@scenario("callbacks", f"the receiver killed mid-run, back after {AWAY_S} s")
def _receiver_dies(folder: Path) -> Outcome:
    """Callbacks have proven to arrive, and polls rely on them, when they stop coming."""
    setup, _ = _callback_setup()
    with Rig(folder, setup) as rig:
        receiver = rig.processes.add_program("receiver", (sys.executable, "-c", VTON, "serve"))
        rig.processes.start()
        rig.until(rig.ready, "workers and receiver are ready")
        batch = rig.enqueue("batch", range(400))
        rig.until(lambda: rig.arrived(100), "submits have begun", step_s=0.01)
        receiver.restarted = False
        receiver.kill()
        died = time.time()
        pause(AWAY_S)
        back = time.time()
        receiver.start()
        rig.until(rig.ready, "the receiver is back")
        again = time.time()
        took = rig.finish(batch, within_s=240)
        waits = _waits(rig, batch)
        sources = {job.request_id: job.source for job in rig.jobs(batch).values()}
        reported = [rid for rid, (ended, _) in waits.items() if ended > again and sources[rid] == "callback"]
        spans = {
            "before": [wait for ended, wait in waits.values() if ended < died - 1],
            "while it was away": [wait for ended, wait in waits.values() if died < ended < back],
            "after": [wait for ended, wait in waits.values() if ended > again],
        }
        broken = [] if reported else ["no end was learnt by a callback after the receiver was back"]
        if not spans["while it was away"]:
            broken.append("nothing ended while the receiver was away")
        return Outcome(
            verdict=judge(rig, batch),
            faults=1,
            recovery_s=max(spans["while it was away"], default=None),
            broken=broken,
            note="longest wait of an ended task until the ledger knew; waits "
            + ", ".join(f"{when}: {_spread(found)}" for when, found in spans.items())
            + f"; {len(reported)} ends learnt by callback after it was back; {took:.0f} s in all",
        )


def _waits(rig: Rig, batch: BatchId) -> dict[str, tuple[float, float]]:
    """Job → when its task ended at the vendor (epoch s), and how long the ledger did not know (s)."""
    ended = {task["request_id"]: task["ended"] for task in rig.simulator.tasks()}
    return {
        job.request_id: (ended[job.request_id], job.ended_ms / 1000 - ended[job.request_id])
        for job in rig.jobs(batch).values()
        if job.ended_ms is not None
    }


def _spread(waits: list[float]) -> str:
    if not waits:
        return "none"
    return f"{len(waits)} tasks, median {sorted(waits)[len(waits) // 2]:.2f} s, longest {max(waits):.1f} s"


def _content(rig: Rig) -> dict[str, bytes]:
    """Every key of the ledger as Redis dumps it, but for the signs of life and the clock that goes on with them."""
    with redis.Redis.from_url(rig.redis.url(), db=1) as client:
        names = sorted(client.scan_iter(f"{PREFIX}:*"))
        beside = {f"{PREFIX}:heartbeats".encode(), f"{PREFIX}:clock".encode()}
        return {name.decode(): client.dump(name) for name in names if name not in beside}


@scenario("callbacks", "10,000 forged callbacks")
def _forged(folder: Path) -> Outcome:
    """No job is touched: nothing in the ledger is another one, but for the receiver's own sign of life."""
    setup, receiver = _callback_setup()
    with Rig(folder, setup) as rig:
        rig.processes.add_program("receiver", (sys.executable, "-m", "worker.callbacks")).start()
        rig.until(rig.ready, "the receiver is ready")
        batch = rig.enqueue("batch", range(50))
        ids = sorted(rig.jobs(batch))
        address = receiver["VTON_CALLBACKS__PUBLIC_URL"]
        rig.until(lambda: _answers(address), "the receiver answers")
        before, states = _content(rig), rig.jobs(batch)
        codes: dict[int, int] = {}
        lock = threading.Lock()

        def forge(part: int) -> None:
            with httpx.Client() as client:
                for n in range(2500):
                    rid, expiry = ids[n % len(ids)], int(time.time()) + (86400 if n % 3 else -5)
                    mac = ("0" * 64, "A" * 43, f"{n * 7919 + part:064x}", "", rid)[n % 5]
                    body = {"request_id": rid, "result": {"task_id": f"forged-{n}", "sub_task_results": []}}
                    code = client.post(f"{address}/callbacks/{rid}/{expiry}/{mac}", json=body).status_code
                    with lock:
                        codes[code] = codes.get(code, 0) + 1

        threads = [threading.Thread(target=forge, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        same = rig.jobs(batch) == states and _content(rig) == before
        broken = [] if same else ["a forged callback changed the ledger"]
        broken += [] if set(codes) == {404} else [f"answers: {codes}"]
        return Outcome(
            verdict=Verdict(jobs=len(ids)),
            faults=sum(codes.values()),
            broken=broken,
            note=f"answers: {codes}; nothing in the ledger was changed",
        )


def _answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code == 404
    except httpx.TransportError:
        return False
