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
from jobs.manifest.formats import format_of, yaml_entries
from jobs.manifest.json_array import JsonArray
from jobs.manifest.jsonl import JsonLines
from jobs.manifest.mappings import EntrySource
from jobs.manifest.pair_list import is_pair_list
from jobs.manifest.recoded import known_encoding
from jobs.manifest.table import RecordSource

#: As what comes from a pipe: products are what their content shows, whatever the file is called.
_AS = "-"
#: What has no line of names; it is refused before it is opened, which may fail for reasons that help nobody here.
_ENTRIES = (JsonArray, JsonLines, yaml_entries)
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
    form = format_of(_AS, content, reading)
    if is_pair_list(content.head()):
        raise ManifestError(
            f"{content.name}: is a list of pairs, which names people already; it is a manifest: vton plan, with --root"
            " FOLDER for where the data set lies"
        )
    if form in _ENTRIES:
        raise _no_table(content)
    source = form(content)
    if content.unsure:
        # What is made of it is UTF-8: nobody could tell any more.
        raise ManifestError(
            f"{content.name}: its text may be {content.unsure}; save it as “CSV UTF-8”, or say which by --encoding"
        )
    if isinstance(source, EntrySource):
        raise _no_table(content)
    if not isinstance(source, Delimited):
        return source
    tables = [Delimited(content, delimiter) for delimiter in _DELIMITERS]
    return max(tables, key=lambda table: _fitness(table, names))


def _no_table(content: Content) -> ManifestError:
    return ManifestError(
        f"{content.name}: is JSON or YAML, not a table; export it as CSV; if it names people and garments, it is a"
        " manifest: vton plan"
    )


def _fitness(table: RecordSource, known: frozenset[str]) -> tuple[int, int]:
    """How well the first records read: the most known names in one of them, then the most cells."""
    rows = [cells for _, cells, _ in islice(table.records(), LOOKED_AT)]
    return (
        max((len(known.intersection(map(plain, cells[:MOST_COLUMNS]))) for cells in rows), default=0),
        max(map(len, rows), default=0),
    )
