"""Manifests: a file of pairs of person and garment, read as a stream of rows and bad rows.

A file that is no manifest is an error when it is opened; a row that is bad is a value among the good ones.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from jobs.errors import ManifestError
from jobs.manifest.content import Content, content_digest, open_content
from jobs.manifest.jsonl import JsonLines
from jobs.manifest.kinds import Kind, kind_of_name, kind_of_text, known_suffixes, refuse_no_text, stem
from jobs.manifest.table import Table
from jobs.manifest.yaml.rows import YamlRows
from jobs.records import BadRow, Dialect, Row

__all__ = ["Manifest", "content_digest", "open_manifest"]


class _Reader(Protocol):
    """One kind of manifest."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def dialect(self) -> Dialect: ...

    @property
    def suspected_typos(self) -> tuple[str, ...]: ...

    def rows(self) -> Iterator[Row | BadRow]: ...


class Manifest:
    """An open manifest; a file that replaces it meanwhile is not noticed."""

    def __init__(self, *, name: str, folder: Path, content: Content, reader: _Reader) -> None:
        #: For the batch's id: the file's name without suffixes, or `stdin`.
        self.name = name
        #: Where local pictures are looked for: the manifest's own folder, or the current one for stdin.
        self.folder = folder
        self._content = content
        self._reader = reader

    @property
    def columns(self) -> tuple[str, ...]:
        """A table's column names as written; empty for YAML and JSONL, whose rows bring their own."""
        return self._reader.columns

    @property
    def dialect(self) -> Dialect:
        """How tables made from it are written."""
        return self._reader.dialect

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
    """Opens a manifest; the suffix tells its kind, `-` is stdin, anything may be packed with gzip.

    Raises:
        NotFoundError: no such file.
        ManifestError: no manifest at all: empty, binary, UTF-16, of an unknown suffix, without a known
            column, with two columns of one name, or YAML that is not of a known form.
    """
    content = open_content(path)
    head = content.head()
    refuse_no_text(head, content.name)
    kind = kind_of_name(path)
    if kind is None:
        if path != "-" and Path(path).is_file():
            raise ManifestError(
                f"{path}: its suffix is not known; a manifest is one of {known_suffixes()} (or .gz of it)"
            )
        kind = kind_of_text(head)
    piped = path == "-"
    folder = Path.cwd() if piped else Path(path).resolve().parent
    return Manifest(
        name="stdin" if piped else stem(path),
        folder=folder,
        content=content,
        reader=_reader(kind, content, head),
    )


def _reader(kind: Kind, content: Content, head: bytes) -> _Reader:
    match kind:
        case Kind.CSV | Kind.TSV:
            return Table(content, head, tabs=kind is Kind.TSV)
        case Kind.YAML:
            return YamlRows(content)
        case Kind.JSONL:
            return JsonLines(content)
