"""Workbooks made by xlsxwriter, or part by part, and read back."""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import xlsxwriter

from jobs.manifest.content import Content
from jobs.manifest.reading import Reading
from jobs.manifest.workbook.source import WorkbookSource
from tests.manifest.workbook.parts import workbook_parts


@pytest.fixture
def book(tmp_path: Path) -> Callable[..., object]:
    """A workbook that xlsxwriter writes; its file is there when the block ends."""

    @contextmanager
    def made(name: str = "catalog.xlsx") -> Iterator[xlsxwriter.Workbook]:
        with xlsxwriter.Workbook(tmp_path / name, {"strings_to_urls": False}) as workbook:
            yield workbook

    return made


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., WorkbookSource]:
    """Opens a workbook of the folder."""

    def opened(name: str = "catalog.xlsx", **how: object) -> WorkbookSource:
        reading = Reading(pictures=tmp_path / "data", **how)
        return WorkbookSource(Content((tmp_path / name).open("rb"), name), reading)

    return opened


@pytest.fixture
def records(source: Callable[..., WorkbookSource]) -> Callable[..., list[tuple[int, list[str], str]]]:
    """The records of a workbook of the folder, without the names."""
    return lambda *args, **how: list(source(*args, **how).records())[1:]


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    """Writes a workbook part by part: of one sheet, whose XML is given, and of whatever other parts are."""

    def made(sheet: str, parts: dict[str, str | bytes] | None = None, name: str = "catalog.xlsx") -> Path:
        path = tmp_path / name
        whole = workbook_parts(sheet) | (parts or {})
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for part, content in whole.items():
                archive.writestr(part, content)
        return path

    return made
