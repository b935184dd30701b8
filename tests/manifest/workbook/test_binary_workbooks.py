"""Old and binary workbooks (.xls, .xlsb), written record by record."""

import random
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from jobs.errors import ManifestError
from tests.manifest.workbook.parts import NAMES, P, U, relations

ROWS = [NAMES, [7, P, U, ""], [8, P, U, ""], [9, P, U, "x"]]


def xls_record(number: int, content: bytes) -> bytes:
    return struct.pack("<HH", number, len(content)) + content


def xls(path: Path, rows: list[list[object]], **more: object) -> None:
    path.write_bytes(xls_bytes(rows, **more))


def xls_bytes(
    rows: list[list[object]],
    *,
    hidden: int = -1,
    far: tuple[int, int] = (0, 0),
    link: str = "",
    short: bool = False,
    codepage: int = 0,
    of_all: bytes = b"",
    of_sheet: bytes = b"",
) -> bytes:
    """An .xls of one sheet, whose numbers have the format 00000; `short`: they are written in four bytes.

    `codepage`: what it says of its texts; `of_all`, `of_sheet`: more records.
    """
    code = b"00000"
    cells = b""
    for row, values in enumerate(rows):
        cells += xls_record(
            0x208, struct.pack("<HHHHIHH", row, 0, 9, 255, 0, 0x20 if row == hidden else 0, 0)
        )
        for column, value in enumerate(values):
            at = struct.pack("<HHH", row, column, 1)
            if isinstance(value, str):
                wide = not value.isascii()
                raw = value.encode("utf-16-le" if wide else "ascii")
                cells += xls_record(0x204, at + struct.pack("<HB", len(value), wide) + raw) if value else b""
            elif short:
                cells += xls_record(0x27E, at + struct.pack("<I", value << 2 | 2))
            else:
                cells += xls_record(0x203, at + struct.pack("<d", value))
    cells += of_sheet
    if any(far):
        cells += xls_record(0x203, struct.pack("<HHHd", *far, 0, 1.0))
    if link:
        address = f"{link}\0".encode("utf-16-le")
        moniker = (
            bytes.fromhex("e0c9ea79f9bace118c8200aa004ba90b") + struct.pack("<I", len(address)) + address
        )
        cells += xls_record(0x1B8, struct.pack("<HHHH16sII", 1, 1, 1, 1, b"", 2, 3) + moniker)
    begin = xls_record(0x809, struct.pack("<HHHHII", 0x600, 0x05, 0, 0, 0, 0))
    shared = (
        xls_record(0x41E, struct.pack("<HHB", 164, len(code), 0) + code)
        + xls_record(0xE0, struct.pack("<HH16x", 0, 0))
        + xls_record(0xE0, struct.pack("<HH16x", 0, 164))
    )
    shared += (xls_record(0x42, struct.pack("<H", codepage)) if codepage else b"") + of_all
    name = b"Looks"
    length = len(begin) + len(shared) + 4 + 8 + len(name) + 4
    listed = xls_record(0x85, struct.pack("<IBBBB", length, 0, 0, len(name), 0) + name)
    sheet = xls_record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 0)) + cells + xls_record(0x0A, b"")
    return compound(begin + shared + listed + xls_record(0x0A, b"") + sheet)


def compound(stream: bytes) -> bytes:
    """A compound file with one stream, large enough to have sectors of its own: tables, directory, stream."""
    stream = stream.ljust(4096, b"\0")
    stream = stream.ljust(-(-len(stream) // 512) * 512, b"\0")
    sectors = len(stream) // 512
    tables = -(-(sectors + 1) // 127)
    fat = [0xFFFFFFFD] * tables + [0xFFFFFFFE, *range(tables + 2, tables + 1 + sectors), 0xFFFFFFFE]
    fat += [0xFFFFFFFF] * (128 * tables - len(fat))
    header = bytes.fromhex("d0cf11e0a1b11ae1").ljust(24, b"\0") + struct.pack(
        "<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6
    )
    header += struct.pack("<IIIIIIIII", 0, tables, tables, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    header += struct.pack("<109I", *range(tables), *[0xFFFFFFFF] * (109 - tables))

    def entry(name: str, kind: int, child: int, first: int, size: int) -> bytes:
        raw = f"{name}\0".encode("utf-16-le")
        tree = struct.pack("<HBBIII", len(raw), kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child)
        return raw.ljust(64, b"\0") + tree + bytes(36) + struct.pack("<IQ", first, size)

    directory = entry("Root Entry", 5, 1, 0xFFFFFFFE, 0) + entry(
        "Workbook", 2, 0xFFFFFFFF, tables + 1, len(stream)
    )
    return header + struct.pack(f"<{len(fat)}I", *fat) + directory.ljust(512, b"\0") + stream


def test_an_old_workbook_is_read_as_a_person_sees_it(tmp_path, source):
    xls(tmp_path / "catalog.xls", ROWS, hidden=2, link=f"{P}?linked")
    found = source("catalog.xls")
    assert list(found.records()) == [
        (1, NAMES, ""),
        (2, ["00007", P, U, ""], ""),
        (3, ["00008", P, U, ""], ""),
        (4, ["00009", P, U, "x"], ""),
    ]
    assert found.remarks[0].startswith("Looks: 1 row is hidden")
    assert [line for line, *_ in source("catalog.xls", visible_only=True).records()] == [1, 2, 4]


def test_a_short_number_of_an_old_workbook_is_read_as_a_person_sees_it(tmp_path, records):
    """As LibreOffice writes whole ones."""
    xls(tmp_path / "catalog.xls", ROWS, short=True)
    assert [cells[0] for _, cells, _ in records("catalog.xls")] == ["00007", "00008", "00009"]


@pytest.mark.parametrize("codepage", [0, 1200, 1252, 936])
def test_whatever_codepage_an_old_workbook_names_its_texts_are_read(tmp_path, records, codepage):
    """Excel names 1200; Perl's and other libraries name that of their country, and write Unicode all the same."""
    xls(tmp_path / "catalog.xls", [NAMES, [7, P, "grün.jpg", "红"], [8, P, U, "ï"]], codepage=codepage)
    assert [cells[1:] for _, cells, _ in records("catalog.xls")] == [[P, "grün.jpg", "红"], [P, U, "ï"]]


def test_a_link_of_an_old_workbook_is_followed(tmp_path, records):
    xls(tmp_path / "catalog.xls", [NAMES, [7, "photo", U, ""]], link=f"{P}?linked")
    assert records("catalog.xls") == [(2, ["00007", f"{P}?linked", U, ""], "")]


def test_an_old_workbook_whose_cells_lie_far_apart_is_refused(tmp_path, source):
    xls(tmp_path / "catalog.xls", ROWS, far=(65535, 255))
    with pytest.raises(ManifestError, match="as far apart as IV65536"):
        source("catalog.xls")


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("form", ["xls", "xlsb"])
def test_a_binary_workbook_with_wrong_bytes_is_refused_or_read(tmp_path, source, form, seed):
    name, chance = f"catalog.{form}", random.Random(seed)
    (xls if form == "xls" else xlsb)(tmp_path / name, ROWS, hidden=2)
    content = bytearray((tmp_path / name).read_bytes())
    for _ in range(8):
        at = chance.choice(
            [chance.randrange(len(content)), chance.randrange(28, 80), 512 + chance.randrange(40)]
        )
        content[at] = chance.choice([0, 1, 2, 0x7F, 0xFF])
    (tmp_path / name).write_bytes(content)
    with suppress(ManifestError):
        assert len(list(source(name).records())) < 1000


def varied(number: int) -> bytes:
    head = b""
    while number > 0x7F:
        head += bytes([number & 0x7F | 0x80])
        number >>= 7
    return head + bytes([number])


def xlsb_record(number: int, content: bytes = b"") -> bytes:
    return varied(number) + varied(len(content)) + content


def wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def xlsb(path: Path, rows: list[list[object]], *, hidden: int = -1, extra: bytes = b"") -> None:
    """An .xlsb of one sheet, whose numbers have the format 00000."""
    cells = b""
    for row, values in enumerate(rows):
        flags = 0x10 if row == hidden else 0
        cells += xlsb_record(0, struct.pack("<IIHBBBI", row, 0, 300, 0, flags, 0, 0))
        for column, value in enumerate(values):
            at = struct.pack("<II", column, 1)
            if isinstance(value, str):
                cells += xlsb_record(6, at + wide(value)) if value else b""
            else:
                cells += xlsb_record(5, at + struct.pack("<d", value))
    size = xlsb_record(148, struct.pack("<IIII", 0, len(rows) - 1, 0, 9))
    sheet = xlsb_record(129) + size + xlsb_record(145) + cells + extra + xlsb_record(146)
    sheet += xlsb_record(176, struct.pack("<IIII", 1, 2, 3, 3))
    sheet += xlsb_record(
        494, struct.pack("<IIII", 1, 1, 1, 1) + wide("rId1") + struct.pack("<I", 0) * 3
    ) + xlsb_record(130)
    styles = (
        xlsb_record(278)
        + xlsb_record(615, struct.pack("<I", 1))
        + xlsb_record(44, struct.pack("<H", 164) + wide("00000"))
    )
    styles += xlsb_record(616) + xlsb_record(617, struct.pack("<I", 2))
    styles += b"".join(
        xlsb_record(47, struct.pack("<HH12x", 0, number)) for number in (0, 164)
    ) + xlsb_record(618)
    book = xlsb_record(131) + xlsb_record(143)
    book += (
        xlsb_record(156, struct.pack("<II", 0, 1) + wide("rId1") + wide("Looks"))
        + xlsb_record(144)
        + xlsb_record(132)
    )
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": relations([("rId1", "officeDocument", "xl/workbook.bin")]),
        "xl/workbook.bin": book,
        "xl/_rels/workbook.bin.rels": relations(
            [("rId1", "worksheet", "worksheets/sheet1.bin"), ("rId2", "styles", "styles.bin")]
        ),
        "xl/styles.bin": styles + xlsb_record(279),
        "xl/worksheets/sheet1.bin": sheet,
        "xl/worksheets/_rels/sheet1.bin.rels": relations(
            [("rId1", "hyperlink", f"{P}?linked")], ' TargetMode="External"'
        ),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for part, content in parts.items():
            archive.writestr(part, content)


def test_a_binary_workbook_is_read_as_a_person_sees_it(tmp_path, source):
    xlsb(tmp_path / "catalog.xlsb", [NAMES, [7, "photo", U, "both"], [8, P, U, ""], [9, P, U, "x"]], hidden=2)
    found = source("catalog.xlsb")
    assert list(found.records()) == [
        (1, NAMES, ""),
        (2, ["00007", f"{P}?linked", U, "both"], ""),
        (3, ["00008", P, U, "both"], ""),
        (4, ["00009", P, U, "x"], ""),
    ]
    assert found.remarks[0].startswith("Looks: 1 row is hidden")


FAR_CELL = xlsb_record(0, struct.pack("<IIHBBBI", 1_048_575, 0, 0, 0, 0, 0, 0)) + xlsb_record(
    5, struct.pack("<IId", 16383, 0, 1)
)


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        (FAR_CELL, "as far apart as XFD1048576"),
        (xlsb_record(17, struct.pack("<I", 0) + wide("x")), "short form that only Excel reads in full"),
        (varied(5) + b"\xff\xff\xff\x7f", "broken or cut off"),
    ],
)
def test_a_binary_workbook_that_cannot_be_read_whole_is_refused(tmp_path, source, extra, why):
    xlsb(tmp_path / "catalog.xlsb", ROWS, extra=extra)
    with pytest.raises(ManifestError, match=why):
        source("catalog.xlsb")
