"""Pictures that stand in a cell: Excel's rich values, and WPS's DISPIMG. Each leads over several parts to a file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from jobs.manifest.workbook.archive import Archive
from jobs.manifest.workbook.elements import Element, elements
from jobs.manifest.workbook.package import Relationship, of_kind, relationships

#: Keys of a rich value's structure that lead to a picture: one in the workbook, one from an address.
_LOCAL, _WEB = "_rvRel:LocalImageIdentifier", "WebImageIdentifier"
_TEXT_CHARS = 10
_T = TypeVar("_T")


@dataclass(slots=True, kw_only=True)
class RichPictures:
    """From the number of a cell's rich value (`vm`) to its picture; see docs/manifests.md for what is read."""

    #: For each `vm` from 1: the rich value, or None.
    values: list[int | None] = field(default_factory=list)
    #: Rich value → its structure, and its fields.
    fields: list[tuple[int, list[str]]] = field(default_factory=list)
    #: Structure → its keys.
    structures: list[list[str]] = field(default_factory=list)
    local: list[str | None] = field(default_factory=list)
    web: list[str | None] = field(default_factory=list)

    def picture(self, number: int) -> str | None:
        """The part, or the address, of a cell's picture; None for a rich value of another kind."""
        value = _at(self.values, number - 1)
        if value is None or (found := _at(self.fields, value)) is None:
            return None
        keys = _at(self.structures, found[0]) or []
        for key, text in zip(keys, found[1], strict=False):
            if key in {_LOCAL, _WEB} and text.isdecimal() and len(text) < _TEXT_CHARS:
                return _at(self.local if key == _LOCAL else self.web, int(text))
        return None


def rich_pictures(archive: Archive, workbook: dict[str, Relationship]) -> RichPictures | None:
    """What a workbook's rich values lead to; None when it has none."""
    metadata = of_kind(workbook, "sheetMetadata")
    values = of_kind(workbook, "rdRichValue")
    structures = of_kind(workbook, "rdRichValueStructure")
    if not metadata or not values or not structures:
        return None
    return RichPictures(
        values=list(_rich_value_of_cells(archive, metadata)),
        fields=list(_fields(archive, values)),
        structures=list(_structures(archive, structures)),
        local=_referred(archive, of_kind(workbook, "richValueRel"), "rel"),
        web=_referred(archive, of_kind(workbook, "rdRichValueWebImage"), "address"),
    )


def wps_pictures(archive: Archive, workbook: dict[str, Relationship]) -> dict[str, str]:
    """Id of DISPIMG → part."""
    part = of_kind(workbook, "cellImage") or "xl/cellimages.xml"
    if part not in archive:
        return {}
    targets = relationships(archive, part)
    found: dict[str, str] = {}
    name = ""
    for element in _starts(archive, part):
        if element.name == "cNvPr":
            name = element.attributes.get("name", "")
        elif element.name == "blip" and (target := targets.get(element.attributes.get("embed", ""))):
            found.setdefault(name, target.target)
    return found


def _rich_value_of_cells(archive: Archive, part: str) -> Iterator[int | None]:
    """For each cell metadata in its order the rich value; they refer to a list that stands before them."""
    kinds: list[str] = []
    blocks: dict[str, list[int | None]] = {}
    group, value, seen = "", None, None
    for element in elements(archive.chunks(part)):
        match element.name, element.end:
            case "metadataType", False:
                kinds.append(element.attributes.get("name", ""))
            case "futureMetadata" | "valueMetadata", begin_or_end:
                group = "" if begin_or_end else element.attributes.get("name", element.name)
            case "rvb", False:
                value = _number(element.attributes.get("i"))
            case "rc", False:
                kind = _at(kinds, (_number(element.attributes.get("t")) or 0) - 1)
                block = _at(blocks.get(kind or "", []), _number(element.attributes.get("v")))
                seen = block if block is not None else seen
            case "bk", True if group == "valueMetadata":
                yield seen
                seen = None
            case "bk", True if group:
                blocks.setdefault(group, []).append(value)
                value = None


def _fields(archive: Archive, part: str) -> Iterator[tuple[int, list[str]]]:
    texts: list[str] = []
    for element in elements(archive.chunks(part)):
        if element.end and element.name == "v":
            texts.append(element.text)
        elif element.end and element.name == "rv":
            yield _number(element.attributes.get("s")) or 0, texts
            texts = []


def _structures(archive: Archive, part: str) -> Iterator[list[str]]:
    keys: list[str] = []
    for element in elements(archive.chunks(part)):
        if element.name == "k" and not element.end:
            keys.append(element.attributes.get("n", ""))
        elif element.name == "s" and element.end:
            yield keys
            keys = []


def _referred(archive: Archive, part: str | None, name: str) -> list[str | None]:
    """What the elements of a name refer to, in their order."""
    if part is None or part not in archive:
        return []
    targets = relationships(archive, part)
    found = [targets.get(one.attributes.get("id", "")) for one in _starts(archive, part) if one.name == name]
    return [target.target if target else None for target in found]


def _starts(archive: Archive, part: str) -> Iterator[Element]:
    return (element for element in elements(archive.chunks(part)) if not element.end)


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,9}", text) else None


def _at(found: list[_T], place: int | None) -> _T | None:
    return found[place] if place is not None and 0 <= place < len(found) else None
