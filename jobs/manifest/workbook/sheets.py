"""The sheets of a workbook of any form, one after the other, as somebody asks for them."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from jobs.manifest.workbook.archive import Archive
from jobs.manifest.workbook.errors import WorkbookError
from jobs.manifest.workbook.extraction import Extraction
from jobs.manifest.workbook.facts import Facts
from jobs.manifest.workbook.form import Form, form_of
from jobs.manifest.workbook.library import open_values, sheet_values
from jobs.manifest.workbook.ods import ods_sheets
from jobs.manifest.workbook.office import OfficeWorkbook
from jobs.manifest.workbook.sheet import Sheet
from jobs.manifest.workbook.xls import OldWorkbook
from jobs.manifest.workbook.xlsb import BinaryWorkbook


def sheets_of(file: IO[bytes], pictures: Path, wanted: str | None) -> Iterator[Sheet]:
    """The sheets that a person sees, in their order; or the one that is wanted, even if it is hidden.

    Args:
        file: the open workbook.
        pictures: where its pictures go as files.
        wanted: a sheet's name.

    Raises:
        WorkbookError: no workbook, a broken one, or no such sheet.
    """
    match form := form_of(file):
        case Form.TEXT:
            raise WorkbookError("is text with a workbook's name; give it the suffix .csv")
        case Form.XLSX | Form.XLSB:
            return _of_office(file, pictures, wanted, form)
        case Form.ODS:
            return _of_opendocument(file, pictures, wanted)
        case Form.XLS:
            return _of_old(file, pictures, wanted)


def _of_office(file: IO[bytes], pictures: Path, wanted: str | None, form: Form) -> Iterator[Sheet]:
    archive = Archive(file)
    office = OfficeWorkbook(archive) if form is Form.XLSX else BinaryWorkbook(archive)
    extraction = Extraction(archive, pictures)
    parts = {sheet.name: sheet for sheet in office.sheets}
    values = open_values(file, form)
    for name in _chosen({name: sheet.hidden for name, sheet in parts.items()}, wanted):
        facts = office.facts(parts[name]) if parts[name].part else Facts()
        yield Sheet(
            name, sheet_values(values, name), facts, extract=extraction.path_text, by_id=office.wps.get
        )


def _of_opendocument(file: IO[bytes], pictures: Path, wanted: str | None) -> Iterator[Sheet]:
    archive = Archive(file)
    extraction = Extraction(archive, pictures)
    found = {sheet.name: sheet for sheet in ods_sheets(archive)}
    for name in _chosen({name: sheet.hidden for name, sheet in found.items()}, wanted):
        yield Sheet(name, found[name].values, found[name].facts, extract=extraction.path_text)


def _of_old(file: IO[bytes], pictures: Path, wanted: str | None) -> Iterator[Sheet]:
    workbook = OldWorkbook(file)
    extraction = Extraction(workbook.pictures, pictures)
    found = {sheet.name: sheet for sheet in workbook.sheets}
    values = open_values(file, Form.XLS, codepage=workbook.codepage)
    for name in _chosen({name: sheet.hidden for name, sheet in found.items()}, wanted):
        yield Sheet(name, sheet_values(values, name), found[name].facts, extract=extraction.path_text)


def _chosen(hidden: dict[str, bool], wanted: str | None) -> list[str]:
    """`hidden`: for each sheet whether nobody sees it."""
    if wanted is None:
        return [name for name, unseen in hidden.items() if not unseen]
    if wanted not in hidden:
        raise WorkbookError(f"has no sheet “{wanted[:60]}”; its sheets are {', '.join(list(hidden)[:20])}")
    return [wanted]
