"""Writes the contact sheet of a batch: gaps first, a bounded number of cards, counts over all rows."""

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from jobs.records import ResultLine
from jobs.report.cards import OWNER_LABELS, STATUS_LABELS, Album, Card, card, owner_of, status_of
from jobs.report.thumbnails import Thumbnails

#: Cards on a page. A browser stays quick, and the file around 15 MB at the most.
MAX_CARDS: Final = 500

_FOLDER: Final = Path(__file__).parent


def write_report(
    page: TextIO,
    summary: Mapping[str, Any],
    lines: Iterable[ResultLine],
    folder: Path,
    *,
    pictures: Callable[[str], Path | None],
    thumbnails: Thumbnails | None = None,
) -> None:
    """Writes the page: one file without outside parts.

    Args:
        page: usually `<folder>/report.html`.
        summary: `summary.json`'s content; `batch`, `created_at`, `completed_at`, `reused_rows` are shown.
        lines: of all rows, read once and not kept beyond MAX_CARDS per status.
        folder: what the pictures' paths are relative to.
        pictures: an input as a line has it → the file to show, or None. Never asked about http(s) addresses.
        thumbnails: remembered ones from an earlier writing.

    Raises:
        OSError: the page cannot be written.
    """
    counts = _read(lines)
    album = Album(batch_folder=folder, pictures=pictures, thumbnails=thumbnails or Thumbnails())
    chosen = counts.chosen()
    page.writelines(_render(summary, counts, len(chosen), (card(line, album) for line in chosen)))


@dataclass(slots=True, kw_only=True)
class _Counts:
    """What one pass over the lines leaves: numbers of all rows, and the lines that may become cards."""

    rows: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    owners: Counter[str] = field(default_factory=Counter)
    lines: dict[str, list[ResultLine]] = field(default_factory=lambda: {name: [] for name in STATUS_LABELS})

    def chosen(self) -> list[ResultLine]:
        """The lines that become cards, in the page's order."""
        return [line for same in self.lines.values() for line in same][:MAX_CARDS]


def _read(lines: Iterable[ResultLine]) -> _Counts:
    counts = _Counts()
    for line in lines:
        status = status_of(line)
        counts.rows += 1
        counts.statuses[status] += 1
        if owner := owner_of(line):
            counts.owners[owner] += 1
        if len(counts.lines[status]) < MAX_CARDS:
            counts.lines[status].append(line)
    return counts


def _render(summary: Mapping[str, Any], counts: _Counts, shown: int, cards: Iterator[Card]) -> Iterator[str]:
    """The page in pieces, each card's pictures made when its turn comes."""
    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(_FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("contact_sheet.html")
    return template.generate(
        title=str(summary.get("batch") or "batch"),
        facts=_facts(summary),
        rows=counts.rows,
        done=counts.statuses["succeeded"],
        shown=shown,
        statuses=_buttons(STATUS_LABELS, counts.statuses),
        bars=_bars(counts),
        owners=_buttons(OWNER_LABELS, counts.owners),
        status_labels=STATUS_LABELS,
        owner_labels=OWNER_LABELS,
        cards=cards,
        style_hash=_inline_hash("style"),
        script_hash=_inline_hash("script"),
    )


def _buttons(labels: Mapping[str, str], counts: Counter[str]) -> list[tuple[str, str, int]]:
    return [(name, label, counts[name]) for name, label in labels.items() if counts[name]]


def _facts(summary: Mapping[str, Any]) -> list[str]:
    named = (("created_at", "begun {}"), ("completed_at", "ended {}"), ("reused_rows", "{} reused"))
    return [what.format(_time(summary[key])) for key, what in named if summary.get(key)]


def _time(value: object) -> str:
    """An ISO time to the minute, `2026-11-23 05:11 UTC`; anything else as it is."""
    text = str(value)
    return f"{text[:10]} {text[11:16]} UTC" if len(text) > 19 and text[10] == "T" else text  # noqa: PLR2004 ISO's shape


def _bars(counts: _Counts) -> list[tuple[str, float, float]]:
    """Status, start and width in per cent of the header's bar, done first."""
    bars, start = [], 0.0
    for name in reversed(list(STATUS_LABELS)):
        width = 100 * counts.statuses[name] / max(counts.rows, 1)
        if width:
            bars.append((name, round(start, 3), round(width, 3)))
        start += width
    return bars


def _inline_hash(tag: str) -> str:
    """The hash by which the page's policy lets its own style and script run, and nothing else."""
    content = (_FOLDER / f"{tag}.html").read_text(encoding="utf-8")
    inner = content.split(f"<{tag}>", 1)[1].rsplit(f"</{tag}>", 1)[0]
    return base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
