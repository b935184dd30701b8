"""The records of binary workbooks: .xls (BIFF8) and the parts of .xlsb (BIFF12)."""

import struct
from collections.abc import Iterable, Iterator

from jobs.manifest.workbook.errors import WorkbookError

#: Bytes of a record; no real one has more.
_MAX_BYTES = 1 << 24
#: A record's number and its content.
BinaryRecord = tuple[int, bytes]
_BROKEN = "the workbook is broken or cut off; open it in Excel or LibreOffice and save it again"


def biff8(chunks: Iterable[bytes]) -> Iterator[BinaryRecord]:
    """The records of an old workbook's stream."""
    held = b""
    for chunk in chunks:
        held, at = held + chunk, 0
        while at + 4 <= len(held):
            number, size = struct.unpack_from("<HH", held, at)
            if at + 4 + size > len(held):
                break
            yield number, held[at + 4 : at + 4 + size]
            at += 4 + size
        held = held[at:]


def biff12(chunks: Iterable[bytes]) -> Iterator[BinaryRecord]:
    """The records of a binary part.

    Raises:
        WorkbookError: one is absurdly long, or cut off.
    """
    held = b""
    for chunk in chunks:
        held, at = held + chunk, 0
        while (head := _head(held, at)) is not None:
            number, size, begin = head
            if size > _MAX_BYTES:
                raise WorkbookError(_BROKEN)
            if begin + size > len(held):
                break
            yield number, held[begin : begin + size]
            at = begin + size
        held = held[at:]
    if held:
        raise WorkbookError(_BROKEN)


def wide_text(content: bytes, at: int) -> tuple[str, int]:
    """A text with its length before it in a binary part, and where it ends; "" for one that is not there."""
    if at + 4 > len(content):
        return "", len(content)
    length = struct.unpack_from("<I", content, at)[0]
    if length == 0xFFFFFFFF:  # noqa: PLR2004 none
        return "", at + 4
    end = min(len(content), at + 4 + 2 * length)
    return content[at + 4 : end].decode("utf-16-le", errors="replace"), end


def _head(held: bytes, at: int) -> tuple[int, int, int] | None:
    """Number and size of the record at a place, and where its content begins; None when it is not all there."""
    number, at, whole = _varied(held, at, 2)
    if not whole:
        return None
    size, at, whole = _varied(held, at, 4)
    return (number, size, at) if whole else None


def _varied(held: bytes, at: int, most: int) -> tuple[int, int, bool]:
    """A number of seven bits a byte: it, where it ends, and whether it is all there."""
    number = 0
    for place in range(most):
        if at >= len(held):
            return 0, at, False
        byte = held[at]
        at += 1
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:  # noqa: PLR2004 no more bytes follow
            break
    return number, at, True
