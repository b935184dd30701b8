"""Callbacks that are lost, doubled, early, late, forged, or that nobody hears."""

import sys
import threading
import time
from pathlib import Path

import httpx

from tests.faults.nights import at, struck
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.servers import free_port
from tests.faults.stage import Setup, Stage
from tests.faults.verdict import Verdict, judge


def _callback_setup(**env: str) -> tuple[Setup, dict[str, str]]:
    port = free_port()
    receiver = {"VTON_CALLBACKS__PUBLIC_URL": f"http://127.0.0.1:{port}", "VTON_CALLBACKS__PORT": str(port)}
    return Setup(
        latency_s=0.8, env={**receiver, **env}, started=False, simulator=("--callback-shape", "mixed")
    ), receiver


def _with_receiver(stage: Stage) -> None:
    stage.crew.add_program("receiver", (sys.executable, "-m", "worker.receiver"))
    stage.crew.start()
    stage.until(stage.ready, "workers and receiver are ready")


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
    with Stage(folder, setup) as stage:
        _with_receiver(stage)
        stage.simulator.set_faults(rules)
        batch = stage.enqueue("night", range(100))
        stage.finish(batch, within_s=200)
        # A late callback may still resolve what is unknown.
        pause(3)
        stage.finish(batch, within_s=60)
        verdict = judge(stage, batch, unknown_at_most=4)
        by = [job.source for job in stage.jobs(batch).values()]
        told = stage.simulator.totals()["callbacks"]
        return Outcome(
            verdict=verdict,
            faults=sum(struck(stage).values()),
            broken=[] if by.count("callback") else ["no end was learnt by a callback"],
            note=f"{by.count('callback')} ends learnt by callback, {by.count('poll')} by poll;"
            f" {4 - verdict.unknown} of 4 unknown resolved; sent {told}",
        )


@scenario("callbacks", "the receiver down all night")
def _no_receiver(folder: Path) -> Outcome:
    setup, _ = _callback_setup()
    with Stage(folder, setup) as stage:
        stage.crew.start()
        stage.until(stage.ready, "the workers are ready")
        batch = stage.enqueue("night", range(60))
        took = stage.finish(batch, within_s=200)
        return Outcome(verdict=judge(stage, batch), faults=60, note=f"60 jobs in {took:.0f} s, all by polls")


@scenario("callbacks", "10,000 forged callbacks")
def _forged(folder: Path) -> Outcome:
    """No job is touched: Redis is not told to write a byte."""
    setup, receiver = _callback_setup()
    with Stage(folder, setup) as stage:
        stage.crew.add_program("receiver", (sys.executable, "-m", "worker.receiver")).start()
        stage.until(stage.ready, "the receiver is ready")
        batch = stage.enqueue("night", range(50))
        ids = sorted(stage.jobs(batch))
        address = receiver["VTON_CALLBACKS__PUBLIC_URL"]
        stage.until(lambda: _answers(address), "the receiver answers")
        before, states = stage.redis.written(), stage.jobs(batch)
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
        same = stage.jobs(batch) == states and stage.redis.written() == before
        broken = [] if same else ["a forged callback changed the ledger"]
        broken += [] if set(codes) == {404} else [f"answers: {codes}"]
        return Outcome(
            verdict=Verdict(jobs=len(ids)),
            faults=sum(codes.values()),
            broken=broken,
            note=f"answers: {codes}; 0 bytes written to the ledger",
        )


def _answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code == 404
    except httpx.TransportError:
        return False
