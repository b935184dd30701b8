"""A table of products as a source of records, in whatever encoding and delimiter it is written.

The one place where this package meets the readers of manifests: a format of columns that they know is known here too.
"""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from jobs.errors import ManifestError
from jobs.manifest import Reading
from jobs.manifest.aliases import plain
from jobs.manifest.content import Content
from jobs.manifest.delimited import Delimited
from jobs.manifest.formats import format_of
from jobs.manifest.mappings import EntrySource
from jobs.manifest.recoded import known_encoding
from jobs.manifest.table import RecordSource

#: Products are a table, whatever the file is called; what is none by its content is refused, or read as what it is.
_AS = "products.csv"
_DELIMITERS = (",", ";", "\t", "|")
#: Records looked at for the delimiter and for the names.
LOOKED_AT = 20
#: Columns of a table.
MOST_COLUMNS = 2_000
#: Where pictures that stand in a workbook go as files, unless somebody says it.
EXTRACTED = Path(".vton/extracted")


def open_table(
    content: Content,
    *,
    known: frozenset[str],
    pictures: frozenset[str] = frozenset(),
    encoding: str = "",
    extracted: Path = EXTRACTED,
    spelt: Callable[[str], str] = plain,
) -> RecordSource:
    """Finds out how a table is written.

    Args:
        content: what to read.
        known: names of columns, by which the delimiter and a workbook's names are recognised; however they are spelt.
        pictures: those of them under which a workbook's pictures and links stand.
        encoding: of the text; "" lets the file decide.
        extracted: where pictures that stand in a workbook go as files.
        spelt: a name as it is compared.

    Raises:
        ManifestError: no table, or not in this encoding, or it is not sure in which.
    """
    if encoding and known_encoding(encoding) is None:
        raise ManifestError(f"--encoding: “{encoding}” is no encoding of text that is known")
    names, shown = frozenset(map(spelt, known)), frozenset(map(spelt, pictures))
    reading = Reading(
        encoding=encoding,
        is_known=lambda heading: spelt(heading) in names,
        is_whole=lambda _headings: True,
        is_picture=lambda heading: spelt(heading) in shown,
        pictures=extracted,
    )
    source = format_of(_AS, content, reading)(content)
    if content.unsure:
        # What is made of it is UTF-8: nobody could tell any more.
        raise ManifestError(
            f"{content.name}: its text may be {content.unsure}; save it as “CSV UTF-8”, or say which by --encoding"
        )
    if isinstance(source, EntrySource):
        raise ManifestError(f"{content.name}: is not a table")
    if not isinstance(source, Delimited):
        return source
    tables = [Delimited(content, delimiter) for delimiter in _DELIMITERS]
    return max(tables, key=lambda table: _fitness(table, names))


def _fitness(table: RecordSource, known: frozenset[str]) -> tuple[int, int]:
    """How well the first records read: the most known names in one of them, then the most cells."""
    rows = [cells for _, cells, _ in islice(table.records(), LOOKED_AT)]
    return (
        max((len(known.intersection(map(plain, cells[:MOST_COLUMNS]))) for cells in rows), default=0),
        max(map(len, rows), default=0),
    )
