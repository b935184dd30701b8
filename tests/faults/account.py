"""An account that is closed, empty, locked out or gone."""

import time
from pathlib import Path

from tests.faults.nights import Rules, at, struck
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.stage import Setup, Stage
from tests.faults.verdict import judge


def _account_over(folder: Path, rules: Rules, reason: str, *, setup: Setup | None = None) -> Outcome:
    """The account stops working mid-run and is fixed by a person."""
    with Stage(folder, setup or Setup(in_flight=5)) as stage:
        batch = stage.enqueue("night", range(240))
        stage.until(lambda: stage.arrived(20), "submits have begun", step_s=0.01)
        before = len(stage.simulator.arrivals())
        if rules:
            stage.simulator.set_faults(rules)
        stage.until(lambda: stage.ledger.gate_fields().get("breaker"), "the breaker opens", step_s=0.02)
        pause(2)
        told = stage.ledger.gate_fields().get("breaker", "closed")
        refused = stage.simulator.totals()["refused"]
        further = sum(refused.get(kind, 0) for kind in ("fault", "credits"))
        stage.simulator.set_faults([])
        stage.simulator.top_up(None)
        since = time.time()
        stage.vton("resume")
        going = stage.going_again(since)
        stage.finish(batch)
        broken = [] if told == reason else [f"the breaker says {told}, not {reason}"]
        if further > stage.setup.in_flight + 1:
            broken.append(f"{further} further submits")
        return Outcome(
            verdict=judge(stage, batch),
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
    with Stage(folder, Setup(in_flight=100, per_minute=600)) as stage:
        batch = stage.enqueue("night", range(150))
        stage.until(lambda: stage.arrived(40), "submits have begun", step_s=0.01)
        stage.simulator.set_faults(at("poll", unauthorized={}))
        before = len(stage.simulator.arrivals())
        opened = stage.until(
            lambda: stage.ledger.gate_fields().get("breaker"), "the breaker opens", step_s=0.02
        )
        told = stage.ledger.gate_fields().get("breaker", "closed")
        pause(8)
        further = len(stage.simulator.arrivals()) - before
        refused = sum(struck(stage).values())
        stage.simulator.set_faults([])
        since = time.time()
        going = stage.going_again(since, within_s=60)
        stage.finish(batch)
        broken = [] if told == "token" else [f"the breaker says {told}, not token"]
        if further > stage.setup.in_flight + 1:
            broken.append(f"{further} further submits")
        if stage.ledger.gate_fields().get("breaker"):
            broken.append("the breaker is open at the end")
        return Outcome(
            verdict=judge(stage, batch),
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
    with Stage(folder, setup) as stage:
        stage.canaries["api_key"] = key
        stage.simulator.set_faults(
            [
                {"at": "token", "do": "503", "when": {"ordinals": [2, 4]}},
                {"at": "token", "do": "short", "seconds": 1.5, "when": {"every": 5}},
            ]
        )
        for worker in stage.crew.workers:
            worker.start(
                HIDREAM_TOKEN="",
                HIDREAM_API_KEY=key,
                VTON_HIDREAM__TOKEN_URL=f"{stage.simulator.address}/prod-api/user/apikey2token",
            )
        stage.until(stage.ready, "the workers are ready")
        batch = stage.enqueue("night", range(100))
        took = stage.finish(batch, within_s=200)
        return Outcome(
            verdict=judge(stage, batch), faults=sum(struck(stage).values()), note=f"100 jobs in {took:.0f} s"
        )


@scenario("simulator gone", "the vendor's port closed for 5 s mid-run")
def _vendor_gone(folder: Path) -> Outcome:
    with Stage(folder, Setup()) as stage:
        batch = stage.enqueue("night", range(80))
        stage.until(lambda: stage.arrived(30), "submits have begun", step_s=0.01)
        in_flight = len(stage.submitting())
        stage.simulator.kill()
        pause(5)
        stage.simulator.start()
        going = stage.going_again(time.time(), within_s=90)
        stage.finish(batch, within_s=200)
        threads = stage.setup.submit * stage.setup.threads
        return Outcome(
            verdict=judge(stage, batch, unknown_at_most=threads),
            faults=1,
            recovery_s=going,
            note=f"{in_flight} POSTs under way when it died",
        )
