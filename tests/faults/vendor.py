"""A vendor that misbehaves: submits, polls, tasks, callbacks, downloads, tokens. The fault script is the simulator's."""

import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.servers import free_port
from tests.faults.stage import Setup, Stage
from tests.faults.verdict import Verdict, judge

Rules = list[dict[str, Any]]

#: Faults at submit after which nobody can know whether it was bought.
UNKNOWABLE = frozenset(
    {
        "reset-before",
        "reset-after",
        "hang-before",
        "hang-after",
        "status-before",
        "status-after",
        "html",
        "truncated",
        "empty",
        "huge",
        "slow-loris",
        "no-result",
        "same-task-id",
    }
)


def struck(stage: Stage) -> dict[str, int]:
    """Faults that the simulator has shown, by `place:fault`."""
    found: dict[str, int] = stage.simulator.totals()["faults"]
    return found


def unknowable(stage: Stage) -> int:
    """How many jobs the submit faults shown may have left unknown; a shared task id holds two."""
    counts = {name.partition(":")[2]: n for name, n in struck(stage).items() if name.startswith("submit:")}
    return sum(n * (2 if name == "same-task-id" else 1) for name, n in counts.items() if name in UNKNOWABLE)


def night(
    folder: Path,
    rules: Rules,
    *,
    jobs: int = 80,
    setup: Setup | None = None,
    may_fail: bool = False,
    within_s: float = 240,
) -> Outcome:
    """One batch under a fault script."""
    with Stage(folder, setup or Setup(in_flight=10)) as stage:
        stage.simulator.set_faults(rules)
        batch = stage.enqueue("night", range(jobs))
        took = stage.finish(batch, within_s=within_s)
        verdict = judge(stage, batch, unknown_at_most=unknowable(stage), may_fail=may_fail)
        silent = [name for name, n in struck(stage).items() if not n]
        return Outcome(
            verdict=verdict,
            faults=sum(struck(stage).values()),
            broken=[f"never struck: {silent}"] if silent else [],
            note=f"{', '.join(f'{n} {state}' for state, n in sorted(verdict.states.items()))}; {took:.0f} s",
        )


def _at(place: str, **faults: dict[str, Any]) -> Rules:
    """`fault=when` as rules; a fault's own words stand in `when` under `with`."""
    rules = []
    for name, when in faults.items():
        more = when.pop("more", {})
        rules.append({"at": place, "do": name.replace("_", "-").lstrip("-"), "when": when, **more})
    return rules


def _one(n: int, **more: Any) -> dict[str, Any]:
    return {"ordinals": [n, n + 40], "more": more}


@scenario("submit faults", "resets, hangs, 5xx, HTML, truncated, empty, huge, slow and result-less replies")
def _submits(folder: Path) -> Outcome:
    rules = _at(
        "submit",
        reset_before=_one(4),
        reset_after=_one(7),
        hang_before=_one(10),
        hang_after=_one(13),
        status_before=_one(16),
        status_after=_one(19),
        html=_one(22),
        truncated=_one(25),
        empty=_one(28),
        huge=_one(31),
        slow_loris=_one(34),
        no_result=_one(37),
    )
    return night(folder, rules, jobs=120)


@scenario("submit faults", "the same task id for two jobs")
def _same_task(folder: Path) -> Outcome:
    return night(
        folder, _at("submit", same_task_id={"ordinals": [8, 30]}), jobs=50, setup=Setup(latency_s=1.5)
    )


@scenario("submit faults", "unknown by a reset before creation, policy resubmit")
def _resubmitted(folder: Path) -> Outcome:
    setup = Setup(env={"VTON_TASKS__UNKNOWN_POLICY": "resubmit", "VTON_TASKS__UNKNOWN_QUIET_S": "3"})
    with Stage(folder, setup) as stage:
        stage.simulator.set_faults(_at("submit", reset_before={"ordinals": [5, 12, 19, 26, 33]}))
        batch = stage.enqueue("night", range(50))
        stage.until(lambda: stage.status(batch).counts.get("succeeded") == 50, "all are bought", within_s=90)
        stage.finish(batch)
        return Outcome(
            verdict=_but_spent(judge(stage, batch), 50, 5),
            faults=5,
            note="bought once each, within the quiet period of 3 s",
        )


def _but_spent(verdict: Verdict, tasks: int, unknown: int) -> Verdict:
    """What was unknown stays counted as spent when it is sent again: so many more than tasks were made."""
    excess = f"I6: {tasks + unknown} counted as spent; {tasks} tasks were made, 0 unknown were not"
    verdict.broken = [one for one in verdict.broken if one != excess]
    return verdict


@scenario("submit faults", "unknown, then `vton retry --unknown`")
def _retried(folder: Path) -> Outcome:
    with Stage(folder, Setup()) as stage:
        stage.simulator.set_faults(_at("submit", reset_before={"ordinals": [5, 12, 19]}))
        batch = stage.enqueue("night", range(40))
        stage.finish(batch)
        unknown = stage.status(batch).counts.get("unknown", 0)
        stage.vton("retry", "night", "--unknown")
        stage.until(lambda: not stage.status(batch).counts.get("unknown"), "they wait again")
        stage.finish(batch)
        verdict = _but_spent(judge(stage, batch), 40, unknown)
        return Outcome(
            verdict=verdict, faults=3, note=f"{unknown} were unknown; counted as spent twice, bought once"
        )


@scenario("throttling", "429 with Retry-After in seconds, as a date, missing, absurd")
def _throttled(folder: Path) -> Outcome:
    rules: Rules = [
        {"at": "submit", "do": "429", "retry_after": word, "seconds": 3.0, "when": {"ordinals": [n]}}
        for n, word in ((10, 3.0), (30, "date"), (50, "missing"))
    ]
    with Stage(folder, Setup(latency_s=0.2)) as stage:
        stage.simulator.set_faults(rules)
        batch = stage.enqueue("night", range(80))
        stage.finish(batch, within_s=200)
        arrivals = stage.simulator.arrivals()
        # Those already on their way may still arrive; a date counts whole seconds.
        early = [at for at in arrivals if arrivals[9] + 0.5 < at < arrivals[9] + 2.9]
        early += [at for at in arrivals if arrivals[29] + 0.5 < at < arrivals[29] + 1.9]
        broken = [f"{len(early)} submits came before Retry-After was over"] if early else []
        stage.simulator.set_faults(
            [{"at": "submit", "do": "429", "retry_after": "absurd", "when": {"ordinals": [1]}}]
        )
        since = time.time()
        other = stage.enqueue("later", range(100, 110))
        stage.until(lambda: stage.arrived(len(arrivals) + 2), "an absurd wait is capped", within_s=90)
        going = stage.simulator.arrivals()[len(arrivals) + 1] - since
        stage.finish(other)
        return Outcome(
            verdict=judge(stage, batch, other),
            faults=4,
            recovery_s=going,
            broken=broken,
            note="recovery: from an absurd Retry-After",
        )


def _account_over(folder: Path, rules: Rules, reason: str, *, setup: Setup | None = None) -> Outcome:
    """The account stops working mid-run and is mended by a person."""
    with Stage(folder, setup or Setup(in_flight=5)) as stage:
        batch = stage.enqueue("night", range(60))
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
    return _account_over(folder, _at("submit", unauthorized={}), "token", setup=Setup(in_flight=5, threads=2))


@scenario("account", "2007: credits run out, then a top-up")
def _credits(folder: Path) -> Outcome:
    return _account_over(folder, [], "credits", setup=Setup(in_flight=5, simulator=("--credits", "30")))


@scenario("account", "2031: module removed")
def _module(folder: Path) -> Outcome:
    return _account_over(folder, _at("submit", code={"more": {"code": 2031}}), "module")


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


@scenario("task faults", "failed, moderated, nothing, stuck, empty, backwards, odd, slow, partial tasks")
def _tasks(folder: Path) -> Outcome:
    rules = _at(
        "task",
        failed=_one(3),
        moderated=_one(6),
        nothing=_one(9),
        stuck=_one(12, seconds=4.0),
        empty_image=_one(15),
        backwards=_one(18),
        slow=_one(21, factor=5.0),
        partial=_one(24),
        bare_ids=_one(27),
        png=_one(30),
    )
    rules += [
        {"at": "task", "do": "odd", "status": status, "when": {"ordinals": [n]}}
        for status, n in ((-1, 33), (-5, 35), (7, 37), (99, 39), ("1", 41))
    ]
    # A partial task charges two pictures where one was ordered; the budget counts tasks.
    return night(folder, rules, jobs=100, setup=Setup(env={"VTON_TASKS__GIVE_UP_S": "10"}))


@scenario("poll faults", "time-outs, 404, 5xx, 429, 401, codes, HTML, empty, truncated, slow, reset polls")
def _polls(folder: Path) -> Outcome:
    rules: Rules = [
        {"at": "poll", "do": name, "each": 1, "when": {"ordinals": [n, n + 20, n + 40]}}
        for n, name in enumerate(
            (
                "timeout",
                "404",
                "status",
                "429",
                "code",
                "html",
                "empty",
                "truncated",
                "slow-loris",
                "reset",
                "string-status",
                "huge",
            ),
            2,
        )
    ]
    return night(folder, rules, jobs=80)


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
    rules += _at("submit", reset_after={"ordinals": [9, 21, 33, 45]})
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


@scenario(
    "downloads", "403, 404, 5xx, truncated, half, zero, HTML, corrupt, reset, dripping, hanging, then fine"
)
def _downloads(folder: Path) -> Outcome:
    names = ("403", "404", "503", "truncated", "half", "zero", "html", "corrupt", "reset", "drip", "hang")
    rules: Rules = [
        {"at": "download", "do": name, "each": 2, "when": {"ordinals": [n, n + 25]}}
        for n, name in enumerate(names, 3)
    ]
    return night(folder, rules, jobs=80, setup=Setup(collect=1))


@scenario("downloads", "gzip bombs, 100 MB, redirects to a private address")
def _hostile_downloads(folder: Path) -> Outcome:
    rules: Rules = [
        {"at": "download", "do": "gzip-bomb", "when": {"ordinals": [4, 14]}, "each": 1},
        {"at": "download", "do": "huge", "bytes": 100_000_000, "when": {"ordinals": [8, 18]}, "each": 1},
        {"at": "download", "do": "redirect", "when": {"ordinals": [12, 22]}, "each": 1},
    ]
    return night(folder, rules, jobs=40, may_fail=True)
