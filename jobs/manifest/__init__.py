"""Manifests: a file of pairs of person and garment, read as a stream of rows and bad rows.

A file that is no manifest is an error when it is opened; a row that is bad is a value among the good ones.

A format is a source: of records under one line of column names (`table.RecordSource`), or of mappings that bring their own
keys (`mappings.EntrySource`). `formats` names them all; what a row means is the same for every one.
"""

import hashlib
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Self

from jobs.manifest.addresses import is_address
from jobs.manifest.columns import Typo
from jobs.manifest.content import Content, open_content
from jobs.manifest.formats import format_of, unpacked
from jobs.manifest.mappings import EntryRows, EntrySource, Names
from jobs.manifest.parquet import Parquet
from jobs.manifest.part import check_columns, fits, part_of
from jobs.manifest.reading import Reading
from jobs.manifest.table import PlacedSource, RecordSource, Table
from jobs.records import BadRow, Dialect, Row

__all__ = ["Manifest", "Reading", "open_manifest"]


class Manifest:
    """An open manifest; a file that replaces it meanwhile is not noticed."""

    def __init__(
        self,
        *,
        path: str,
        name: str,
        folder: Path,
        content: Content,
        source: RecordSource | EntrySource,
        reading: Reading,
    ) -> None:
        reader = EntryRows(source) if isinstance(source, EntrySource) else Table(source)
        #: As it was given.
        self.path = path
        #: For the batch's id: the file's name without suffixes, or `stdin`.
        self.name = name
        #: Where local pictures are looked for: as asked for, else the manifest's own folder, or the current one for stdin.
        self.folder = folder
        #: A table's column names as written; empty for YAML and JSONL, whose rows bring their own.
        self.columns: tuple[str, ...] = reader.columns
        #: How tables made from it are written: with a mark when a cell may hold a letter beyond ASCII.
        found = reader.dialect.bom or content.foreign
        self.dialect: Dialect = replace(reader.dialect, bom=found if reading.mark is None else reading.mark)
        self._remarks = content.remarks + _in_vain(source, reading)
        if isinstance(reader, Table):
            self._remarks += reader.remarks
        #: The people and garments that it defines beside its rows.
        self.names: Names = source.names if isinstance(source, EntrySource) else Names()
        self._content = content
        self._reader = reader
        self._source = source
        self._variant = reading.variant
        self._only = reading.only
        #: Numbers of the rows that it is cut down to; empty: all.
        self._numbers: frozenset[int] = frozenset()
        if self.columns:
            check_columns(reading.only, self.columns, Path(path).name)

    def where(self, line: int, column: str = "") -> str:
        """A row's place within the file, as messages name it; of a workbook the sheet and the cell."""
        return self._source.where(line, column) if isinstance(self._source, PlacedSource) else str(line)

    def place(self, row: Row | BadRow, column: str = "") -> str:
        """The same of a row that has been read."""
        return self.where(row.line, column)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What whoever gave it should know, a sentence each; some are known once all rows are read."""
        return self._remarks + (self._source.remarks if isinstance(self._source, PlacedSource) else ())

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders that pictures may lie in."""
        return (self.folder,)

    @property
    def suspected_typos(self) -> tuple[Typo, ...]:
        """Columns that are not read though they look misspelt; of YAML and JSONL, keys met so far."""
        return self._reader.suspected_typos

    def _if_sure(self, row: Row | BadRow) -> Row | BadRow:
        """The row; a bad one if an address has letters that may be others. A path with wrong letters leads to no file."""
        if isinstance(row, BadRow):
            return row
        for slot, text in row.inputs.items():
            if not text.isascii() and is_address(text):
                why = f"{_LETTERS} ({self._content.unsure}); --encoding says which"
                column = next((name for name, cell in row.fields.items() if cell.strip() == text), slot)
                return BadRow(
                    number=row.number, line=row.line, column=column, why=why, sku=row.sku, fields=row.fields
                )
        return row

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
        rows = self._reader.rows()
        if self._content.unsure:
            rows = map(self._if_sure, rows)
        if self._only:
            rows = part_of(rows, lambda row: fits(row, self._only))
        if self._numbers:
            rows = part_of(rows, lambda row: row.number in self._numbers)
        yield from rows
        self._content.check_unchanged()

    def cut_down(self, numbers: frozenset[int], label: str) -> Self:
        """The same manifest with these rows only, as another one that is called by the label too."""
        part = copy(self)
        vars(part).update(name=f"{self.name}-{label}", _numbers=numbers, _variant=f"{self._variant}\0{label}")
        return part


_LETTERS = "letters of the address may be others: the encoding of the file is not sure"


def _in_vain(source: RecordSource | EntrySource, reading: Reading) -> tuple[str, ...]:
    """Which of the options say nothing about such a file, a sentence each."""
    workbook, text = isinstance(source, PlacedSource), not isinstance(source, PlacedSource | Parquet)
    vain = (
        ("--sheet", reading.sheet is not None and not workbook, "it is no workbook"),
        ("--visible-only", reading.visible_only and not workbook, "it is no workbook"),
        ("--encoding", bool(reading.encoding) and not text, "its text has one encoding only"),
    )
    return tuple(f"{option} says nothing here: {why}" for option, holds, why in vain if holds)


def open_manifest(path: str, reading: Reading | None = None) -> Manifest:
    """Opens a manifest; the suffix names its format, `-` is stdin, any text may be packed with gzip.

    Raises:
        NotFoundError: no such file.
        ManifestError: no manifest at all: empty, binary, of an unknown suffix or encoding, without a known
            column, with two columns of one name, or YAML that is not of a known form.
    """
    content = open_content(path)
    reading = reading or Reading()
    piped = path == "-"
    return Manifest(
        path=path,
        name="stdin" if piped else unpacked(path).stem,
        folder=reading.root or (Path.cwd() if piped else Path(path).resolve().parent),
        content=content,
        source=format_of(path, content, reading)(content),
        reading=reading,
    )
