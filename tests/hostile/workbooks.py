"""Workbooks made to break the reader, or that are none."""

import io
import os
import struct
import zipfile

from tests.hostile.manifests import manifest
from tests.manifest.workbook.parts import HEAD, MAIN, NAMES, OFFICE, P, U, row_xml, sheet_xml, workbook_parts
from tests.manifest.workbook.test_binary_workbooks import xls_bytes, xls_record
from tests.manifest.workbook.test_old_pictures import part

PLAIN = sheet_xml(HEAD + row_xml(2, ["A", P, U]))
FAR = '<c r="XFD1048576"><v>1</v></c>'
ENTITIES = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefg", "bcdefgh", strict=True)
    ) + "]>"
)  # fmt: skip


def zipped(parts: dict[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    return file.getvalue()


def bomb(size: int) -> bytes:
    """A sheet of nothing but spaces."""
    return zipped(workbook_parts(sheet_xml(" " * size)))


def lying(content: bytes, size: int) -> bytes:
    """The directory says that the sheet is as small as `size`."""
    place = content.rindex(b"xl/worksheets/sheet1.xml") - 46
    return content[: place + 24] + struct.pack("<I", size) + content[place + 28 :]


def encrypted(content: bytes) -> bytes:
    place = content.rindex(b"xl/worksheets/sheet1.xml") - 46
    return content[: place + 8] + b"\1\0" + content[place + 10 :]


def shared(attributes: str) -> dict[str, str | bytes]:
    parts = workbook_parts(
        PLAIN, f'<Relationship Id="r9" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
    )
    return parts | {"xl/sharedStrings.xml": f'<sst xmlns="{MAIN}" {attributes}><si><t>x</t></si></sst>'}


def compound(name: str) -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000) + f"{name}\0".encode("utf-16-le") + bytes(2000)


def old(number: int, content: bytes, times: int = 1) -> bytes:
    """An .xls whose sheet has this record so often."""
    return xls_bytes([NAMES, ["A", P, U, ""]], of_sheet=xls_record(number, content) * times)


HOSTILE = {
    "heights of an old one": (old(0x208, struct.pack("<HHHHIHH", 9, 0, 9, 99, 0, 0, 0), 140_000), "broken"),
    "spaces": (bomb(1 << 25), "would unpack to"),
    "says it is small": (lying(bomb(1 << 22), 100), "broken"),
    "entities": (zipped(workbook_parts(f"{ENTITIES}{PLAIN.replace('Sheet', '&h;')}")), "declares a document type"),
    "entities in the list of sheets": (
        zipped(workbook_parts(PLAIN) | {"xl/workbook.xml": f"{ENTITIES}<workbook>&h;</workbook>"}),
        "declares a document type",
    ),
    "a cell in the last corner": (zipped(workbook_parts(sheet_xml(f"{HEAD}<row>{FAR}</row>"))), "apart as XFD1048576"),
    "a cell far below among many": (
        zipped(workbook_parts(sheet_xml(HEAD + row_xml(2, ["A", P, U]) * 9999 + f'<row r="3">{FAR}</row>'))),
        "as far apart as",
    ),
    "a cell that no sheet has": (zipped(workbook_parts(sheet_xml(f'{HEAD}<row><c r="ZZZ1"><v>1</v></c></row>'))), "ZZZ1"),
    "texts announced": (zipped(shared('count="4294967295" uniqueCount="4294967295"')), "announces more texts"),
    "texts announced in words": (zipped(shared('uniqueCount="many"')), "announces more texts"),
    "deep": (zipped(workbook_parts(PLAIN) | {"xl/workbook.xml": "<a>" * 500}), "absurdly long or deep"),
    "a long tag": (zipped(workbook_parts(f'<worksheet xmlns="{os.urandom(6_000_000).hex()}"/>')), "absurdly long or deep"),
    "no end": (zipped(workbook_parts(PLAIN[:-30])), "is no XML"),
    "no XML": (zipped(workbook_parts("sku,person")), "is no XML"),
    "no sheet": (zipped({k: v for k, v in workbook_parts("").items() if "sheet1" not in k}), "has no part"),
    "no workbook": (zipped({"[Content_Types].xml": "<Types/>"}), "holds no workbook"),
    "two parts of one name": (zipped(workbook_parts(PLAIN) | {"XL/workbook.xml": "x"}), "two parts of one name"),
    "cut off": (zipped(workbook_parts(PLAIN))[:-300], "broken or cut off"),
    "a hole": (zipped(workbook_parts(PLAIN)).replace(b"xl/styles.xmlPK", b"xl/styles.xmlPX"), "broken or cut off"),
    "encrypted parts": (encrypted(zipped(workbook_parts(PLAIN))), "password"),
    "another method": (zipped(workbook_parts(PLAIN), zipfile.ZIP_BZIP2), "broken or cut off"),
    "nothing": (b"PK\x03\x04", "broken or cut off"),
    "many parts": (
        zipped(workbook_parts(PLAIN))[:-14] + struct.pack("<HHIIH", 0xFFFE, 0xFFFE, 1 << 28, 0, 0),
        "holds more than 60,000 parts",
    ),
    "a zip archive": (zipped({"photo.jpg": b"x"}), "zip archive without a workbook"),
    "a document": (zipped({"word/document.xml": "x", "[Content_Types].xml": "x"}), "Word document"),
    "a Numbers file": (zipped({"Index/Document.iwa": "x"}), "Numbers file"),
    "an OpenDocument text": (zipped({"mimetype": "application/vnd.oasis.opendocument.text"}), "without a table"),
    "a password": (compound("EncryptedPackage"), "password"),
    "an old document": (compound("WordDocument"), "old Office file"),
    "half an old workbook": (compound("Workbook"), "broken or cut off"),
    "Excel 95": (b"\x09\x08\x06\x00\x00\x05" + bytes(99), "Excel 95"),
    "a web page": (b"\xef\xbb\xbf\r\n<html xmlns:x='urn:x'><table><tr><td>sku</td></tr></table></html>", "web page"),
    "a saved web page": (b"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n", "saved web page"),
    "XML of 2003": (
        b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook/>', "XML spreadsheet 2003",
    ),
    "flat OpenDocument": (b'<?xml version="1.0"?><office:document office:version="1.3"/>', "flat OpenDocument"),
    "a table of text": (b"sku,person,dress\nA,p.jpg,d.jpg\n", "is text"),
    "a sheet without names": (zipped(workbook_parts(sheet_xml(row_xml(1, ["x", "y"])))), "no sheet names a known column"),
    "an empty sheet": (zipped(workbook_parts(sheet_xml(""))), "no sheet names a known column"),
}  # fmt: skip

#: What is read all the same, by the whole product, and what it finds.
READ = {
    "shapes of an old one": (old(0xEC, part(0xF00A, b"") * 1000, 101), "1 good"),
    "a drawing of an old one": (old(0xEC, part(0xF00D, bytes(8000)), 600), "1 good"),
    "a table of text": (HOSTILE["a table of text"][0], "0 good, 1 bad: person: p.jpg"),
}

for name, (made, why) in (HOSTILE | READ).items():
    manifest(f"a workbook: {name}", "a.xlsx", made, why if name in READ else f"refused: .*{why}")
