"""Workbooks made to break the reader, or that are none: refused by name, within a second and a few megabytes."""

import errno
import os
import subprocess
import sys
import time
import tracemalloc

import pytest

from jobs.errors import ManifestError
from jobs.manifest.content import Content
from jobs.manifest.workbook.archive import Archive
from tests.hostile.workbooks import HOSTILE, PLAIN, zipped
from tests.manifest.workbook.parts import HEAD, P, U, relations, row_xml, sheet_xml, workbook_parts


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_workbook_of_ours_is_refused_by_name(tmp_path, source, name):
    content, why = HOSTILE[name]
    (tmp_path / "catalog.xlsx").write_bytes(content)
    del content
    tracemalloc.start()
    begin = time.process_time()
    try:
        with pytest.raises(ManifestError, match=why) as error:
            source()
        assert tracemalloc.get_traced_memory()[1] < 32_000_000
    finally:
        tracemalloc.stop()
    assert time.process_time() - begin < 5  # a second, without the memory being traced
    assert str(error.value).startswith("catalog.xlsx: ")
    assert "\n" not in str(error.value)


def test_a_far_cell_does_not_end_the_process(tmp_path):
    """The library that reads the values ends the process when memory is short; nobody could catch that."""
    (tmp_path / "catalog.xlsx").write_bytes(HOSTILE["a cell in the last corner"][0])
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from jobs.manifest.content import Content\n"
        "from jobs.manifest.reading import Reading\n"
        "from jobs.manifest.workbook.source import WorkbookSource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "WorkbookSource(Content(open(sys.argv[1], 'rb'), 'catalog.xlsx'), Reading(pictures=Path('data')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "catalog.xlsx"], capture_output=True, text=True, check=False
    )
    assert "ManifestError: catalog.xlsx: " in done.stderr


def test_what_is_odd_but_harmless_is_read(archive, records):
    rows = HEAD + row_xml(2, ["A", P, U])
    odd = {
        "a link without an end": '<hyperlinks><hyperlink ref="B2" r:id="rId9"/></hyperlinks>',
        "a link over everything": '<hyperlinks><hyperlink ref="A1:XFD1048576" r:id="rId1"/></hyperlinks>',
        "a merged area over everything": '<mergeCells count="4294967295"><mergeCell ref="A2:XFD1048576"/></mergeCells>',
        "a drawing that is not there": '<drawing r:id="rId9"/>',
    }
    external = relations([("rId1", "hyperlink", "https://shop.example/")], ' TargetMode="External"')
    for name, after in odd.items():
        archive(sheet_xml(rows, after=after), {"xl/worksheets/_rels/sheet1.xml.rels": external})
        assert records() == [(2, ["A", P, U, ""], "")], name


def test_names_of_parts_with_backslashes_and_other_capitals_are_found(tmp_path, source):
    parts = {part.replace("xl/", "XL/"): content for part, content in workbook_parts(PLAIN).items()}
    (tmp_path / "catalog.xlsx").write_bytes(zipped(parts))
    assert source().where(2) == "Sheet1!2"


def test_a_disk_that_fails_is_not_called_a_broken_workbook(tmp_path, archive, monkeypatch):
    archive("<worksheet><sheetData/></worksheet>")

    def fails(*_args):
        raise OSError(errno.EIO, "Input/output error")

    opened = Content((tmp_path / "catalog.xlsx").open("rb"), "catalog.xlsx")
    monkeypatch.setattr(os, "pread", fails)
    with pytest.raises(OSError, match="Input/output error"):
        Archive(opened.file)
