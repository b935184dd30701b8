"""An account that is closed, empty, locked out or gone."""

import time
from pathlib import Path

from tests.faults.batch_runs import Rules, at, struck
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.rig import Rig, Setup
from tests.faults.verdict import judge


def _account_over(folder: Path, rules: Rules, reason: str, *, setup: Setup | None = None) -> Outcome:
    """The account stops working mid-run and is fixed by a person."""
    with Rig(folder, setup or Setup(in_flight=5)) as rig:
        batch = rig.enqueue("batch", range(240))
        rig.until(lambda: rig.arrived(20), "submits have begun", step_s=0.01)
        before = len(rig.simulator.arrivals())
        if rules:
            rig.simulator.set_faults(rules)
        rig.until(lambda: rig.ledger.gate().breaker, "the breaker opens", step_s=0.02)
        pause(2)
        reported = rig.ledger.gate().breaker or "closed"
        refused = rig.simulator.totals()["refused"]
        further = sum(refused.get(kind, 0) for kind in ("fault", "credits"))
        rig.simulator.set_faults([])
        rig.simulator.top_up(None)
        since = time.time()
        rig.vton("resume")
        going = rig.going_again(since)
        rig.finish(batch)
        broken = [] if reported == reason else [f"the breaker says {reported}, not {reason}"]
        if further > rig.setup.in_flight + 1:
            broken.append(f"{further} further submits")
        return Outcome(
            verdict=judge(rig, batch),
            faults=further,
            recovery_s=going,
            broken=broken,
            note=f"{further} submits refused (after {before}), then none until `vton resume`",
        )


@scenario("account", "401 mid-run")
def _unauthorized(folder: Path) -> Outcome:
    # A refused token is tried once more by each submit under way.
    return _account_over(folder, at("submit", unauthorized={}), "token", setup=Setup(in_flight=5, threads=2))


@scenario("account", "2007: credits run out, then a top-up")
def _credits(folder: Path) -> Outcome:
    return _account_over(folder, [], "credits", setup=Setup(in_flight=5, simulator=("--credits", "30")))


@scenario("account", "2031: module removed")
def _module(folder: Path) -> Outcome:
    return _account_over(folder, at("submit", code={"more": {"code": 2031}}), "module")


@scenario("account", "401 at polls mid-run, submits fine")
def _polls_unauthorized(folder: Path) -> Outcome:
    """No person helps: the token is good again, and the work goes on by itself.

    Only the rate holds submits back, not the slots: without a breaker 80 more would come.
    """
    with Rig(folder, Setup(in_flight=100, per_minute=600)) as rig:
        batch = rig.enqueue("batch", range(150))
        rig.until(lambda: rig.arrived(40), "submits have begun", step_s=0.01)
        rig.simulator.set_faults(at("poll", unauthorized={}))
        before = len(rig.simulator.arrivals())
        opened = rig.until(lambda: rig.ledger.gate().breaker, "the breaker opens", step_s=0.02)
        reported = rig.ledger.gate().breaker or "closed"
        pause(8)
        further = len(rig.simulator.arrivals()) - before
        refused = sum(struck(rig).values())
        rig.simulator.set_faults([])
        since = time.time()
        going = rig.going_again(since, within_s=60)
        rig.finish(batch)
        broken = [] if reported == "token" else [f"the breaker says {reported}, not token"]
        if further > rig.setup.in_flight + 1:
            broken.append(f"{further} further submits")
        if rig.ledger.gate().breaker:
            broken.append("the breaker is open at the end")
        return Outcome(
            verdict=judge(rig, batch),
            faults=refused,
            recovery_s=going,
            broken=broken,
            note=f"the breaker opened after {opened:.1f} s; {further} further submits in 8 s of 401,"
            f" all ended {time.time() - since:.0f} s after the last of them, by itself",
        )


@scenario("account", "api-key: short tokens, the exchange failing now and then")
def _renewals(folder: Path) -> Outcome:
    key = "api-key-canary-1b5e"
    setup = Setup(
        started=False,
        latency_s=0.3,
        in_flight=3,
        env={"VTON_HIDREAM__REFRESH_BEFORE_S": "1"},
        simulator=("--api-key", key, "--token-life-s", "4"),
    )
    with Rig(folder, setup) as rig:
        rig.canaries["api_key"] = key
        rig.simulator.set_faults(
            [
                {"at": "token", "do": "503", "when": {"ordinals": [2, 4]}},
                {"at": "token", "do": "short", "seconds": 1.5, "when": {"every": 5}},
            ]
        )
        for worker in rig.processes.workers:
            worker.start(
                HIDREAM_TOKEN="",
                HIDREAM_API_KEY=key,
                VTON_HIDREAM__TOKEN_URL=f"{rig.simulator.address}/prod-api/user/apikey2token",
            )
        rig.until(rig.ready, "the workers are ready")
        batch = rig.enqueue("batch", range(100))
        took = rig.finish(batch, within_s=200)
        return Outcome(
            verdict=judge(rig, batch), faults=sum(struck(rig).values()), note=f"100 jobs in {took:.0f} s"
        )


@scenario("simulator gone", "the vendor's port closed for 5 s mid-run")
def _vendor_gone(folder: Path) -> Outcome:
    with Rig(folder, Setup()) as rig:
        batch = rig.enqueue("batch", range(80))
        rig.until(lambda: rig.arrived(30), "submits have begun", step_s=0.01)
        in_flight = len(rig.submitting())
        rig.simulator.kill()
        pause(5)
        rig.simulator.start()
        going = rig.going_again(time.time(), within_s=90)
        rig.finish(batch, within_s=200)
        threads = rig.setup.submit * rig.setup.threads
        return Outcome(
            verdict=judge(rig, batch, unknown_at_most=threads),
            faults=1,
            recovery_s=going,
            note=f"{in_flight} POSTs under way when it died",
        )
