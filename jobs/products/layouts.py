"""The exports that are known by their columns' names, as data, and how a line of one becomes a product."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from jobs.manifest.aliases import COLUMNS, plain_heading
from jobs.manifest.skus import sku_text
from jobs.products.records import Product


class Form(StrEnum):
    """How the lines of an export make products."""

    LINES = "a product a line"
    SHOPIFY = "a product over several lines"
    WOOCOMMERCE = "variations name their parent"
    MAGENTO = "a product a line, and below it one for each view of the shop"
    AMAZON = "the first line says where the others are"
    TAOBAO = "three lines of names, several pictures in a cell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """An export. Names are compared without capitals, blanks, `_` and `-`; of several, the first filled one counts."""

    name: str
    #: Names by which it is known: all of one of these sets.
    known_by: tuple[frozenset[str], ...]
    sku: tuple[str, ...]
    #: In the order in which the pictures count.
    pictures: tuple[str, ...]
    categories: tuple[str, ...]
    #: What its people are chosen by; without one, the sku.
    group: tuple[str, ...] = ()
    #: Between several pictures, and several categories, in a cell; "" where a cell has one.
    between_pictures: str = ""
    between_categories: str = ""
    #: Whose numbers its categories may be.
    numbers: str = ""
    form: Form = Form.LINES


def _known_by(*sets: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(each.split()) for each in sets)


_PICTURES = (
    "image", "images", "picture", "pictures", "photo", "photos", "image url", "image link", "图片", "主图", "新图片",
)  # fmt: skip
MERCHANT = Layout(
    name="Google Merchant",
    known_by=_known_by("id imagelink"),
    sku=("id",),
    pictures=("image_link", "additional_image_link"),
    categories=("google_product_category", "product_type"),
    group=("item_group_id",),
    between_pictures=",",
    numbers="google",
)
PLAIN = Layout(
    name="a plain table",
    known_by=(),
    sku=COLUMNS["sku"],
    pictures=_PICTURES,
    categories=(*COLUMNS["category"], "kind"),
)
#: In the order in which they are tried.
LAYOUTS = (
    Layout(
        name="Shopify",
        known_by=_known_by("handle imagesrc", "urlhandle productimageurl"),
        sku=("Variant SKU", "SKU"),
        pictures=("Image Src", "Product image URL"),
        categories=(
            "Product Category", "Google Shopping / Google Product Category", "Google product category", "Type",
        ),
        group=("Handle", "URL handle"),
        numbers="google",
        form=Form.SHOPIFY,
    ),
    Layout(
        name="WooCommerce",
        known_by=_known_by("sku type images categories"),
        sku=("SKU", "ID"),
        pictures=("Images",),
        categories=("Categories",),
        between_pictures=",",
        between_categories=",",
        form=Form.WOOCOMMERCE,
    ),
    Layout(
        name="Magento",
        known_by=_known_by("sku baseimage"),
        sku=("sku",),
        pictures=("base_image", "additional_images"),
        categories=("categories", "attribute_set_code"),
        between_pictures=",",
        between_categories=",",
        form=Form.MAGENTO,
    ),
    Layout(
        name="Amazon",
        known_by=_known_by("itemsku mainimageurl", "contributionsku mainproductimagelocator"),
        sku=("contribution_sku", "item_sku"),
        pictures=(
            "main_product_image_locator", "main_image_url",
            *(f"other_product_image_locator_{number}" for number in range(1, 10)),
            *(f"other_image_url{number}" for number in range(1, 10)),
        ),
        categories=("product_type", "feed_product_type", "item_type_keyword", "item_type"),
        group=("parent_sku", "child_parent_sku_relationship"),
        form=Form.AMAZON,
    ),
    Layout(
        name="Taobao",
        known_by=_known_by("title cid picture"),
        sku=("outer_id", "num_iid", "num_id"),
        pictures=("picture",),
        categories=("cid",),
        numbers="taobao",
        form=Form.TAOBAO,
    ),
    MERCHANT,
    Layout(
        name="Akeneo",
        known_by=_known_by("sku family categories", "identifier family categories"),
        sku=("sku", "identifier"),
        pictures=(*_PICTURES, "main_image", "picture_1", "image_1"),
        categories=("categories", "family"),
        group=("parent",),
        between_categories=",",
    ),
)  # fmt: skip
#: What stands in brackets or behind # in the names of Amazon's newer templates.
_QUALIFIERS = re.compile(r"\[.*?\]|#.*$")
#: A comma behind which another address begins.
_ANOTHER = re.compile(r",\s*(?=https?://)", re.IGNORECASE)
#: Another field of the same name in Amazon's newer templates: what kind of child an article is, not whose.
_NOT_READ = ".child_relationship_type"
#: A number, or a number with its path, as Google's taxonomy is quoted.
_NUMBER = re.compile(r"(\d{1,12})(?:\s*-\s.*)?$")


def known_names() -> frozenset[str]:
    """Every name that a layout reads."""
    layouts = (*LAYOUTS, PLAIN)
    return frozenset(
        name
        for layout in layouts
        for name in (*layout.sku, *layout.pictures, *layout.categories, *layout.group)
    )


def picture_names(layout: Layout | None) -> frozenset[str]:
    """Every name under which a layout has pictures; None: any layout."""
    layouts = (layout,) if layout else (*LAYOUTS, PLAIN)
    return frozenset(name for each in layouts for name in each.pictures)


def layout_of(names: Sequence[str]) -> Layout | None:
    """The layout that has these names of columns; None when none has."""
    there = {spelt(name) for name in names}
    for layout in LAYOUTS:
        if any(names <= there for names in layout.known_by):
            return layout
    needed = (PLAIN.sku, PLAIN.pictures)
    return PLAIN if all(there.intersection(map(spelt, choice)) for choice in needed) else None


@lru_cache(maxsize=4_096)
def spelt(name: str) -> str:
    """A column's name as it is compared."""
    return plain_heading(_QUALIFIERS.sub("", name) if "#" in name or "[" in name else name)


def column_in(fields: Mapping[str, str], column: str) -> str | None:
    """The name that a product's fields have for a column, however it is spelt; None when they have none."""
    if column in fields:
        return column
    return next((name for name in fields if spelt(name) == spelt(column)), None)


class Columns:
    """A layout's columns as one file has them: makes products of its lines."""

    def __init__(self, layout: Layout, names: Sequence[str]) -> None:
        """Takes the file's names, each once (see `unique`)."""
        self.layout = layout
        places: dict[str, str] = {}
        for name in names:
            if not name.endswith(_NOT_READ):
                places.setdefault(spelt(name), name)

        def those(wanted: Sequence[str]) -> tuple[str, ...]:
            return tuple(places[each] for each in map(spelt, wanted) if each in places)

        self.names = tuple(names)
        self.sku = those(layout.sku)
        self.pictures = those(layout.pictures)
        self.categories = those(layout.categories)
        self.group = those(layout.group)

    def product(self, place: str, fields: Mapping[str, str]) -> Product:
        """The product of a line, or of what several lines of it say together."""
        sku = self.sku_of(fields)
        return Product(
            place=place,
            sku=sku,
            group=_first((*self.group, *self.sku), fields),
            pictures=self.pictures_of(fields),
            categories=self.categories_of(fields),
            fields=fields,
        )

    def sku_of(self, fields: Mapping[str, str]) -> str:
        """The first filled sku."""
        return sku_text(_first(self.sku, fields))

    def pictures_of(self, fields: Mapping[str, str]) -> tuple[str, ...]:
        """Every picture of the columns in their order."""
        cells = (fields.get(name, "") for name in self.pictures)
        return tuple(text for cell in cells for text in split_pictures(cell, self.layout.between_pictures))

    def categories_of(self, fields: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
        """Every filled category column's categories, numbers marked with whose they are."""
        cells = (fields.get(name, "") for name in self.categories)
        found = (split(cell, self.layout.between_categories) for cell in cells)
        return tuple(tuple(map(self._marked, texts)) for texts in found if texts)

    def _marked(self, text: str) -> str:
        number = _NUMBER.match(text) if self.layout.numbers and text[:1].isdigit() else None
        return f"{self.layout.numbers}:{number[1]}" if number else text


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each once: a second one of a name gets a number, one without a name is "" (and is not read)."""
    counts: dict[str, int] = {}
    made: dict[str, None] = {}
    found: list[str] = []
    for name in map(str.strip, names):
        again = name
        while again and again in made:
            counts[name] = counts.get(name, 1) + 1
            again = f"{name} ({counts[name]})"
        made[again] = None
        found.append(again)
    return tuple(found)


def split(cell: str, between: str) -> tuple[str, ...]:
    """The filled parts of a cell; a comma behind a backslash belongs to its part."""
    if not between or between not in cell:
        return (cell.strip(),) if cell.strip() else ()
    parts = re.split(rf"(?<!\\){re.escape(between)}", cell)
    return tuple(part.strip().replace(f"\\{between}", between) for part in parts if part.strip())


def split_pictures(cell: str, between: str) -> tuple[str, ...]:
    """The pictures of a cell. An address may have commas of its own (`…/w_600,h_800/…`): it ends where another begins."""
    if between == "," and "://" in cell:
        parts = _ANOTHER.split(cell)
        return tuple(text.replace("\\,", ",") for part in parts if (text := part.strip(", \t\r\n")))
    return split(cell, between)


def _first(names: Sequence[str], fields: Mapping[str, str]) -> str:
    return next((text for name in names if (text := fields.get(name, "").strip())), "")
