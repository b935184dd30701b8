"""Submits that are reset, hung, garbled, doubled or throttled."""

import time
from pathlib import Path

from tests.faults.batch_runs import Rules, at, batch_run, one
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.rig import Rig, Setup
from tests.faults.verdict import Verdict, judge

#: What the product believes of a Retry-After at most, s.
LONGEST_S = 3600


@scenario("submit faults", "resets, hangs, 5xx, HTML, truncated, empty, huge, slow and result-less replies")
def _submits(folder: Path) -> Outcome:
    rules = at(
        "submit",
        reset_before=one(4),
        reset_after=one(7),
        hang_before=one(10),
        hang_after=one(13),
        status_before=one(16),
        status_after=one(19),
        html=one(22),
        truncated=one(25),
        empty=one(28),
        huge=one(31),
        slow_loris=one(34),
        no_result=one(37),
    )
    return batch_run(folder, rules, jobs=120)


@scenario("submit faults", "the same task id for two jobs")
def _same_task(folder: Path) -> Outcome:
    return batch_run(
        folder, at("submit", same_task_id={"ordinals": [8, 30]}), jobs=50, setup=Setup(latency_s=1.5)
    )


@scenario("submit faults", "unknown by a reset before creation, policy resubmit")
def _resubmitted(folder: Path) -> Outcome:
    setup = Setup(env={"VTON_TASKS__UNKNOWN_POLICY": "resubmit", "VTON_TASKS__UNKNOWN_QUIET_S": "3"})
    with Rig(folder, setup) as rig:
        rig.simulator.set_faults(at("submit", reset_before={"ordinals": [5, 12, 19, 26, 33]}))
        batch = rig.enqueue("batch", range(50))
        rig.until(lambda: rig.status(batch).counts.get("succeeded") == 50, "all are bought", within_s=90)
        rig.finish(batch)
        return Outcome(
            verdict=_but_spent(judge(rig, batch), 50, 5),
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
    with Rig(folder, Setup()) as rig:
        rig.simulator.set_faults(at("submit", reset_before={"ordinals": [5, 12, 19]}))
        batch = rig.enqueue("batch", range(40))
        rig.finish(batch)
        unknown = rig.status(batch).counts.get("unknown", 0)
        rig.vton("retry", "batch", "--unknown")
        rig.until(lambda: not rig.status(batch).counts.get("unknown"), "they wait again")
        rig.finish(batch)
        verdict = _but_spent(judge(rig, batch), 40, unknown)
        return Outcome(
            verdict=verdict, faults=3, note=f"{unknown} were unknown; counted as spent twice, bought once"
        )


@scenario("throttling", "429 with Retry-After in seconds, as a date, missing, absurd")
def _throttled(folder: Path) -> Outcome:
    rules: Rules = [
        {"at": "submit", "do": "429", "retry_after": word, "seconds": 3.0, "when": {"ordinals": [n]}}
        for n, word in ((10, 3.0), (30, "date"), (50, "missing"))
    ]
    with Rig(folder, Setup(latency_s=0.2)) as rig:
        rig.simulator.set_faults(rules)
        batch = rig.enqueue("batch", range(80))
        rig.finish(batch, within_s=200)
        arrivals = rig.simulator.arrivals()
        # Those already on their way may still arrive; a date counts whole seconds.
        early = [at for at in arrivals if arrivals[9] + 0.5 < at < arrivals[9] + 2.9]
        early += [at for at in arrivals if arrivals[29] + 0.5 < at < arrivals[29] + 1.9]
        broken = [f"{len(early)} submits came before Retry-After was over"] if early else []
        rig.simulator.set_faults(
            [{"at": "submit", "do": "429", "retry_after": "absurd", "when": {"ordinals": [1]}}]
        )
        other = rig.enqueue("later", range(100, 110))
        rig.until(lambda: rig.arrived(len(arrivals) + 1), "the absurd one has come")
        rig.until(lambda: rig.ledger.gate().closed_why, "the gate is closed")
        pause(1)
        closed_s = rig.ledger.gate().closed_until / 1000 - time.time()
        if closed_s > LONGEST_S:
            broken.append(f"an absurd Retry-After closes the account for {closed_s:.0f} s")
        since = time.time()
        rig.vton("resume")
        going = rig.going_again(since)
        rig.finish(other)
        return Outcome(
            verdict=judge(rig, batch, other),
            faults=4,
            recovery_s=going,
            broken=broken,
            note=f"an absurd one waits {closed_s / 60:.0f} min, or until `vton resume`",
        )
