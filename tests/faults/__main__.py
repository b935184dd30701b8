"""`python -m tests.faults long` plays every scenario; `soak --minutes N` all at once, at random; `well --minutes N` none."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from subprocess import DEVNULL, run

from tests.faults import (
    account,
    answers,
    away,
    behind,
    callbacks,
    clocks,
    composed,
    endings,
    failover,
    hosts,
    kills,
    money,
    outages,
    partition,
    pictures,
    reaching,
    seen,
    shared_folder,
    shop,
    storm,
    submits,
    tasks,
    throttling,
    upgrade,
    versions,
)
from tests.faults.outcome import SCENARIOS, Outcome, Scenario, played
from tests.faults.soak import soak
from tests.faults.table import times, write
from tests.faults.verdict import Verdict

#: Their registering is all that is wanted of them.
LOADED = (
    kills,
    storm,
    outages,
    failover,
    composed,
    clocks,
    submits,
    throttling,
    account,
    pictures,
    callbacks,
    shop,
    versions,
    upgrade,
    reaching,
    seen,
    answers,
    tasks,
    away,
    behind,
    endings,
    money,
    hosts,
    partition,
    shared_folder,
)
#: What a busy scenario is taken to last before it was ever measured, s.
NOT_YET_S = 55.0
REPORT = Path(__file__).parents[2] / "docs" / "reliability.md"


def main(words: Sequence[str] | None = None) -> int:
    """Plays what is asked for; 1 when an invariant does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--keep", type=Path, help="leave the folders of the runs here")
    kinds = parser.add_subparsers(dest="kind", required=True)
    long = kinds.add_parser("long", help="every scenario; writes docs/reliability.md")
    long.add_argument("--only", default="", help="those whose name has this in it; writes nothing")
    long.add_argument("--area", default="", help="those whose area has this in it; writes nothing")
    long.add_argument("--runs", type=int, default=1, help="of each")
    long.add_argument("--at-once", type=int, default=2, help="scenarios side by side")
    long.add_argument("--idle-at-once", type=int, default=6, help="beside them, of those that mostly wait")
    long.add_argument(
        "--list", action="store_true", help="names and, as last measured, their time; plays none"
    )
    one = kinds.add_parser("one", help="one scenario by its whole name, its outcome as JSON")
    one.add_argument("name")
    soaked = kinds.add_parser("soak", help="random faults under load")
    soaked.add_argument("--minutes", type=float, default=10)
    soaked.add_argument("--seed", type=int, default=int(time.time()))
    quiet = kinds.add_parser("well", help="no fault: whatever is said is a false alarm")
    quiet.add_argument("--minutes", type=float, default=30)
    given = parser.parse_args(words)
    # Under nohup it is ignored, by everything that is started here too.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    if given.kind == "one":
        sys.stdout.write(json.dumps(_as_json(played(SCENARIOS[given.name], keep=given.keep))) + "\n")
        return 0
    if given.kind == "soak":
        name = f"soak of {given.minutes:g} minutes"
        long_one = Scenario(
            name=name, area="soak", play=lambda folder: soak(folder, given.minutes, seed=given.seed)
        )
        return _report(name, played(long_one, keep=given.keep))
    if given.kind == "well":
        long_one = Scenario(name="well", area=seen.AREA, play=lambda folder: seen.well(folder, given.minutes))
        return _report(f"{given.minutes:g} minutes without a fault", played(long_one, keep=given.keep))
    wanted = [
        one for one in SCENARIOS.values() if given.only in one.name and given.area.lower() in one.area.lower()
    ]
    print_times(wanted, given)
    if given.list:
        return 0
    found, failed = _long(wanted, given)
    if len(wanted) == len(SCENARIOS):
        write(REPORT, found)
        sys.stdout.write(f"written: {REPORT}\n")
    return min(1, failed)


def _long(wanted: Sequence[Scenario], given: argparse.Namespace) -> tuple[dict[str, list[Outcome]], int]:
    """Plays them, the idle ones beside the others; returns what came of each, and how many did not hold."""
    found: dict[str, list[Outcome]] = {one.name: [] for one in wanted}
    with ThreadPoolExecutor(given.at_once) as busy, ThreadPoolExecutor(given.idle_at_once) as idle:
        # The first round of every scenario before the second of any.
        under_way = {
            (idle if one.idle_s else busy).submit(_in_process, one.name, given.keep): one.name
            for _ in range(given.runs)
            for one in sorted(wanted, key=lambda one: -one.idle_s)
        }
        failed = 0
        for done in as_completed(under_way):
            name = under_way[done]
            found[name].append(done.result())
            failed += _report(name, done.result())
    skipped = sum(bool(run.skipped) for runs in found.values() for run in runs)
    sys.stdout.write(f"{len(under_way)} runs, {failed} with a broken invariant, {skipped} skipped\n")
    return found, failed


def print_times(wanted: Sequence[Scenario], given: argparse.Namespace) -> None:
    """How long it will take by the last table; those that are not in it yet are guessed."""
    took = times(REPORT)
    if given.list:
        for one in wanted:
            known = f"{took[one.name]:5.0f} s" if one.name in took else "      ?"
            sys.stdout.write(f"{known} {'idle' if one.idle_s else '    '} {one.area}: {one.name}\n")
    totals = []
    for idle, at_once in ((False, given.at_once), (True, given.idle_at_once)):
        chosen = [one for one in wanted if bool(one.idle_s) is idle]
        each = [took.get(one.name, one.idle_s + NOT_YET_S) for one in chosen]
        totals.append(max([sum(each) * given.runs / at_once, *each]))
    new = sum(one.name not in took for one in wanted)
    sys.stdout.write(
        f"{len(wanted)} scenarios, {given.runs} runs each: about {max(totals) / 60:.0f} min ({totals[0] / 60:.0f} min of"
        f" busy ones, {given.at_once} at once; beside them {totals[1] / 60:.0f} min of idle ones, {given.idle_at_once} at"
        f" once)" + (f"; {new} are not measured yet" if new else "") + "\n"
    )
    sys.stdout.flush()


def _in_process(name: str, keep: Path | None) -> Outcome:
    """Each scenario in a process of its own: workers learn of the death of the thread that started them."""
    argv = [sys.executable, "-m", "tests.faults", *(["--keep", str(keep)] if keep else []), "one", name]
    done = run(argv, capture_output=True, text=True, check=False, stdin=DEVNULL)
    try:
        return _from_json(json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError):
        return Outcome(
            verdict=Verdict(), faults=0, broken=[f"the harness ended: {done.stderr.strip()[-300:]}"]
        )


def _report(name: str, outcome: Outcome) -> int:
    verdict = outcome.verdict
    if outcome.skipped:
        sys.stdout.write(f"skipped {name}: {outcome.skipped}\n")
        return 0
    going = "" if outcome.recovery_s is None else f", going again after {outcome.recovery_s:.1f} s"
    sys.stdout.write(
        f"{'BROKEN' if outcome.broken else 'held  '} {name}: {verdict.jobs} jobs, {outcome.faults} faults,"
        f" {verdict.lost} lost, {verdict.bought_twice} bought twice, {verdict.unknown} unknown{going},"
        f" {outcome.took_s:.0f} s; {outcome.note}\n"
    )
    for line in outcome.broken:
        sys.stdout.write(f"       {line}\n")
    sys.stdout.flush()
    return int(bool(outcome.broken))


def _as_json(outcome: Outcome) -> dict[str, object]:
    verdict = outcome.verdict
    return {
        "verdict": {
            "jobs": verdict.jobs,
            "rows": verdict.rows,
            "lost": verdict.lost,
            "bought_twice": verdict.bought_twice,
            "forgotten": verdict.forgotten,
            "unknown": verdict.unknown,
            "over_windows": verdict.over_windows,
            "refused": verdict.refused,
        },
        "faults": outcome.faults,
        "recovery_s": outcome.recovery_s,
        "ending": outcome.ending,
        "note": outcome.note,
        "broken": outcome.broken,
        "skipped": outcome.skipped,
        "took_s": outcome.took_s,
    }


def _from_json(fields: dict[str, object]) -> Outcome:
    verdict = fields.pop("verdict")
    return Outcome(verdict=Verdict(**verdict), **fields)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
