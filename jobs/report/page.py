"""The page: a template, its style and its scripts as they lie in `parts/`, put together into one text."""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jobs.records import REJECT_REASONS
from jobs.report.cards import FIELDS, OWNER_LABELS, STATUS_LABELS

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER: Final = Path(__file__).parent / "parts"
#: Where `vton serve --review` writes that a page is served; once in each page, before any text of a manifest.
SERVED_MARK: Final = '<meta name="vton-served" content="">'
#: In the order in which they are read; each may use what stands in those before it.
_SCRIPTS: Final = (
    "rows",
    "verdicts",
    "table",
    "filters",
    "cards",
    "grid",
    "viewer",
    "judging",
    "serving",
    "main",
)
_REASON_LABELS: Final = {
    "colour": "Colour",
    "pattern_or_logo": "Pattern or logo",
    "construction": "Construction",
    "length_or_sleeve": "Length or sleeve",
    "face": "Face",
    "hands": "Hands",
    "background": "Background",
    "framing": "Framing",
    "other": "Other",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The batch in numbers, as the page's head has them."""

    #: summary.json's content; `batch`, `created_at`, `completed_at`, `reused_rows` are shown.
    summary: Mapping[str, Any]
    #: Status → rows.
    statuses: Counter[str]
    #: Who can fix it → rows.
    owners: Counter[str]


def render(
    template: str,
    *,
    numbers: Numbers,
    root: str,
    chunks: int = 0,
    rows: Iterable[str] = (),
    small: Iterable[tuple[str, str]] = (),
) -> Iterator[str]:
    """The page in pieces.

    Args:
        template: its name in `parts/`.
        numbers: the batch in numbers.
        root: the way from the page to the batch folder.
        chunks: scripts with rows beside the page.
        rows: texts of rows that the page itself has.
        small: key and base64 of thumbnails that the page itself has.
    """
    summary, statuses = numbers.summary, numbers.statuses
    reasons = {name: _REASON_LABELS[name] for name in REJECT_REASONS}
    batch = {
        "batch": str(summary.get("batch") or "batch"),
        "rows": statuses.total(),
        "chunks": chunks,
        "root": root,
        "fields": FIELDS,
        "statuses": STATUS_LABELS,
        "owners": OWNER_LABELS,
        "reasons": reasons,
    }
    style, script = _style(), _script()
    return (
        _templates()
        .get_template(template)
        .generate(
            title=batch["batch"],
            facts=_facts(summary),
            rows=statuses.total(),
            done=statuses["succeeded"],
            statuses=_buttons(STATUS_LABELS, statuses),
            owners=_buttons(OWNER_LABELS, numbers.owners),
            reasons=list(reasons.items()),
            bars=_bars(statuses),
            root=root,
            batch=json.dumps(batch).replace("<", "\\u003c"),
            style=style,
            script=script,
            style_hash=_hash(style),
            script_hash=_hash(script),
            beside=bool(chunks),
            chunks=rows,
            small=small,
        )
    )


@cache
def _templates() -> "Environment":
    # Loaded where a page is written: a worker that follows a batch does so for hours before.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    return Environment(
        autoescape=True,
        loader=FileSystemLoader(_FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> str:
    return (_FOLDER / "style.css").read_text(encoding="utf-8")


@cache
def _script() -> str:
    """All scripts as one function, so that nothing of them is global but what chunks of rows call."""
    parts = [(_FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS]
    return '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"


def _hash(inner: str) -> str:
    """The hash by which the page's policy lets its own style and script run."""
    return base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()


def _buttons(labels: Mapping[str, str], counts: Counter[str]) -> list[tuple[str, str, int]]:
    return [(name, label, counts[name]) for name, label in labels.items() if counts[name]]


def _facts(summary: Mapping[str, Any]) -> list[str]:
    named = (("created_at", "begun {}"), ("completed_at", "ended {}"), ("reused_rows", "{} reused"))
    return [what.format(_time(summary[key])) for key, what in named if summary.get(key)]


def _time(value: object) -> str:
    """An ISO time to the minute, `2026-11-23 05:11 UTC`; anything else as it is."""
    text = str(value)
    return f"{text[:10]} {text[11:16]} UTC" if len(text) > 19 and text[10] == "T" else text  # noqa: PLR2004 ISO's shape


def _bars(statuses: Counter[str]) -> list[tuple[str, float, float]]:
    """Status, start and width in per cent of the header's bar, done first."""
    bars, start = [], 0.0
    for name in reversed(list(STATUS_LABELS)):
        width = 100 * statuses[name] / max(statuses.total(), 1)
        if width:
            bars.append((name, round(start, 3), round(width, 3)))
        start += width
    return bars
