"""Where the links of a sheet lead, and which cells they cover."""

from urllib.parse import unquote

from jobs.manifest.workbook.facts import Facts
from jobs.manifest.workbook.merged import Area
from jobs.manifest.workbook.package import Relationship

#: Cells that one link may cover; a link over more than that is no link to one picture.
_MAX_CELLS = 10_000


def outside(target: Relationship | None) -> str | None:
    """Where a link leads out of the workbook: an address, or the path of a file. Mail and the like hold no picture."""
    return link_of(target.target) if target is not None and target.external else None


def link_of(target: str) -> str | None:
    """A link's target as a picture's cell would say it; None for one that leads to no file."""
    scheme, colon, _ = target.partition(":")
    if scheme.lower() in {"http", "https"}:
        return target
    return None if colon and len(scheme) > 1 else unquote(target).replace("\\", "/")


def cover(facts: Facts, area: Area, target: str) -> None:
    """Notes a link for every cell of its area."""
    (top, left), (bottom, right) = area
    if 0 <= (bottom - top) * (right - left + 1) + right - left < _MAX_CELLS:
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                facts.links.setdefault(row, {})[column] = target
