"""Writes the contact sheet of a batch: gaps first, a bounded number of cards, counts over all rows."""

import base64
import hashlib
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from jobs.report.cards import (
    OWNER_LABELS,
    STATUS_LABELS,
    Album,
    Card,
    card,
    owner_of,
    status_of,
)
from jobs.report.thumbnails import Thumbnails

#: Cards on a page. A browser stays quick, and the file around 15 MB at the most.
MAX_CARDS: Final = 500

_FOLDER: Final = Path(__file__).parent


def write_report(
    path: Path,
    *,
    summary: Mapping[str, Any],
    lines: Iterable[Mapping[str, Any]],
    batch_folder: Path,
    pictures: Callable[[str], Path | None],
    thumbnails: Thumbnails | None = None,
) -> None:
    """Writes the page: one file without outside parts, whole or not at all.

    Args:
        path: the page, usually `<batch_folder>/report.html`.
        summary: `summary.json`'s content; `batch`, `created_at`, `completed_at`, `reused_rows` are shown.
        lines: one mapping per row as in `results.jsonl`, read once and not kept beyond MAX_CARDS per status;
            one without `status`, as files of versions up to 0.1 had at their end, is passed over.
        batch_folder: what the pictures' paths are relative to.
        pictures: an input as a line has it → the file to show, or None. Never asked about http(s) addresses.
        thumbnails: remembered ones from an earlier writing.

    Raises:
        OSError: the page cannot be written; the former one stays.
    """
    counts = _read(lines)
    album = Album(batch_folder=batch_folder, pictures=pictures, thumbnails=thumbnails or Thumbnails())
    chosen = counts.chosen()
    _replace(path, _render(summary, counts, len(chosen), (card(line, album) for line in chosen)))


@dataclass(slots=True, kw_only=True)
class _Counts:
    """What one pass over the lines leaves: numbers of all rows, and the lines that may become cards."""

    rows: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    owners: Counter[str] = field(default_factory=Counter)
    lines: dict[str, list[Mapping[str, Any]]] = field(
        default_factory=lambda: {name: [] for name in STATUS_LABELS}
    )

    def chosen(self) -> list[Mapping[str, Any]]:
        """The lines that become cards, in the page's order."""
        return [line for same in self.lines.values() for line in same][:MAX_CARDS]


def _read(lines: Iterable[Mapping[str, Any]]) -> _Counts:
    counts = _Counts()
    for line in lines:
        if "status" not in line:
            continue
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
        statuses=[
            (name, label, counts.statuses[name])
            for name, label in STATUS_LABELS.items()
            if counts.statuses[name]
        ],
        bars=_bars(counts),
        owners=[
            (name, label, counts.owners[name]) for name, label in OWNER_LABELS.items() if counts.owners[name]
        ],
        status_labels=STATUS_LABELS,
        owner_labels=OWNER_LABELS,
        cards=cards,
        style_hash=_inline_hash("style"),
        script_hash=_inline_hash("script"),
    )


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


def _replace(path: Path, pieces: Iterable[str]) -> None:
    """Writes beside the page, to disk, then takes its place: a reader sees the old page or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", errors="replace", newline="\n") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
