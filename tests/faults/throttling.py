"""How much of the permitted rate is used after a 429: measured window by window, not believed."""

from functools import partial
from pathlib import Path

from tests.faults.batch_runs import Rules, struck
from tests.faults.outcome import Outcome, scenario
from tests.faults.rig import Rig, Setup
from tests.faults.verdict import WINDOW_S, judge

#: Share of the account's own limit that must be used after the closing.
SHARE = 0.90
RETRY_AFTER_S = 3.0


def after_a_429(folder: Path, *, windows: int, per_minute: int) -> Outcome:
    """One submit is refused once; from the first submit after the closing on, arrivals are counted for so many windows.

    There is always work waiting and always a slot free, so that nothing but the rate holds submits back. The gate's
    window is a minute whatever the settings: this scenario lasts as many minutes as it measures windows.
    """
    setup = Setup(in_flight=20, per_minute=per_minute, latency_s=0.2)
    with Rig(folder, setup) as rig:
        rules: Rules = [
            {
                "at": "submit",
                "do": "429",
                "retry_after": RETRY_AFTER_S,
                "when": {"ordinals": [per_minute // 4]},
            }
        ]
        rig.simulator.set_faults(rules)
        batch = rig.enqueue("batch", range(per_minute * (windows + 1)))
        rig.until(partial(_refused, rig), "one submit is refused", within_s=60)
        refused_at = rig.simulator.arrivals()[-1]
        closed_until = refused_at + RETRY_AFTER_S - 0.2
        going = rig.going_again(closed_until)
        opened = min(at for at in rig.simulator.arrivals() if at > closed_until)
        end = opened + windows * WINDOW_S
        rig.until(
            lambda: rig.simulator.arrivals()[-1] > end,
            "the windows are over",
            within_s=(windows + 1) * WINDOW_S,
            step_s=1,
        )
        waiting = rig.ledger.queued_total()
        arrivals = [at - opened for at in rig.simulator.arrivals() if at >= opened]
        shares = [
            sum(n * WINDOW_S <= at < (n + 1) * WINDOW_S for at in arrivals) / per_minute
            for n in range(windows)
        ]
        share = sum(shares) / windows
        rig.vton("cancel", "batch")
        rig.finish(batch)
        broken = [] if waiting else ["there was not enough work to use the whole rate"]
        if share < SHARE:
            broken.append(f"{share:.1%} of the permitted rate over {windows} windows after a 429")
        return Outcome(
            verdict=judge(rig, batch),
            faults=sum(struck(rig).values()),
            recovery_s=going,
            broken=broken,
            note=f"{share:.1%} of the permitted rate over {windows} min after the closing;"
            f" minute by minute {', '.join(f'{one:.0%}' for one in shares)}",
        )


def _refused(rig: Rig) -> bool:
    return bool(struck(rig).get("submit:429"))


scenario("throttling", "one 429, then the rate of the five minutes after", idle_s=300)(
    partial(after_a_429, windows=5, per_minute=120)
)
