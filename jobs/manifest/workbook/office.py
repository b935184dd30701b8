"""The sheets of an Office workbook (.xlsx, .xlsm): what their own parts say, read once and as streams."""

import re

from jobs.manifest.workbook.archive import Archive
from jobs.manifest.workbook.cell_pictures import rich_pictures, wps_pictures
from jobs.manifest.workbook.errors import WorkbookError
from jobs.manifest.workbook.facts import Facts
from jobs.manifest.workbook.floating import floating
from jobs.manifest.workbook.links import outside
from jobs.manifest.workbook.package import (
    SheetPart,
    of_kind,
    relationships,
    sheet_parts,
    workbook_part,
)
from jobs.manifest.workbook.quick_look import QuickLook
from jobs.manifest.workbook.sheet_xml import PictureSources, SheetXml
from jobs.manifest.workbook.styles import number_formats

#: How many texts a list of shared ones announces: libraries make room for so many before they read the first.
_ANNOUNCED = re.compile(rb"""uniqueCount\s*=\s*["']([0-9]+)["']""")
#: Bytes of the shortest text in that list.
_SHORTEST = len("<si/>")


class OfficeWorkbook:
    """What is read from the parts of a workbook beside its values."""

    def __init__(self, archive: Archive) -> None:
        """Reads what belongs to all sheets.

        Raises:
            WorkbookError: a part is broken, or announces what it cannot hold.
        """
        self._archive = archive
        part = workbook_part(archive)
        found = relationships(archive, part)
        self.sheets: list[SheetPart] = sheet_parts(archive, part)
        _prove_shared_texts(archive, of_kind(found, "sharedStrings"))
        self._formats = number_formats(archive, of_kind(found, "styles"))
        self._rich = rich_pictures(archive, found)
        self.wps = wps_pictures(archive, found)

    def facts(self, sheet: SheetPart) -> Facts:
        """Reads a sheet.

        Raises:
            WorkbookError: it is broken, or no memory would hold it.
        """
        facts = Facts(formats=self._formats)
        targets = relationships(self._archive, sheet.part)
        drawings = [one.target for one in targets.values() if one.kind == "drawing" and not one.external]
        sources = PictureSources(
            rich=self._rich.picture if self._rich else lambda _: None,
            wps=self.wps.get,
            link=lambda id_: outside(targets.get(id_)),
        )
        quick = not drawings and not self.wps and not self._rich
        if not (quick and self._quickly(sheet.part, facts, sources)):
            facts = Facts(formats=self._formats)
            xml = SheetXml(facts=facts, sources=sources)
            xml.read(self._archive.chunks(sheet.part))
            for drawing in drawings:
                for one in floating(self._archive, drawing, xml.rows(), xml.columns()):
                    facts.add_picture(one.row, one.column, one.picture, altered=one.altered)
        return facts

    def _quickly(self, part: str, facts: Facts, sources: PictureSources) -> bool:
        """Whether a look through the cells was enough."""
        look = QuickLook(facts)
        try:
            SheetXml(facts=facts, sources=sources).read(look.without_cells(self._archive.chunks(part)))
        except WorkbookError:
            if not look.unsure:
                raise
        return not look.unsure


def _prove_shared_texts(archive: Archive, part: str | None) -> None:
    """Reads the list of shared texts through, so that whoever reads it next meets no surprise."""
    if part is None or part not in archive:
        return
    first = True
    for chunk in archive.chunks(part):
        if first and chunk:
            announced = _ANNOUNCED.search(chunk)
            if int(announced[1]) * _SHORTEST > archive.size(part) if announced else b"uniqueCount" in chunk:
                raise WorkbookError("announces more texts than it holds; open it in Excel and save it again")
            first = False
