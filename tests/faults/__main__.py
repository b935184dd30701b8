"""`python -m tests.faults long` plays every scenario; `soak --minutes N` plays them all at once, at random."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import DEVNULL, run

from tests.faults import (
    account,
    answers,
    away,
    behind,
    callbacks,
    clocks,
    endings,
    kills,
    outages,
    pictures,
    reaching,
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
from tests.faults.table import write
from tests.faults.verdict import Verdict

#: Their registering is all that is wanted of them.
LOADED = (
    kills,
    storm,
    outages,
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
    answers,
    tasks,
    away,
    behind,
    endings,
)
REPORT = Path(__file__).parents[2] / "docs" / "reliability.md"


def main(words: Sequence[str] | None = None) -> int:
    """Plays what is asked for; 1 when an invariant does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--keep", type=Path, help="leave the folders of the runs here")
    kinds = parser.add_subparsers(dest="kind", required=True)
    long = kinds.add_parser("long", help="every scenario; writes docs/reliability.md")
    long.add_argument("--only", default="", help="those whose name has this in it; writes nothing")
    long.add_argument("--runs", type=int, default=1, help="of each")
    long.add_argument("--at-once", type=int, default=2, help="scenarios side by side; most of them wait")
    one = kinds.add_parser("one", help="one scenario by its whole name, its outcome as JSON")
    one.add_argument("name")
    soaked = kinds.add_parser("soak", help="random faults under load")
    soaked.add_argument("--minutes", type=float, default=10)
    soaked.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args(words)
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
        return _tell(name, played(long_one, keep=given.keep))
    return _long(given.only, given.runs, given.at_once, given.keep)


def _long(only: str, runs: int, at_once: int, keep: Path | None) -> int:
    names = [name for name in SCENARIOS if only in name for _ in range(runs)]
    found: dict[str, list[Outcome]] = {name: [] for name in SCENARIOS if only in name}
    failed = skipped = 0
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        for name, outcome in zip(names, pool.map(lambda name: _in_process(name, keep), names), strict=True):
            found[name].append(outcome)
            failed += _tell(name, outcome)
            skipped += bool(outcome.skipped)
    if not only:
        write(REPORT, found)
        sys.stdout.write(f"written: {REPORT}\n")
    sys.stdout.write(f"{len(names)} runs, {failed} with a broken invariant, {skipped} skipped\n")
    return min(1, failed)


def _in_process(name: str, keep: Path | None) -> Outcome:
    """Each scenario in a process of its own: workers are told of the death of the thread that started them."""
    argv = [sys.executable, "-m", "tests.faults", *(["--keep", str(keep)] if keep else []), "one", name]
    done = run(argv, capture_output=True, text=True, check=False, stdin=DEVNULL)
    try:
        return _from_json(json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError):
        return Outcome(
            verdict=Verdict(), faults=0, broken=[f"the harness ended: {done.stderr.strip()[-300:]}"]
        )


def _tell(name: str, outcome: Outcome) -> int:
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
