"""Tasks, polls and downloads that go wrong."""

from pathlib import Path

from jobs.producing import control
from tests.faults.batch_runs import Rules, at, batch_run, one, struck
from tests.faults.outcome import Outcome, scenario
from tests.faults.rig import Rig, Setup
from tests.faults.verdict import judge


@scenario("task faults", "failed, moderated, nothing, stuck, empty, backwards, odd, slow, partial tasks")
def _tasks(folder: Path) -> Outcome:
    rules = at(
        "task",
        failed=one(3),
        moderated=one(6),
        nothing=one(9),
        stuck=one(12, seconds=4.0),
        empty_image=one(15),
        backwards=one(18),
        slow=one(21, factor=5.0),
        partial=one(24),
        bare_ids=one(27),
        png=one(30),
    )
    rules += [
        {"at": "task", "do": "odd", "status": status, "when": {"ordinals": [n]}}
        for status, n in ((-1, 33), (-5, 35), (7, 37), (99, 39), ("1", 41))
    ]
    # A partial task charges two pictures where one was ordered; the budget counts tasks.
    return batch_run(folder, rules, jobs=100, setup=Setup(env={"VTON_TASKS__GIVE_UP_S": "10"}))


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
    return batch_run(folder, rules, jobs=80)


@scenario(
    "downloads", "403, 404, 5xx, truncated, half, zero, HTML, corrupt, reset, dripping, hanging, then fine"
)
def _downloads(folder: Path) -> Outcome:
    names = ("403", "404", "503", "truncated", "half", "zero", "html", "corrupt", "reset", "drip", "hang")
    rules: Rules = [
        {"at": "download", "do": name, "each": 2, "when": {"ordinals": [n, n + 25]}}
        for n, name in enumerate(names, 3)
    ]
    return batch_run(folder, rules, jobs=80, setup=Setup(collect=1))


@scenario("downloads", "gzip bombs, 100 MB, redirects to a private address")
def _hostile_downloads(folder: Path) -> Outcome:
    rules: Rules = [
        {"at": "download", "do": "gzip-bomb", "when": {"ordinals": [4, 14]}, "each": 1},
        {"at": "download", "do": "huge", "bytes": 100_000_000, "when": {"ordinals": [8, 18]}, "each": 1},
        {"at": "download", "do": "redirect", "when": {"ordinals": [12, 22]}, "each": 1},
    ]
    with Rig(folder, Setup()) as rig:
        rig.simulator.set_faults(rules)
        batch = rig.enqueue("batch", range(40))
        pauses: list[str] = []

        def over() -> bool:
            """A picture that is refused pauses buying until a person has looked."""
            why = rig.ledger.gate().paused
            if why:
                pauses.append(why)
                control.resume(rig.ledger)
            return rig.complete(batch)

        rig.until(over, "every row ended", within_s=240)
        verdict = judge(rig, batch, may_fail=True)
        states = ", ".join(f"{n} {state}" for state, n in sorted(verdict.states.items()))
        return Outcome(
            verdict=verdict,
            faults=sum(struck(rig).values()),
            broken=[] if pauses else ["buying went on although pictures were refused"],
            note=f"{states}; buying paused {len(pauses)} times until a person resumed it",
        )
