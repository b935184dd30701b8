"""Pictures that lie over the cells: which cell is under the middle of each."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from jobs.manifest.workbook.archive import Archive
from jobs.manifest.workbook.cells import MAX_COLUMNS, MAX_ROWS
from jobs.manifest.workbook.elements import Element, elements
from jobs.manifest.workbook.package import Relationship, relationships
from jobs.manifest.workbook.runs import Axes, Axis

#: Of 100,000: so little is cut by rounding.
_ROUNDING = 500
_ANCHORS = ("twoCellAnchor", "oneCellAnchor", "absoluteAnchor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Floating:
    """A picture over a cell."""

    row: int
    column: int
    #: A part, or an address.
    picture: str
    #: Whether the sheet shows it cut or turned; its file is as it was inserted.
    altered: bool = False


@dataclass(slots=True, kw_only=True)
class _Anchor:
    """Where a picture is fastened, as the drawing says it."""

    kind: str
    #: `from` and `to`: row, column, and how far into them, in EMU.
    corners: dict[str, dict[str, int]] = field(default_factory=dict)
    #: `pos` x and y, `ext` cx and cy, in EMU.
    numbers: dict[str, int] = field(default_factory=dict)
    #: Ids of the relationships of its pictures.
    blips: list[str] = field(default_factory=list)
    altered: bool = False

    def middle(self, rows: Axes, columns: Axes) -> tuple[int, int]:
        """The row and the column under the picture's middle."""
        if self.kind == "absoluteAnchor":
            down, across = rows.seen, columns.seen
        else:
            down = rows.for_anchor(*(corner.get("row", 0) for corner in self.corners.values()))
            across = columns.for_anchor(self.corners.get("from", {}).get("col", 0))
        return (
            min(MAX_ROWS - 1, down.under(self._middle(down, "row", "y"))),
            min(MAX_COLUMNS - 1, across.under(self._middle(across, "col", "x"))),
        )

    def _middle(self, axis: Axis, unit: str, letter: str) -> float:
        free = self.kind == "absoluteAnchor"
        begin = float(self.numbers.get(letter, 0)) if free else self._corner(axis, "from", unit)
        if self.kind == "twoCellAnchor":
            return (begin + self._corner(axis, "to", unit)) / 2
        return begin + self.numbers.get(f"c{letter}", 0) / 2

    def _corner(self, axis: Axis, name: str, unit: str) -> float:
        """Where a corner is. How far it is into its cell never leads out of it, whatever the drawing says."""
        corner = self.corners.get(name, {})
        place = corner.get(unit, 0)
        begin = axis.begin(place)
        return begin + min(corner.get(f"{unit}Off", 0), axis.begin(place + 1) - begin)


def floating(archive: Archive, part: str, rows: Axes, columns: Axes) -> Iterator[Floating]:
    """The pictures of a drawing, each with the cell under its middle."""
    targets = relationships(archive, part)
    for anchor in _anchors(archive, part):
        found = [picture for blip in anchor.blips if (picture := _picture(targets.get(blip)))]
        if found:
            row, column = anchor.middle(rows, columns)
            for picture in dict.fromkeys(found):
                yield Floating(row=row, column=column, picture=picture, altered=anchor.altered)


def _anchors(archive: Archive, part: str) -> Iterator[_Anchor]:
    anchor: _Anchor | None = None
    corner = ""
    for element in elements(archive.chunks(part)):
        if element.name in _ANCHORS:
            if element.end and anchor:
                yield anchor
            anchor = None if element.end else _Anchor(kind=element.name)
        elif anchor is None:
            continue
        elif element.name in {"from", "to"}:
            corner = "" if element.end else element.name
        elif element.end and corner:
            anchor.corners.setdefault(corner, {})[element.name] = _number(element.text)
        elif not element.end:
            _note(anchor, element)


def _note(anchor: _Anchor, element: Element) -> None:
    if element.name == "blip":
        anchor.blips.append(element.attributes.get("embed") or element.attributes.get("link", ""))
    elif element.name in {"srcRect", "xfrm"}:
        turned = any(
            element.attributes.get(key, "0") not in {"0", "false"} for key in ("rot", "flipH", "flipV")
        )
        cut = any(abs(_signed(element.attributes.get(side, "0"))) > _ROUNDING for side in "ltrb")
        anchor.altered = anchor.altered or turned or cut
    elif element.name in {"pos", "ext"} and not anchor.blips:  # those of the anchor stand before its picture
        for key, value in element.attributes.items():
            anchor.numbers.setdefault(key, _number(value))


def _picture(target: Relationship | None) -> str | None:
    """The picture that a relationship leads to; of those outside of the workbook only addresses count."""
    if target is None or (target.external and not target.target.lower().startswith(("http://", "https://"))):
        return None
    return target.target


def _signed(text: str) -> int:
    return -_number(text[1:]) if text[:1] == "-" else _number(text)


def _number(text: str) -> int:
    return int(text) if text.strip().isdecimal() and len(text) < 12 else 0  # noqa: PLR2004 longer than any sheet
