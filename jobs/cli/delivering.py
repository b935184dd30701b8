"""What `vton deliver` does once it knows its batch: opens target and journal, delivers, says what has come of it."""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jobs.cli.progress import LINE_S, OnTerminal
from jobs.config.delivery import ProfileSettings
from jobs.config.exit_codes import ExitCode
from jobs.config.settings import Settings
from jobs.delivery.delivery import Delivery, Ended, Outcome, Summary
from jobs.delivery.journal import Journal
from jobs.delivery.making import Maker
from jobs.delivery.selection import Naming, lines_of, selected
from jobs.delivery.target import open_target
from jobs.records import BatchId, ResultLine, Verdict
from jobs.results.versions import as_counted
from jobs.units import counted

#: Gaps that are said one by one.
_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person asks for."""

    batch: BatchId
    #: Path or address.
    to: str
    #: Its name, and what it asks for.
    profile: tuple[str, ProfileSettings]
    #: Template of the names; empty: the profile's, else `delivery.name`.
    name: str = ""
    replace: bool = False


def deliver_batch(
    order: Order,
    folder: Path,
    store: Path,
    settings: Settings,
    wanted: AbstractSet[str] | None,
    *,
    said: Mapping[str, Verdict] | None = None,
) -> tuple[Summary, Path]:
    """Delivers what is wanted of a batch folder.

    Args:
        order: what, as what, where to.
        folder: the batch folder; journal and delivered.csv go there.
        store: the folder of stored pictures.
        settings: the shop's.
        wanted: SHA-256 of the pictures; None: all.
        said: SHA-256 → the verdict that stands, by which of several versions one counts; None: as the folder has it.

    Returns:
        What has come of it, and delivered.csv.
    """
    profile = order.profile[1]
    naming = Naming(
        batch=order.batch,
        template=order.name or profile.name or settings.delivery.name,
        profile=order.profile[0],
        asked=profile,
    )
    lines = lines_of(folder)
    if said is not None:
        lines = [as_counted(line, said.get) for line in lines]
    _say_left_out(lines, wanted, said or {})
    items = selected(lines, naming, lambda sha256: wanted is None or sha256 in wanted)
    maker = Maker(store, order.profile, settings.marks)
    with (
        Journal.opened(folder) as journal,
        closing(open_target(order.to, mode=int(settings.output_mode, 8))) as target,
    ):
        delivery = Delivery(
            batch=order.batch,
            profile=order.profile[0],
            target=target,
            maker=maker,
            journal=journal,
            parallel=settings.delivery.parallel,
            sidecar=settings.delivery.sidecar,
            replace=order.replace,
        )
        try:
            with _Progress(order.batch, len(items)) as progress:
                summary = delivery.run(items, progress.show)
        finally:
            table = journal.write_table()
    return summary, table


def _say_left_out(
    lines: Iterable[ResultLine], wanted: AbstractSet[str] | None, said: Mapping[str, Verdict]
) -> None:
    """Says which rows nothing is delivered of: who has judged them must see that their word was heard."""
    counts: Counter[str] = Counter()
    for line in lines:
        verdicts = {word.verdict for image in line.images if (word := said.get(image.sha256))}
        if not line.images:
            counts["without a picture"] += 1
        elif wanted is not None and not any(image.sha256 in wanted for image in line.images):
            counts["rejected" if "reject" in verdicts else "not judged"] += 1
    if counts:
        words = ", ".join(f"{counted(count, 'row')} {what}" for what, count in sorted(counts.items()))
        sys.stderr.write(f"left out: {words}\n")


def summary_words(summary: Summary) -> str:
    """What has come of it, for people: one line, and one for each of the first gaps."""
    counts = ", ".join(
        f"{summary.counts[outcome]} {_WORDS[outcome]}" for outcome in Outcome if summary.counts[outcome]
    )
    lines = [counts or "no picture to deliver"]
    lines += [f"row {gap.item.rows[0]}: {gap.item.name}: {gap.why}" for gap in summary.gaps[:_SHOWN]]
    if len(summary.gaps) > _SHOWN:
        lines.append(f"and {len(summary.gaps) - _SHOWN} more")
    if summary.stopped:
        lines.append(
            "the target takes nothing any more: the rest was not tried; the same command again goes on"
        )
    return "".join(f"{line}\n" for line in lines)


def exit_code(summary: Summary) -> ExitCode:
    """0: all are there; 5: the same command again may bring the rest; 6: only a person can."""
    if summary.counts[Outcome.FAILED]:
        return ExitCode.RETRYABLE
    return ExitCode.FINAL_FAILURES if summary.gaps else ExitCode.OK


_WORDS: Final = {
    Outcome.DELIVERED: "delivered",
    Outcome.PRESENT: "there already",
    Outcome.CLASH: "not delivered: their name is taken",
    Outcome.UNFIT: "not delivered: they cannot be made so",
    Outcome.FAILED: "not delivered: the target did not take them",
}


class _Progress(OnTerminal):
    """A bar on a terminal, a line every few seconds elsewhere."""

    def __init__(self, batch: str, total: int) -> None:
        super().__init__(batch, total)
        self._counts: Counter[Outcome] = Counter()
        self._last_line = time.monotonic()

    def show(self, ended: Ended) -> None:
        """One object more has ended."""
        self._counts[ended.outcome] += 1
        done = self._counts.total()
        if self._bar is not None:
            text = " · ".join(f"{number} {outcome}" for outcome, number in self._counts.items())
            self._bar.update(self._bar.task_ids[0], completed=done, text=text)
        elif time.monotonic() - self._last_line >= LINE_S:
            self._last_line = time.monotonic()
            sys.stderr.write(f"{self._name}: {done}/{self._total} delivered or seen\n")
            sys.stderr.flush()
