"""Which of a product's pictures is the garment's, and how it is written into the manifest."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from jobs.cells import safe_cell
from jobs.errors import UsageError
from jobs.manifest.addresses import is_address, picture_fault
from jobs.products.layouts import column_in
from jobs.products.records import Product

_FIRST, _LAST = "first", "last"
#: Pictures of one product that a rule may name.
_MOST = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRule:
    """`first`, `last`, a number from 1, or a column's name."""

    #: Place among the product's pictures, as Python counts; None for a column.
    place: int | None = 0
    column: str = ""

    def picture(self, product: Product) -> str:
        """The picture as written; "" when the product has none there."""
        if self.place is None:
            name = column_in(product.fields, self.column)
            return product.fields[name].strip() if name else ""
        pictures = product.pictures
        return pictures[self.place] if -1 <= self.place < len(pictures) and pictures else ""

    def why_none(self, product: Product) -> str:
        """Why a product without such a picture is left out."""
        if self.place is None:
            return f"it has no picture in the column “{self.column}”"
        return f"it has no picture {self.place + 1}" if product.pictures else "it has no picture"


def read_rule(text: str) -> PictureRule:
    """The rule that `--picture` says. Raises UsageError: a number that is none of a picture."""
    if text in {_FIRST, _LAST}:
        return PictureRule(place=0 if text == _FIRST else -1)
    if text.isascii() and text.isdecimal():
        if len(text) > len(str(_MOST)) or not 1 <= int(text) <= _MOST:
            raise UsageError(f"--picture: a number from 1 to {_MOST:,}, first, last, or the name of a column")
        return PictureRule(place=int(text) - 1)
    if not text.strip():
        raise UsageError("--picture: first, last, a number, or the name of a column")
    return PictureRule(place=None, column=text.strip())


class Paths:
    """Writes pictures so that they are found from the manifest's folder."""

    def __init__(self, folder: Path, out: Path, root: str = "") -> None:
        """Takes where relative paths begin, where the manifest will lie, and what `--root` puts before them."""
        self._out = out
        self._address = root.rstrip("/") + "/" if is_address(root) else ""
        self._folder = folder if not root or self._address else Path(root).resolve()
        self._root = bool(root)

    def written(self, picture: str) -> tuple[str, str]:
        """A picture as the manifest shall have it, and why it cannot be taken ("": it can)."""
        if fault := picture_fault(picture):
            return "", fault
        if is_address(picture):
            return picture, ""
        if self._root:
            picture = picture.lstrip("/")
        if self._address:
            return self._address + quote(picture, safe="/%:@!$&'()*+,;="), ""
        if picture.startswith("/") and not os.path.isfile(picture):  # noqa: PTH113 a million rows ask
            return "", "its picture is a path within the shop system; say with --root where its pictures are"
        path = os.path.join(self._folder, picture)  # noqa: PTH118
        if not os.path.isfile(path):  # noqa: PTH113
            return "", "there is no such file; is it beside the file of products, or under --root?"
        return local(path, self._out), ""


def local(path: str, out: Path) -> str:
    """A file's path as seen from the manifest's folder; no spreadsheet takes it for a formula."""
    seen = os.path.relpath(path, out).replace(os.sep, "/")
    return seen if seen == safe_cell(seen).lstrip() else f"./{seen}"
