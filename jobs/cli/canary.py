"""`vton run --canary N`: some rows first, as a batch of their own; all others only if enough of them have their picture."""

import json
import sys
from collections import Counter
from pathlib import Path

from jobs.cli.batch_run import BatchRun
from jobs.cli.intake import Intake, planner_of, producer_of
from jobs.cli.show import print_cut
from jobs.cli.stopping import Stop
from jobs.config.exit_codes import ExitCode, ended
from jobs.manifest.part import spread
from jobs.records import BatchId
from jobs.results.checkpoint import RESULTS
from jobs.results.claim import check_folder, output_place
from jobs.results.lines import read_line
from jobs.units import counted, iso

#: Rows that say nothing of what this account and these settings make.
_OTHERS = {"invalid": "invalid", "before": "ended before"}
#: Which share of the first rows must have their picture unless a person says another.
ENOUGH = 0.8


class Canary:
    """The first rows of a run; the same ones each time, so that the same command goes on."""

    def __init__(self, taken: Intake, stop: Stop) -> None:
        self._taken = taken
        self._stop = stop

    def run(self, count: int, at_least: float, *, simulate: bool, faults: Path | None) -> ExitCode:
        """Buys `count` rows, spread over the manifest, and says how it went; OK: the rest may be bought.

        Their jobs are those of the whole manifest: nothing is bought twice. What ended it early, or the code of its own end.
        """
        taken, session, given = self._taken, self._taken.session, self._taken.given
        manifest = taken.manifest.cut_down(spread(taken.manifest.rows(), count), f"canary{count}")
        batch_id = BatchId(f"{taken.batch_id}-canary{count}")
        folder = session.settings.output_dir / batch_id
        check_folder(folder, session.ledger, batch_id, accept=given.accept_new_ledger)
        output = output_place(session.settings.output_dir)
        planner = planner_of(session, manifest, given.again)
        if taken.planner.refused is not None:
            # What was found at addresses holds for these rows too.
            planner.refuse(taken.planner.refused)
        producer = producer_of(session, manifest, planner, output, (*given.words, "--canary", str(count)))
        end = BatchRun(session, manifest, producer, batch_id, self._stop).run(
            simulate=simulate, faults=faults
        )
        if end.code is not ExitCode.OK:
            print_cut(end.status, end.why, producer.unread(), simulated=simulate)
            return end.code
        found = canary_counts(folder / RESULTS, iso(end.status.created_ms) or "")
        good, wanted = found["good"], found["good"] + found["bad"]
        # Rows of which none can be bought prove nothing.
        enough = good >= at_least * wanted and bool(wanted or not found["invalid"])
        others = ", ".join(f"{found[name]} {words}" for name, words in _OTHERS.items() if found[name])
        sys.stdout.write(
            f"canary: {good} of {counted(wanted, 'row')} have their picture{f' (not counted: {others})' if others else ''};"
            f" {at_least:.0%} {'were' if enough else 'are'} asked for:"
            f" {'the others follow' if enough else 'nothing else is bought'}\ncanary report: {folder / 'report.html'}\n"
        )
        for line in producer.unread():
            sys.stdout.write(f"  {line}\n")
        return ExitCode.OK if enough else ended(json.loads((folder / "summary.json").read_text()))


def canary_counts(results: Path, created_at: str) -> Counter[str]:
    """Rows of the canary: `good` and `bad` ones that it has bought or would have, and those of `_OTHERS`.

    `created_at`: when its batch was made; a row's second takes are none of its rows.
    """
    counts: Counter[str] = Counter()
    with results.open("rb") as lines:
        for line in filter(None, map(read_line, lines)):
            if line.status == "invalid":
                counts["invalid"] += 1
            elif (line.timings.finished_at or created_at) < created_at:
                counts["before"] += 1
            else:
                # Only what has its picture gets a second take, whatever becomes of that.
                counts["good" if line.status == "succeeded" else "bad"] += 1
    return counts
