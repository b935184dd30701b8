"""A table of products as a source of records, in whatever encoding and delimiter it is written.

The one place where this package meets the readers of manifests: a format of columns that they know is known here too.
"""

import codecs
import io
import tempfile
from contextlib import ExitStack
from itertools import islice

from jobs.errors import ManifestError
from jobs.manifest.aliases import plain
from jobs.manifest.content import Content
from jobs.manifest.delimited import Delimited
from jobs.manifest.formats import format_of
from jobs.manifest.mappings import EntrySource
from jobs.manifest.table import RecordSource

#: Products are a table, whatever the file is called; what is none by its content is refused, or read as what it is.
_AS = "products.csv"
_DELIMITERS = (",", ";", "\t", "|")
#: Records looked at for the delimiter and for the names.
LOOKED_AT = 20
#: Columns of a table.
MOST_COLUMNS = 2_000
#: Bytes in UTF-8 of a table that is written in another encoding: a packed file may hold more than the disk.
_MOST_BYTES = 4_000_000_000
_CHUNK_CHARS = 1 << 18
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
#: Of the first bytes of UTF-16 without a mark, nearly half of every second one's are NUL.
_NUL_SHARE = 0.3


def open_table(content: Content, *, known: frozenset[str], encoding: str = "") -> RecordSource:
    """Finds out how a table is written.

    Args:
        content: what to read.
        known: names of columns, by which the delimiter is recognised; however they are spelt.
        encoding: of the text; "" lets the file decide.

    Raises:
        ManifestError: no table, or not in this encoding.
    """
    if named := encoding or _utf16(content.head()):
        content = _in_utf8(content, named)
    source = format_of(_AS, content)(content)
    if isinstance(source, EntrySource):
        raise ManifestError(f"{content.name}: is not a table")
    if not isinstance(source, Delimited):
        return source
    names = frozenset(map(plain, known))
    tables = [Delimited(content, delimiter) for delimiter in _DELIMITERS]
    return max(tables, key=lambda table: _fitness(table, names))


def _fitness(table: RecordSource, known: frozenset[str]) -> tuple[int, int]:
    """How well the first records read: the most known names in one of them, then the most cells."""
    rows = [cells for _, cells, _ in islice(table.records(), LOOKED_AT)]
    return (
        max((len(known.intersection(map(plain, cells[:MOST_COLUMNS]))) for cells in rows), default=0),
        max(map(len, rows), default=0),
    )


def _utf16(head: bytes) -> str:
    """The name of UTF-16 as it is written here; "" when it is something else."""
    if head.startswith(_UTF16_MARKS):
        return "utf-16"
    look = head[:4096]
    even, odd = look[::2].count(0), look[1::2].count(0)
    if max(even, odd) < _NUL_SHARE * len(look) / 2 or max(even, odd) <= 8 * min(even, odd):
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _in_utf8(content: Content, encoding: str) -> Content:
    """The same text in UTF-8: lines of UTF-16 cannot be split by their bytes."""
    with ExitStack() as stack:
        copy = stack.enter_context(tempfile.TemporaryFile())
        try:
            text = io.TextIOWrapper(content.stream(), encoding=encoding, newline="")
            while chunk := text.read(_CHUNK_CHARS):
                copy.write(chunk.encode())
                if copy.tell() > _MOST_BYTES:
                    raise ManifestError(f"{content.name}: is larger than 4 GB; save it as UTF-8")
        except LookupError:
            raise ManifestError(f"--encoding: “{encoding}” is no encoding of text that is known") from None
        except UnicodeError:
            raise ManifestError(
                f"{content.name}: is not {encoding} text to its end; see --encoding"
            ) from None
        copy.flush()
        stack.pop_all()  # the Content closes it
        return Content(copy, content.name)
