"""The names a manifest's columns and categories may have, as data; docs/manifests.md is tested against it."""

import unicodedata
from difflib import get_close_matches
from functools import lru_cache

#: Column → every heading that means it; case, spaces, `_` and `-` do not count.
#: Of several columns for the sku the one listed first wins; for the others two are an error.
COLUMNS: dict[str, tuple[str, ...]] = {
    "sku": (
        "sku", "Variant SKU", "sku id", "item id", "product id", "id",
        "商品编号", "商品编码", "货号", "款号", "编号",
    ),
    "person": (
        "person", "model", "person image", "model image", "human",
        "模特", "模特图", "模特图片", "人物", "人物图",
    ),
    "upper_clothes": ("upper_clothes", "upper", "top", "tops", "upper garment", "上衣", "上衣图", "上装"),
    "lower_clothes": (
        "lower_clothes", "lower", "bottom", "bottoms", "lower garment", "下衣", "下衣图", "下装",
    ),
    "dress": ("dress", "dresses", "连衣裙", "连衣裙图"),
    "garment": ("garment", "garment image", "clothes", "服装", "服装图", "衣服"),
    "category": ("category", "garment category", "garment type", "品类", "类别", "分类", "类目"),
}  # fmt: skip

#: What the columns that we add to a batch's tables begin with: read again as a manifest, they are passed over.
OURS = "vton_"

#: Slot → what the category column may say for it. Anything else is refused, never guessed.
CATEGORIES: dict[str, tuple[str, ...]] = {
    "upper_clothes": ("upper_clothes", "upper", "upper body", "top", "tops", "上衣", "上装"),
    "lower_clothes": (
        "lower_clothes", "lower", "lower body", "bottom", "bottoms", "pants", "trousers", "skirt",
        "下衣", "下装", "裤子", "半身裙",
    ),
    "dress": ("dress", "dresses", "one piece", "连衣裙"),
}  # fmt: skip

#: The columns that hold a garment's picture, whatever its kind.
GARMENT_COLUMNS = ("upper_clothes", "lower_clothes", "dress", "garment")


def plain(name: str) -> str:
    """The name without what people write differently: case, width, spaces, `_` and `-`."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in folded if char not in "_-\ufeff" and not char.isspace())


_COLUMN_OF = {plain(alias): column for column, aliases in COLUMNS.items() for alias in aliases}
#: How alike a misspelt heading is to what it means, by difflib: `dres` is near enough to dress, `address` is not.
_NEAR = 0.84
_SLOT_OF = {plain(alias): slot for slot, aliases in CATEGORIES.items() for alias in aliases}
_SKU_RANK = {plain(alias): rank for rank, alias in enumerate(COLUMNS["sku"])}


@lru_cache(maxsize=1024)
def column_of(heading: str) -> str | None:
    """The column a heading means; None for one that only passes through."""
    return _COLUMN_OF.get(plain(heading)) if len(heading) <= 64 else None  # noqa: PLR2004 longer is no alias


def misspelt(heading: str) -> str | None:
    """The column that a heading nearly means; None for one that means another or nothing at all."""
    if len(heading) > 64 or column_of(heading):  # noqa: PLR2004 longer is no alias
        return None
    near = get_close_matches(plain(heading), _COLUMN_OF, n=1, cutoff=_NEAR)
    return _COLUMN_OF[near[0]] if near else None


@lru_cache(maxsize=1024)
def slot_of(category: str) -> str | None:
    """The slot a category means; None for one that is not known."""
    return _SLOT_OF.get(plain(category)) if len(category) <= 64 else None  # noqa: PLR2004 longer is no alias


def sku_rank(heading: str) -> int:
    """How good a sku heading is among several; the smallest wins."""
    return _SKU_RANK[plain(heading)]
