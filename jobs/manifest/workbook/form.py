"""What a file that is called a workbook really is: known by its content, never by its name."""

import os
import re
from enum import StrEnum
from typing import IO

from jobs.manifest.workbook.archive import Archive
from jobs.manifest.workbook.errors import WorkbookError


class Form(StrEnum):
    """How a workbook is written; its value is the suffix that libraries know it by."""

    XLSX = ".xlsx"
    XLSB = ".xlsb"
    XLS = ".xls"
    ODS = ".ods"
    #: No workbook: text, to be read as a table.
    TEXT = ".txt"


_HEAD_BYTES = 1 << 16
_ARCHIVE, _COMPOUND = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_ODS = b"application/vnd.oasis.opendocument.spreadsheet"
_BYTES_OF_MIMETYPE = 200
_MANIFEST_BYTES = 1 << 25
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
#: Names of the stream that a compound file holds its workbook in.
_XLS_STREAMS = tuple(f"{name}\0".encode("utf-16-le") for name in ("Workbook", "Book"))

_SAVE = "open it in Excel or LibreOffice and save it as “Excel workbook (.xlsx)”"
#: What the beginning of a text says → what it is.
_MARKUP = (
    (re.compile(rb"urn:schemas-microsoft-com:office:spreadsheet|progid=.Excel\.Sheet", re.IGNORECASE),
     f"is an “XML spreadsheet 2003”; {_SAVE}"),
    (re.compile(rb"<office:document|opendocument:xmlns", re.IGNORECASE), f"is a flat OpenDocument file; {_SAVE}"),
    (re.compile(rb"<(?:!doctype\s+html|html|head|meta|table|body)\b", re.IGNORECASE),
     f"is a web page (HTML) with a workbook's name, as shop systems write it; {_SAVE}"),
    (re.compile(rb"mime-version:.*multipart/related", re.IGNORECASE | re.DOTALL), f"is a saved web page (MHTML); {_SAVE}"),
)  # fmt: skip
#: Parts by which other archives are known.
_OTHER_ARCHIVES = (
    ("index/document.iwa", "is a Numbers file; in Numbers use “Export to… Excel”"),
    ("index.zip", "is a Numbers file; in Numbers use “Export to… Excel”"),
    ("word/document.xml", "is a Word document; put the table into a workbook"),
    ("ppt/presentation.xml", "is a presentation; put the table into a workbook"),
)


def form_of(file: IO[bytes]) -> Form:
    """The form of an open file.

    Raises:
        WorkbookError: it is neither a workbook nor text that could be a table; it says what it is.
    """
    head = os.pread(file.fileno(), _HEAD_BYTES, 0)
    if head.startswith(_ARCHIVE):
        return _form_of_archive(Archive(file))
    if head.startswith(_COMPOUND):
        return _form_of_compound(file)
    for mark, what in _MARKUP:
        if mark.search(head[:4096]):
            raise WorkbookError(what)
    if head[:1] == b"\x09" and head[1:2] in b"\x00\x02\x04\x08":
        raise WorkbookError(f"is a workbook of Excel 95 or before; {_SAVE}")
    return Form.TEXT


def _form_of_archive(archive: Archive) -> Form:
    if "mimetype" in archive and archive.size("mimetype") < _BYTES_OF_MIMETYPE:
        if archive.read("mimetype", _BYTES_OF_MIMETYPE).startswith(_ODS):
            if "META-INF/manifest.xml" in archive and b"encryption-data" in archive.read(
                "META-INF/manifest.xml", _MANIFEST_BYTES
            ):
                raise WorkbookError("is protected with a password; save it without one")
            return Form.ODS
        raise WorkbookError(f"is an OpenDocument file without a table; {_SAVE}")
    for part, what in _OTHER_ARCHIVES:
        if part in archive:
            raise WorkbookError(what)
    if "[Content_Types].xml" not in archive:
        raise WorkbookError("is a zip archive without a workbook; unpack it first")
    return Form.XLSB if "xl/workbook.bin" in archive else Form.XLSX


def _form_of_compound(file: IO[bytes]) -> Form:
    """Old workbooks are small: the names of the streams are looked for in all of it."""
    overlap, offset, known = len(_ENCRYPTED), 0, False
    while chunk := os.pread(file.fileno(), 1 << 20, offset):
        if _ENCRYPTED in chunk:
            raise WorkbookError("is protected with a password; save it without one")
        known = known or any(name in chunk for name in _XLS_STREAMS)
        if len(chunk) <= overlap:
            break
        offset += len(chunk) - overlap
    if not known:
        raise WorkbookError("is an old Office file without a table; put the table into a workbook")
    return Form.XLS
