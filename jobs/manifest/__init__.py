"""Manifests: a file of pairs of person and garment, read as a stream of rows and bad rows.

A file that is no manifest is an error when it is opened; a row that is bad is a value among the good ones.

A format is a source: of records under one line of column names (`table.RecordSource`), or of mappings that bring their own
keys (`mappings.EntrySource`). `formats` names them all; what a row means is the same for every one.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from jobs.manifest.content import Content, open_content
from jobs.manifest.formats import format_of, unpacked
from jobs.manifest.mappings import EntryRows, EntrySource
from jobs.manifest.reading import Reading
from jobs.manifest.table import PlacedSource, RecordSource, Table
from jobs.records import BadRow, Dialect, Row

__all__ = ["Manifest", "Reading", "open_manifest"]


class Manifest:
    """An open manifest; a file that replaces it meanwhile is not noticed."""

    def __init__(
        self,
        *,
        name: str,
        folder: Path,
        content: Content,
        source: RecordSource | EntrySource,
        reading: Reading,
    ) -> None:
        reader = EntryRows(source) if isinstance(source, EntrySource) else Table(source)
        #: For the batch's id: the file's name without suffixes, or `stdin`.
        self.name = name
        #: Where local pictures are looked for: as asked for, else the manifest's own folder, or the current one for stdin.
        self.folder = folder
        #: A table's column names as written; empty for YAML and JSONL, whose rows bring their own.
        self.columns: tuple[str, ...] = reader.columns
        #: How tables made from it are written.
        self.dialect: Dialect = reader.dialect
        #: What whoever gave it should know, a sentence each.
        self.remarks: tuple[str, ...] = source.remarks if isinstance(source, PlacedSource) else ()
        self._content = content
        self._reader = reader
        self._source = source
        self._variant = reading.variant

    def where(self, line: int, column: str = "") -> str:
        """A row's place within the file, as messages name it; of a workbook the sheet and the cell."""
        return self._source.where(line, column) if isinstance(self._source, PlacedSource) else str(line)

    @property
    def suspected_typos(self) -> tuple[str, ...]:
        """Columns that are not read though they look misspelt, a sentence each; of YAML and JSONL, keys met so far."""
        return self._reader.suspected_typos

    @property
    def digest(self) -> str:
        """SHA-256 of the file's bytes (of a packed one, as packed), hex; another one when only a part is to be read."""
        digest = self._content.digest
        return hashlib.sha256(f"{digest}\0{self._variant}".encode()).hexdigest() if self._variant else digest

    def rows(self) -> Iterator[Row | BadRow]:
        """Streams the rows in their order with bounded memory; may be called again.

        Raises:
            ManifestError: the rest cannot be read (a broken archive), or the file was written to meanwhile.
        """
        yield from self._reader.rows()
        self._content.check_unchanged()


def open_manifest(path: str, reading: Reading | None = None) -> Manifest:
    """Opens a manifest; the suffix names its format, `-` is stdin, any text may be packed with gzip.

    Raises:
        NotFoundError: no such file.
        ManifestError: no manifest at all: empty, binary, UTF-16, of an unknown suffix, without a known
            column, with two columns of one name, or YAML that is not of a known form.
    """
    content = open_content(path)
    reading = reading or Reading()
    piped = path == "-"
    return Manifest(
        name="stdin" if piped else unpacked(path).stem,
        folder=reading.root or (Path.cwd() if piped else Path(path).resolve().parent),
        content=content,
        source=format_of(path, content, reading)(content),
        reading=reading,
    )
