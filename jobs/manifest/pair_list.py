"""The pair lists of the field's data sets: a person and a garment a line, by file name, without a line of names.

Where the files lie and what kind the garments are follows from the folder: VITON-HD has `image/` and `cloth/`, all upper
garments; DressCode has `upper_body/`, `lower_body/` and `dresses/`, and a third column for them in the lists of the whole.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from jobs.errors import ManifestError
from jobs.manifest.content import Content
from jobs.manifest.records import Record
from jobs.records import Dialect

_LINE = re.compile(
    r"([^\s,;]+\.(?:jpe?g|png|webp))\s+([^\s,;]+\.(?:jpe?g|png|webp))(?:\s+([012]))?", re.IGNORECASE
)
_LINE_BYTES = 10_000
#: The lines that must look like pairs; a file of two lines may be one.
_LOOKED_AT = 50
#: The third column of DressCode → its folder, and what we call its kind.
_DRESSCODE = {"0": "upper_body", "1": "lower_body", "2": "dresses"}
_KINDS = {"upper_body": "upper", "lower_body": "lower", "dresses": "dress"}


def is_pair_list(head: bytes) -> bool:
    """Whether a text begins as a pair list does: with two names of pictures a line, and perhaps a digit; few are odd."""
    lines = [
        line.strip() for line in head.decode("utf-8-sig", errors="replace").splitlines()[: _LOOKED_AT + 1]
    ]
    whole = [line for line in (lines[:-1] if len(lines) > _LOOKED_AT else lines) if line]
    known = [_LINE.fullmatch(line) is not None for line in whole]
    return bool(known) and known[0] and sum(known) * 2 > len(known)


class PairList:
    """A pair list; its lines are records of sku, person, garment and category."""

    dialect = Dialect()

    def __init__(self, content: Content, root: Path) -> None:
        """Finds out where its pictures lie.

        Args:
            content: the list.
            root: the folder of the data set.

        Raises:
            ManifestError: the folder has the form of neither data set.
        """
        self.name = content.name
        self._content = content
        self._people, self._garments, self._kind = self._layout(root)

    def records(self) -> Iterator[Record]:
        """Streams the records from the names on, blank lines left out; may be called again."""
        yield 1, ["sku", "person", "garment", "category"], ""
        stream, line = self._content.stream(), 0
        while raw := stream.readline(_LINE_BYTES):
            line += 1
            text = raw.decode("utf-8-sig", errors="replace").strip()
            found = _LINE.fullmatch(text)
            if found:
                yield self._record(line, *found.groups())
            elif text:
                yield line, [], "the line must hold the names of two pictures, person and garment"

    def _record(self, line: int, person: str, garment: str, third: str | None) -> Record:
        sku = PurePosixPath(garment).stem
        if (third is None) != bool(self._kind):
            columns = "two" if self._kind else "three"
            return line, [], f"the line must have {columns} columns, as the first one has"
        if third is None:
            return line, [sku, f"{self._people}{person}", f"{self._garments}{garment}", self._kind], ""
        folder = _DRESSCODE[third]
        return line, [sku, f"{folder}/images/{person}", f"{folder}/images/{garment}", _KINDS[folder]], ""

    def _layout(self, root: Path) -> tuple[str, str, str]:
        """What stands before the names of people and of garments, and the garments' kind; "" when each line says it."""
        first = self._content.head().decode("utf-8-sig", errors="replace").strip().splitlines()[0]
        found = _LINE.fullmatch(first.strip())
        if found and found[3]:
            if not any((root / folder / "images").is_dir() for folder in _KINDS):
                raise ManifestError(
                    f"{self.name}: {root} has no upper_body/images, lower_body/images or dresses/images; {_ROOT}"
                )
            return "", "", ""
        for part in ("", "test/", "train/"):
            if (root / part / "image").is_dir() and (root / part / "cloth").is_dir():
                return f"{part}image/", f"{part}cloth/", "upper"
        if root.name in _KINDS and (root / "images").is_dir():
            return "images/", "images/", _KINDS[root.name]
        raise ManifestError(
            f"{self.name}: is a list of pairs, but {root} has neither image/ and cloth/ (VITON-HD) nor is it one of"
            f" DressCode's folders upper_body, lower_body, dresses; {_ROOT}"
        )


_ROOT = "--root FOLDER names where the data set lies"
