"""Pictures over the cells of old workbooks (.xls), written part by part."""

import struct
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from jobs.errors import ManifestError
from tests.manifest.workbook.parts import NAMES, P, U
from tests.manifest.workbook.test_binary_workbooks import xls, xls_record

JPEG, PNG = b"\xff\xd8\xff\xe0 a photograph", b"\x89PNG\r\n\x1a\n another one"
EMPTY = [NAMES, [7, "", "", ""], [8, "", "", ""]]
#: Bytes that a record holds; what is longer goes on in another.
MOST = 8224
ROW, COLUMN, DEFAULT_ROW, DEFAULT_COLUMN, OBJECT, CONTINUED = 0x208, 0x7D, 0x225, 0x55, 0x5D, 0x3C


def part(kind: int, content: bytes, *, version: int = 0, instance: int = 0) -> bytes:
    return struct.pack("<HHI", version | instance << 4, kind, len(content)) + content


def group(kind: int, *parts: bytes) -> bytes:
    return part(kind, b"".join(parts), version=0xF)


def kept(picture: bytes, *, digests: int = 1, name: bytes = b"") -> bytes:
    """A picture as the whole keeps it; b"" for an entry whose picture is gone."""
    entry = bytes(33) + bytes([len(name), 0, 0]) + name
    if picture:
        jpeg = picture.startswith(b"\xff\xd8")
        kind, instance = (0xF01D, 0x46A) if jpeg else (0xF01E, 0x6E0)
        entry += part(kind, bytes(16 * digests + 1) + picture, instance=instance + digests - 1)
    return part(0xF007, entry, version=2)


def of_all(*entries: bytes, record: int = 0xEB) -> bytes:
    """The records of all pictures, in pieces."""
    whole = group(0xF000, part(0xF006, bytes(16)), group(0xF001, *entries), part(0xF11E, bytes(16)))
    pieces = [whole[at : at + MOST] for at in range(0, len(whole), MOST)]
    return xls_record(0xEB, pieces[0]) + b"".join(xls_record(record, piece) for piece in pieces[1:])


def anchor(left: float, top: float, right: float, bottom: float) -> bytes:
    """Corners in columns and rows, counted from 0."""
    sides = [
        (int(at), int(at % 1 * whole))
        for at, whole in ((left, 1024), (top, 256), (right, 1024), (bottom, 256))
    ]
    return struct.pack("<9H", 2, *(number for side in sides for number in side))


def shape(number: int, *where: float, kind: int = 0xF010) -> bytes:
    """A shape with this picture; 0 for one without."""
    other = struct.pack("<HI", 0x007F, 0)
    picture = struct.pack("<HI", 0x4104, number) if number else struct.pack("<HI", 0x0186, 1)
    parts = [part(0xF00A, bytes(8), version=2), part(0xF00B, other + picture, version=3, instance=2)]
    return group(0xF004, *parts, part(kind, anchor(*where)), part(0xF011, b""))


def drawing(*shapes: bytes) -> bytes:
    """A sheet's drawing: each shape in a record, its object behind it."""
    inner = group(0xF004, part(0xF009, bytes(16)), part(0xF00A, bytes(8)))
    whole = group(0xF002, part(0xF008, bytes(8)), group(0xF003, inner, *shapes))
    size = len(whole) - sum(map(len, shapes))
    pieces = [whole[:size] + shapes[0], *shapes[1:]]
    return b"".join(xls_record(0xEC, piece) + xls_record(OBJECT, bytes(26)) for piece in pieces)


def seen(records: list[tuple[int, list[str], str]]) -> list[tuple[bytes | str, ...]]:
    """The cells of person and garment, a picture as its content, and what is wrong with the row."""
    return [
        (*(Path(cell).read_bytes() if cell.startswith("/") else cell for cell in cells[1:3]), flaw)
        for _, cells, flaw in records
    ]


def test_pictures_over_the_cells_of_an_old_workbook_are_read(tmp_path, source):
    """Also below the last value, of several digests, behind a name, with a note's shape in between."""
    shapes = [
        shape(1, 1.1, 1.1, 1.9, 1.9),
        shape(0, 2.1, 1.1, 2.9, 1.9),
        shape(2, 2.1, 1.1, 2.9, 1.9),
        shape(2, 1.1, 2.1, 1.9, 2.9),
        shape(1, 2.1, 3.1, 2.9, 3.9),
    ]
    entries = of_all(kept(JPEG, digests=2), kept(PNG, name=b"n\0\0\0"))
    xls(tmp_path / "catalog.xls", EMPTY, of_all=entries, of_sheet=drawing(*shapes))
    found = source("catalog.xls")
    assert found.remarks == ()
    assert seen(list(found.records())[1:]) == [(JPEG, PNG, ""), (PNG, "", ""), ("", JPEG, "")]


@pytest.mark.parametrize("record", [0xEB, CONTINUED])
def test_a_picture_that_goes_on_over_many_records_is_whole(tmp_path, records, record):
    large = JPEG + Random(1).randbytes(3 * MOST)
    entries = of_all(kept(PNG), kept(large), record=record)
    xls(tmp_path / "catalog.xls", EMPTY, of_all=entries, of_sheet=drawing(shape(2, 1, 1, 2, 2)))
    assert seen(records("catalog.xls"))[0] == (large, "", "")


def test_a_drawing_that_goes_on_behind_an_object_is_read(tmp_path, records):
    """As Excel writes it once a drawing is longer than a record."""
    whole = drawing(shape(1, 1, 1, 2, 2), shape(1, 1, 2, 2, 3), shape(1, 2, 1, 3, 2))
    first, *others = whole.split(struct.pack("<H", 0xEC))[1:]
    cut = b"".join(struct.pack("<H", CONTINUED) + other for other in others)
    xls(
        tmp_path / "catalog.xls",
        EMPTY,
        of_all=of_all(kept(JPEG)),
        of_sheet=struct.pack("<H", 0xEC) + first + cut,
    )
    assert seen(records("catalog.xls")) == [(JPEG, JPEG, ""), (JPEG, "", "")]


@pytest.mark.parametrize("letters", [b"", b"\0a note", b"\1a\0 \0n\0o\0t\0e\0"])
def test_a_drawing_that_goes_on_behind_the_text_of_a_box_is_read(tmp_path, records, letters):
    """Its letters and what they look like continue the text; what continues it then is the next shape."""
    first, box, last = drawing(shape(1, 1, 1, 2, 2), shape(0, 5, 1, 6, 2), shape(1, 1, 2, 2, 3)).split(
        struct.pack("<H", 0xEC)
    )[1:]
    looks = bytes(16) if letters else b""
    text = xls_record(0x1B6, struct.pack("<10xHH4x", 6 if letters else 0, len(looks)))
    text += b"".join(xls_record(CONTINUED, each) for each in (letters, looks) if each)
    mark, more = struct.pack("<H", 0xEC), struct.pack("<H", CONTINUED)
    sheet = mark + first + more + box + text + more + last
    xls(tmp_path / "catalog.xls", EMPTY, of_all=of_all(kept(JPEG)), of_sheet=sheet)
    assert seen(records("catalog.xls")) == [(JPEG, "", ""), (JPEG, "", "")]


#: Over the edge of the cell to its left; the middle decides, and cells differ in size.
SIZES = {
    "its middle": (b"", (0.9, 0.9, 1.9, 1.9), 0),
    "a wide column": (xls_record(COLUMN, struct.pack("<HHHHHH", 2, 2, 9999, 0, 0, 0)), (1.0, 1.1, 2.9, 1.9), 1),
    "a hidden column": (xls_record(COLUMN, struct.pack("<HHHHHH", 2, 2, 9999, 0, 1, 0)), (1.0, 1.1, 2.9, 1.9), 0),
    "usual columns are wide": (
        xls_record(DEFAULT_COLUMN, struct.pack("<H", 60)) + xls_record(COLUMN, struct.pack("<HHHHHH", 1, 1, 500, 0, 0, 0)),
        (1.0, 1.1, 2.5, 1.9),
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SIZES)
def test_a_picture_counts_for_the_cell_under_its_middle(tmp_path, records, case):
    sizes, where, place = SIZES[case]
    xls(
        tmp_path / "catalog.xls", EMPTY, of_all=of_all(kept(JPEG)), of_sheet=sizes + drawing(shape(1, *where))
    )
    row = seen(records("catalog.xls"))[0]
    assert row[place] == JPEG
    assert row[1 - place] == ""


def test_a_low_row_is_passed_by(tmp_path, records):
    usual = xls_record(DEFAULT_ROW, struct.pack("<HH", 0, 2000))
    where = drawing(shape(1, 1, 1, 2, 2.9))
    xls(tmp_path / "catalog.xls", EMPTY, of_all=of_all(kept(JPEG)), of_sheet=where)
    assert seen(records("catalog.xls"))[0][0] == JPEG
    low = xls_record(ROW, struct.pack("<HHHHIHH", 1, 0, 9, 10, 0, 0, 0))
    xls(tmp_path / "catalog.xls", EMPTY, of_all=of_all(kept(JPEG)), of_sheet=usual + low + where)
    assert [row[0] for row in seen(records("catalog.xls"))] == ["", JPEG]


def test_a_picture_in_a_group_counts_for_the_cell_under_the_group(tmp_path, records):
    inside = shape(1, 0, 0, 0, 0, kind=0xF00F)
    together = group(0xF003, shape(0, 1.1, 1.1, 1.9, 1.9), inside)
    xls(tmp_path / "catalog.xls", EMPTY, of_all=of_all(kept(JPEG)), of_sheet=drawing(together))
    assert seen(records("catalog.xls"))[0] == (JPEG, "", "")


def test_two_pictures_over_one_cell_and_one_that_is_gone_make_their_rows_bad(tmp_path, records):
    shapes = [shape(1, 1, 1, 2, 2), shape(2, 1, 1, 2, 2), shape(3, 1, 2, 2, 3), shape(9, 2, 2, 3, 3)]
    entries = of_all(kept(JPEG), kept(PNG), kept(b""))
    xls(tmp_path / "catalog.xls", EMPTY, of_all=entries, of_sheet=drawing(*shapes))
    flaws = [flaw for *_, flaw in seen(records("catalog.xls"))]
    assert "2 pictures lie over the cell" in flaws[0]
    assert "the picture is missing in the workbook" in flaws[1]


def test_that_pictures_of_excel_95_are_not_read_is_said(tmp_path, source):
    before = xls_record(0x7F, bytes(40)) * 2
    xls(tmp_path / "catalog.xls", [NAMES, [7, P, U, ""]], of_sheet=before)
    assert source("catalog.xls").remarks == (
        "Looks: pictures in the form of Excel 95 (2) are not read; save it as .xlsx",
    )


@pytest.mark.parametrize(
    "more",
    [
        xls_record(0xEC, b"\xff" * 30),
        xls_record(0xEC, part(0xF00D, b"") * 1000) * 101,
        xls_record(0xEC, part(0xF00D, bytes(8000))) * 600,
    ],
)
def test_that_a_drawing_is_read_in_part_is_said(tmp_path, source, more):
    """Broken, of more parts, or of more bytes than any table has: what stood before is read."""
    broken = drawing(shape(1, 1, 1, 2, 2)) + more
    xls(tmp_path / "catalog.xls", [NAMES, [7, "", U, ""]], of_all=of_all(kept(JPEG)), of_sheet=broken)
    found = source("catalog.xls")
    assert found.remarks == ("Looks: pictures over its cells cannot all be read; save it as .xlsx",)
    assert seen(list(found.records())[1:]) == [(JPEG, U, "")]


@pytest.mark.parametrize("seed", range(15))
def test_wrong_bytes_in_drawings_are_refused_or_read(tmp_path, source, seed):
    chance = Random(seed)
    shapes = [shape(1, 1, 1, 2, 2), shape(2, 1, 2, 2, 3), shape(2, 2, 1, 3, 2)]

    def spoilt(records: bytes) -> bytes:
        content = bytearray(records)
        for _ in range(6):
            content[chance.randrange(4, len(content))] = chance.choice([0, 1, 0x0F, 0x7F, 0xF0, 0xFF])
        return bytes(content)

    entries = spoilt(of_all(kept(JPEG), kept(PNG)))
    xls(tmp_path / "catalog.xls", EMPTY, of_all=entries, of_sheet=spoilt(drawing(*shapes)))
    with suppress(ManifestError):
        assert len(list(source("catalog.xls").records())) < 100
