"""How the parts of an Office workbook refer to each other."""

import posixpath
from dataclasses import dataclass
from urllib.parse import unquote

from jobs.manifest.workbook.archive import Archive
from jobs.manifest.workbook.elements import elements
from jobs.manifest.workbook.errors import WorkbookError


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship:
    """What a part refers to."""

    #: The last word of its type, e.g. `image`; the addresses before it differ between the two forms of the standard.
    kind: str
    #: A part's name; as written when `external`.
    target: str
    external: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetPart:
    """A sheet as the workbook lists it."""

    name: str
    #: "" for a sheet without a table of cells, such as a chart.
    part: str
    hidden: bool


def relationships(archive: Archive, part: str) -> dict[str, Relationship]:
    """What a part refers to, by id; empty for one that refers to nothing."""
    folder, name = posixpath.split(part)
    listing = posixpath.join(folder, "_rels", f"{name}.rels")
    if listing not in archive:
        return {}
    return {
        element.attributes.get("Id", ""): _relationship(element.attributes, folder)
        for element in elements(archive.chunks(listing))
        if element.name == "Relationship" and not element.end
    }


def of_kind(found: dict[str, Relationship], kind: str) -> str | None:
    """The first part of a kind that is referred to."""
    return next((one.target for one in found.values() if one.kind == kind and not one.external), None)


def workbook_part(archive: Archive) -> str:
    """The part that everything else hangs on.

    Raises:
        WorkbookError: there is none.
    """
    part = of_kind(relationships(archive, ""), "officeDocument")
    if part is None or part not in archive:
        raise WorkbookError("holds no workbook; open it in Excel or LibreOffice and save it again")
    return part


def sheet_parts(archive: Archive, workbook: str) -> list[SheetPart]:
    """The sheets in their order. Of a binary workbook the list is not XML: read it elsewhere."""
    found = relationships(archive, workbook)
    sheets = []
    for element in elements(archive.chunks(workbook)):
        if element.name == "sheet" and not element.end:
            target = found.get(element.attributes.get("id", ""))
            sheets.append(
                SheetPart(
                    name=element.attributes.get("name", ""),
                    part=target.target if target and target.kind == "worksheet" else "",
                    hidden=element.attributes.get("state", "visible") != "visible",
                )
            )
    return sheets


def _relationship(attributes: dict[str, str], folder: str) -> Relationship:
    kind = attributes.get("Type", "").rpartition("/")[2]
    target = attributes.get("Target", "")
    if attributes.get("TargetMode") == "External":
        return Relationship(kind=kind, target=target, external=True)
    whole = posixpath.join("/", folder, unquote(target).replace("\\", "/"))
    return Relationship(kind=kind, target=posixpath.normpath(whole).lstrip("/"), external=False)
