"""The names a manifest's columns and categories may have, as data; docs/manifests.md is tested against it."""

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

from jobs.manifest.kinds import KINDS

#: Column → every heading that means it; case, spaces, `_`, `-` and marks of what must be filled do not count.
#: Of several columns for one thing the one listed first wins; of those for one garment's picture two are an error.
COLUMNS: dict[str, tuple[str, ...]] = {
    "sku": (
        "sku", "Variant SKU", "sku id", "sku code", "product sku", "item id", "product id", "id",
        "商品编号", "商品编码", "商家编码", "货号", "款号", "编号",
    ),
    "person": (
        "person", "model", "person image", "model image", "human", "human image", "human img",
        "模特", "模特图", "模特图片", "人物", "人物图", "人像",
    ),
    "upper_clothes": ("upper_clothes", "upper", "top", "tops", "upper garment", "top garment", "上衣", "上衣图", "上装"),
    "lower_clothes": (
        "lower_clothes", "lower", "bottom", "bottoms", "lower garment", "bottom garment", "下衣", "下衣图", "下装",
    ),
    "dress": ("dress", "dresses", "连衣裙", "连衣裙图"),
    "garment": (
        "garment", "garment image", "clothes", "cloth", "clothing", "garm img", "product image", "服装", "服装图", "衣服",
    ),
    "category": (
        "category", "garment category", "garment type", "garment class", "cloth type", "clothes type", "clothing type",
        "品类", "类别", "分类", "类目",
    ),
}  # fmt: skip

#: What the columns that we add to a batch's tables begin with: read again as a manifest, they are passed over.
OURS = "vton_"

#: Slot → what the category column may say for it, beside the words of `kinds`. Anything else is refused, never guessed.
CATEGORIES: dict[str, tuple[str, ...]] = {
    "upper_clothes": ("upper_clothes", "upper", "upper body", "top", "tops", "上衣", "上装"),
    "lower_clothes": (
        "lower_clothes", "lower", "lower body", "bottom", "bottoms", "pants", "trousers", "skirt",
        "下衣", "下装", "裤子", "半身裙",
    ),
    "dress": ("dress", "dresses", "one piece", "one pieces", "overall", "full body", "连衣裙", "裙子"),
}  # fmt: skip

#: The columns that hold a garment's picture, whatever its kind.
GARMENT_COLUMNS = ("upper_clothes", "lower_clothes", "dress", "garment")


#: What people write at a name that must, or need not, be filled.
_FILL_MARKS = re.compile(
    r"\*|[(\[【](?:必填|选填|可选|必須|任意|필수|선택|required|mandatory|optional|pflichtfeld)[)\]】]",
    re.IGNORECASE,
)
#: What may stand behind the name of a picture's column.
_PICTURE_WORD = re.compile(r"(?:url|uri|link|href|image|img|picture|photo|path|file|图片|照片|图|链接|地址)$")
#: Behind the ranks of all names that are listed.
_UNLISTED = 100


def plain(name: str) -> str:
    """The name without what people write differently, or do not see: case, width, spaces, `_` and `-`."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in folded if char not in "_- " and char.isprintable())


def plain_heading(name: str) -> str:
    """A column's name likewise, without the marks of what must be filled."""
    return plain(_FILL_MARKS.sub("", unicodedata.normalize("NFKC", name)))


_COLUMN_OF = {plain(alias): column for column, aliases in COLUMNS.items() for alias in aliases}
#: How alike a misspelt heading is to what it means, by difflib: `dres` is near enough to dress, `address` is not.
_NEAR = 0.84
_SLOT_OF = {word: slot.value for slot, words in KINDS.items() for word in words.split()} | {
    plain(alias): slot for slot, aliases in CATEGORIES.items() for alias in aliases
}
_RANK = {plain(alias): rank for aliases in COLUMNS.values() for rank, alias in enumerate(aliases)}
_PICTURES = frozenset({"person", *GARMENT_COLUMNS})


@lru_cache(maxsize=1024)
def column_of(heading: str) -> str | None:
    """The column a heading means; None for one that only passes through."""
    if len(heading) > 64:  # noqa: PLR2004 longer is no alias
        return None
    name = plain_heading(heading)
    if name in _COLUMN_OF:
        return _COLUMN_OF[name]
    while (shorter := _PICTURE_WORD.sub("", name)) != name:
        name = shorter
        if _COLUMN_OF.get(name) in _PICTURES:
            return _COLUMN_OF[name]
    return None


def misspelt(heading: str) -> str | None:
    """The column that a heading nearly means; None for one that means another or nothing at all."""
    if len(heading) > 64 or column_of(heading):  # noqa: PLR2004 longer is no alias
        return None
    near = get_close_matches(plain_heading(heading), _COLUMN_OF, n=1, cutoff=_NEAR)
    return _COLUMN_OF[near[0]] if near else None


@lru_cache(maxsize=1024)
def slot_of(category: str) -> str | None:
    """The slot a category means; None for one that is not known."""
    return _SLOT_OF.get(plain(category)) if len(category) <= 64 else None  # noqa: PLR2004 longer is no alias


def rank_of(heading: str) -> int:
    """How good a heading is among several that mean the same; the smallest wins."""
    return _RANK.get(plain_heading(heading), _UNLISTED)


def is_listed(heading: str) -> bool:
    """Whether a heading is one of the names of a column, and not one with a word behind it."""
    return rank_of(heading) < _UNLISTED


def best_names(headings: Iterable[str]) -> dict[str, str]:
    """Column → the best of the headings that mean it, the first of equals."""
    best: dict[str, str] = {}
    for heading in headings:
        column = column_of(heading)
        if column is not None and (column not in best or rank_of(heading) < rank_of(best[column])):
            best[column] = heading
    return best


def is_whole(headings: Iterable[str]) -> bool:
    """Whether they name a person and a garment, as a manifest must."""
    columns = set(map(column_of, headings))
    return "person" in columns and not columns.isdisjoint(GARMENT_COLUMNS)
