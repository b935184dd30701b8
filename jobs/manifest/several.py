"""Several manifests as one batch: their rows one after the other, numbered through, each file read as it is alone."""

import glob
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from msgspec import structs

from jobs.errors import ManifestError, NotFoundError, UsageError
from jobs.manifest import Manifest, Reading, open_manifest
from jobs.manifest.addresses import is_address, picture_fault
from jobs.manifest.columns import Typo
from jobs.manifest.mappings import Names
from jobs.manifest.part import part_of
from jobs.manifest.reading import is_picture
from jobs.records import BadRow, Dialect, Row, shown

#: Files of one batch: each stays open until the batch is read.
MOST_FILES = 500
#: How programs name what they lock an open table by.
_LOCKS = ("~$", ".~lock.")


class Manifests:
    """Two manifests or more. A row's file is named by its path, as it was given."""

    def __init__(self, manifests: dict[str, Manifest], folder: Path) -> None:
        """Joins them.

        Args:
            manifests: path as given → the manifest, in the order of the rows.
            folder: the one that all of them lie in; where paths of pictures are counted from.
        """
        self._all = manifests
        first, *others = manifests.values()
        dialects = [manifest.dialect for manifest in manifests.values()]
        #: For the batch's id.
        self.name = f"{first.name}-and-{len(others)}-more"
        self.folder = folder
        #: The column names, when all have the same.
        self.columns = first.columns if all(first.columns == each.columns for each in others) else ()
        same = len({dialect.delimiter for dialect in dialects}) == 1
        self.dialect = Dialect(
            delimiter=dialects[0].delimiter if same else ",", bom=any(dialect.bom for dialect in dialects)
        )
        #: Numbers of the rows that it is cut down to; empty: all. Then what it is called by too.
        self._numbers: frozenset[int] = frozenset()
        self._label = ""

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders that pictures may lie in."""
        return tuple({manifest.folder: None for manifest in self._all.values()})

    def count_from(self, folders: Mapping[str, Path]) -> None:
        """Has the pictures of some files, by path as given, looked for in other folders than the files' own.

        Raises:
            UsageError: the folders have nothing in common.
        """
        for path, folder in folders.items():
            self._all[path].folder = folder
        self.folder = _common(self._all)

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, as given."""
        return tuple(self._all)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What whoever gave them should know, a sentence each, with the file."""
        return tuple(f"{shown(path)}: {remark}" for path, one in self._all.items() for remark in one.remarks)

    @property
    def suspected_typos(self) -> tuple[Typo, ...]:
        """Columns that look misspelt, with the file."""
        return tuple(
            replace(typo, file=shown(path)) for path, one in self._all.items() for typo in one.suspected_typos
        )

    @property
    def digest(self) -> str:
        """SHA-256 of all contents in their order, hex."""
        digests = "\n".join(
            [*(manifest.digest for manifest in self._all.values()), *filter(None, [self._label])]
        )
        return hashlib.sha256(digests.encode()).hexdigest()

    def place(self, row: Row | BadRow, column: str = "") -> str:
        """A row's place within its file."""
        return next(one for path, one in self._all.items() if shown(path) == row.file).place(row, column)

    def cut_down(self, numbers: frozenset[int], label: str) -> Self:
        """The same manifests with these rows only, as others that are called by the label too."""
        part = copy(self)
        vars(part).update(name=f"{self.name}-{label}", _numbers=numbers, _label=label)
        return part

    def rows(self) -> Iterator[Row | BadRow]:
        """Streams the rows of all files; may be called again. Raises ManifestError like those of one."""
        rows = self._every()
        return part_of(rows, lambda row: row.number in self._numbers) if self._numbers else rows

    def _every(self) -> Iterator[Row | BadRow]:
        number = 0
        for path, manifest in self._all.items():
            file = shown(path)
            below = os.path.relpath(manifest.folder, self.folder)
            for row in manifest.rows():
                number += 1
                placed = row if below == os.curdir else _moved(row, below, manifest.names)
                yield _changed(placed, number=number, file=file)


def open_manifests(patterns: Sequence[str], reading: Reading | None = None) -> Manifest | Manifests:
    """Opens the manifests that paths and patterns name, each file once, in the order given and by name within a pattern.

    Raises:
        NotFoundError: no such file, or a pattern that fits none.
        ManifestError: some are no manifests; every one is named.
        UsageError: too many, or files that have no folder in common.
    """
    paths = _paths(patterns)
    if len(paths) == 1:
        return open_manifest(paths[0], reading)
    if len(paths) > MOST_FILES:
        raise UsageError(f"{len(paths)} files; at most {MOST_FILES} make one batch")
    opened: dict[str, Manifest] = {}
    refused: list[str] = []
    for path in paths:
        try:
            opened[path] = open_manifest(path, reading)
        except ManifestError as error:
            refused.append(str(error))
    if refused:
        raise ManifestError("\n".join(refused))
    return Manifests(opened, _common(opened))


def _common(opened: Mapping[str, Manifest]) -> Path:
    """The folder that the pictures' folders lie in."""
    folder = Path(os.path.commonpath([manifest.folder for manifest in opened.values()]))
    if folder == Path(folder.anchor):
        raise UsageError("the files lie in folders that have nothing in common; make a batch of each")
    return folder


def _paths(patterns: Sequence[str]) -> list[str]:
    """The files, each once."""
    found: dict[str, str] = {}
    for pattern in patterns:
        for path in _matching(pattern):
            found.setdefault(path if path == "-" else os.path.realpath(path), path)
    return list(found.values())


def _matching(pattern: str) -> list[str]:
    """The files that fit a pattern; a file that is called like it comes first."""
    if not glob.has_magic(pattern) or os.path.lexists(pattern):
        return [pattern]
    fitting = [path for path in sorted(glob.glob(pattern, recursive=True)) if Path(path).is_file()]  # noqa: PTH207 Path.glob takes no absolute pattern
    files = [path for path in fitting if not Path(path).name.startswith(_LOCKS)]
    if not files:
        raise NotFoundError(f"no file fits {pattern}")
    return files


def _moved(row: Row | BadRow, below: str, names: Names) -> Row | BadRow:
    """The row with its pictures' paths counted from the common folder, those in its own cells too: failed.csv has these."""
    fields = {
        name: _from(below, text) if is_picture(name) and text.strip() not in names else text
        for name, text in row.fields.items()
    }
    if isinstance(row, BadRow):
        return _changed(row, fields=fields)
    inputs = {slot: _from(below, picture) for slot, picture in row.inputs.items()}
    return _changed(row, inputs=inputs, fields=fields)


def _changed(row: Row | BadRow, **fields: Any) -> Row | BadRow:
    return structs.replace(row, **fields) if isinstance(row, Row) else replace(row, **fields)


def _from(below: str, picture: str) -> str:
    """A picture's path, counted from the common folder."""
    text = picture.strip()
    if not text or is_address(text) or os.path.isabs(text) or picture_fault(text):  # noqa: PTH117 it stays the text it is
        return picture
    return os.path.join(below, text)  # noqa: PTH118 it stays the text it is
