"""Finds out what a file of products is, and opens it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Protocol

from jobs.errors import ManifestError
from jobs.manifest.aliases import column_of
from jobs.manifest.content import open_content
from jobs.manifest.table import RecordSource
from jobs.products.feed import Feed
from jobs.products.folder import ANY_NAME, Folder
from jobs.products.layouts import (
    PLAIN,
    Columns,
    Form,
    Layout,
    column_in,
    known_names,
    layout_of,
    picture_names,
    spelt,
    unique,
)
from jobs.products.records import LeftOut, Product
from jobs.products.shopify import Line, Shopify
from jobs.products.tables import EXTRACTED, LOOKED_AT, MOST_COLUMNS, open_table
from jobs.products.taobao import with_pictures
from jobs.products.woocommerce import WooCommerce
from jobs.records import shown

#: Amazon's own word for where the names and the first product stand, in one of the first line's cells.
_ROWS = re.compile(r"settings=.*?\battributeRow=(\d{1,4})\b.*?\bdataRow=(\d{1,4})\b")
_XML = (b"<", b"\xef\xbb\xbf<", b"\xff\xfe<\0", b"\xfe\xff\0<")
_SHOWN_NAMES = 30


class _Reader(Protocol):
    def products(self) -> Iterator[Product | LeftOut]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file, or a folder, of products."""

    #: As the command names it.
    path: str
    #: What it was taken for.
    kind: str
    #: Where its relative pictures begin.
    folder: Path
    reader: _Reader
    #: Whether `--root` stands before its pictures; not for those of a folder, which are where they are.
    rooted: bool = True

    @property
    def name(self) -> str:
        """What messages call it."""
        return shown(self.path) if self.path != "-" else "stdin"

    def products(self) -> Iterator[Product | LeftOut]:
        """Streams the products, and what is none."""
        yield from self.reader.products()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How files of products are read, as the command says it."""

    #: The columns that a map names; None lets the file's columns decide.
    layout: Layout | None = None
    #: The column that holds the pictures, by name; "" for those of the layout.
    picture_column: str = ""
    encoding: str = ""
    #: The pattern of pictures' names in a folder.
    names: str = ANY_NAME
    #: Where pictures that stand in a workbook go as files.
    extracted: Path = EXTRACTED


def open_source(path: str, reading: Reading) -> Source:
    """Opens a file or a folder.

    Raises:
        NotFoundError: no such file.
        ManifestError: nothing that is known, or that can be read.
    """
    place = Path(path)
    if place.is_dir():
        reader = Folder(place, reading.names)
        return Source(
            path=path, kind="folder of pictures", folder=place.resolve(), reader=reader, rooted=False
        )
    content = open_content(path)
    folder = Path.cwd() if path == "-" else place.resolve().parent
    if content.head().lstrip(b" \t\r\n").startswith(_XML):
        return Source(path=path, kind="feed (XML)", folder=folder, reader=Feed(content))
    names = known_names() if reading.layout is None else frozenset(_all_names(reading.layout))
    source = open_table(
        content,
        known=names,
        pictures=picture_names(reading.layout) | {reading.picture_column},
        encoding=reading.encoding,
        extracted=reading.extracted,
        spelt=spelt,
    )
    table = Lines(source, reading)
    return Source(path=path, kind=table.layout.name, folder=folder, reader=table)


class Lines:
    """A table of products. Its names are found when it is made, below whatever stands above them."""

    def __init__(self, table: RecordSource, reading: Reading) -> None:
        """Finds the names.

        Raises:
            ManifestError: no names that are known, or no column that can hold a picture.
        """
        self._table = table
        self.layout, names, self._first = _header(table, reading.layout)
        self._columns = Columns(self.layout, [name for name in names if name])
        self._names = names
        if reading.picture_column:
            if spelt(reading.picture_column) not in map(spelt, names):
                raise ManifestError(
                    f"{table.name}: --picture: there is no column “{reading.picture_column}”; it has {_shown(names)}"
                )
        elif not self._columns.pictures:
            raise ManifestError(
                f"{table.name}: looks like {self.layout.name}; say with --picture which column holds the "
                f"garment's picture; it has {_shown(names)}"
            )

    def products(self) -> Iterator[Product | LeftOut]:
        """Streams the products, and lines that are broken."""
        broken: list[LeftOut] = []
        for product in self._made(broken):
            yield from broken
            broken.clear()
            yield product
        yield from broken

    def _made(self, broken: list[LeftOut]) -> Iterator[Product | LeftOut]:
        columns, lines = self._columns, self._lines(broken)
        match self.layout.form:
            case Form.SHOPIFY:
                return Shopify(columns).products(lines)
            case Form.WOOCOMMERCE:
                return WooCommerce(columns).products(self._lines(None), lines)
            case Form.TAOBAO:
                folder = Path(self._table.name).stem
                return (with_pictures(columns.product(*line), folder) for line in lines)
            case Form.MAGENTO:
                return (columns.product(*line) for line in lines if not _is_view(line[1]))
            case Form.LINES | Form.AMAZON:
                return (columns.product(*line) for line in lines)

    def _lines(self, broken: list[LeftOut] | None) -> Iterator[Line]:
        """The lines of products as fields; those that are broken go into the list."""
        names, width = self._names, len(self._names)
        category = "cid" if self.layout.form is Form.TAOBAO else ""
        for line, cells, flaw in self._table.records():
            if line < self._first:
                continue
            wrong = flaw or ("" if _fit(cells, width) else "the line has more cells than there are columns")
            if wrong:
                if broken is not None:
                    broken.append(LeftOut(place=str(line), sku="", why=wrong))
                continue
            # Lines that end early have nothing in what is missing.
            fields = {name: cell for name, cell in zip_longest(names, cells[:width], fillvalue="") if name}
            if category and not fields.get(category, "").strip().isdecimal():
                category = ""  # the names a second time, in Chinese
                continue
            category = ""
            yield str(line), fields


def _header(table: RecordSource, wanted: Layout | None) -> tuple[Layout, tuple[str, ...], int]:
    """The layout, the names, and the line of the first product; names of a plain table give way to an export's below them.

    Raises:
        ManifestError: no names that are known within the first lines.
    """
    ahead = 0
    first: tuple[str, ...] = ()
    plain: tuple[Layout, tuple[str, ...], int] | None = None
    for place, (line, cells, flaw) in enumerate(islice(table.records(), LOOKED_AT)):
        if flaw or len(cells) > MOST_COLUMNS:
            continue
        names = unique(cells)
        first = first or names
        if place == 0 and (rows := _ROWS.search("&".join(cells))):
            ahead = int(rows[2]) - int(rows[1])
        layout = _fits(wanted, names) if wanted else layout_of(names)
        if not layout or (layout.form is not Form.AMAZON and len(names) <= 1):
            continue
        found = layout, names, line + max(ahead if layout.form is Form.AMAZON else 1, 1)
        if layout is not PLAIN:
            return found
        plain = plain or found
    if plain:
        return plain
    if "person" in map(column_of, first):
        raise ManifestError(f"{table.name}: names people already; it is a manifest: vton plan")
    if wanted:
        named = ", ".join(_all_names(wanted))
        raise ManifestError(
            f"{table.name}: has not the columns that the map names ({named}); it has {_shown(first)}"
        )
    raise ManifestError(
        f"{table.name}: is no export that is known, nor a table of sku, image and category; say with --map which "
        f"of its columns are which; it has {_shown(first)}"
    )


def _fit(cells: list[str], width: int) -> bool:
    return len(cells) <= width or not any(cell.strip() for cell in cells[width:])


def _is_view(fields: Mapping[str, str]) -> bool:
    """Whether a line of Magento's only says how a shop's view of the product above it differs, in another language."""
    view = column_in(fields, "store_view_code")
    return view is not None and fields[view].strip() not in {"", "default", "admin"}


def _fits(wanted: Layout, names: tuple[str, ...]) -> Layout | None:
    there = set(map(spelt, names))
    return wanted if there.issuperset(map(spelt, _all_names(wanted))) else None


def _all_names(layout: Layout) -> tuple[str, ...]:
    return (*layout.sku, *layout.pictures, *layout.categories, *layout.group)


def _shown(names: tuple[str, ...]) -> str:
    some = ", ".join(shown(name[:40]) for name in names[:_SHOWN_NAMES] if name) or "none"
    return some if len(names) <= _SHOWN_NAMES else f"{some} and {len(names) - _SHOWN_NAMES} more"
