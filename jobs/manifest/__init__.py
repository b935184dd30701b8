"""Manifests: a file of pairs of person and garment, read as a stream of rows and bad rows.

A file that is no manifest is an error when it is opened; a row that is bad is a value among the good ones.

A format is a source: of records under one line of column names (`table.RecordSource`), or of mappings that bring their own
keys (`mappings.EntrySource`). `formats` names them all; what a row means is the same for every one.
"""

from collections.abc import Iterator
from pathlib import Path

from jobs.manifest.content import Content, open_content
from jobs.manifest.formats import format_of, unpacked
from jobs.manifest.mappings import EntryRows, EntrySource
from jobs.manifest.table import Table
from jobs.records import BadRow, Dialect, Row

__all__ = ["Manifest", "open_manifest"]


class Manifest:
    """An open manifest; a file that replaces it meanwhile is not noticed."""

    def __init__(self, *, name: str, folder: Path, content: Content, reader: Table | EntryRows) -> None:
        #: For the batch's id: the file's name without suffixes, or `stdin`.
        self.name = name
        #: Where local pictures are looked for: the manifest's own folder, or the current one for stdin.
        self.folder = folder
        #: A table's column names as written; empty for YAML and JSONL, whose rows bring their own.
        self.columns: tuple[str, ...] = reader.columns
        #: How tables made from it are written.
        self.dialect: Dialect = reader.dialect
        self._content = content
        self._reader = reader

    @property
    def suspected_typos(self) -> tuple[str, ...]:
        """Columns that are not read though they look misspelt, a sentence each; of YAML and JSONL, keys met so far."""
        return self._reader.suspected_typos

    @property
    def digest(self) -> str:
        """SHA-256 of the file's bytes (of a packed one, as packed), hex."""
        return self._content.digest

    def rows(self) -> Iterator[Row | BadRow]:
        """Streams the rows in their order with bounded memory; may be called again.

        Raises:
            ManifestError: the rest cannot be read (a broken archive), or the file was written to meanwhile.
        """
        yield from self._reader.rows()
        self._content.check_unchanged()


def open_manifest(path: str) -> Manifest:
    """Opens a manifest; the suffix names its format, `-` is stdin, anything may be packed with gzip.

    Raises:
        NotFoundError: no such file.
        ManifestError: no manifest at all: empty, binary, UTF-16, of an unknown suffix, without a known
            column, with two columns of one name, or YAML that is not of a known form.
    """
    content = open_content(path)
    source = format_of(path, content)(content)
    piped = path == "-"
    return Manifest(
        name="stdin" if piped else unpacked(path).stem,
        folder=Path.cwd() if piped else Path(path).resolve().parent,
        content=content,
        reader=EntryRows(source) if isinstance(source, EntrySource) else Table(source),
    )
