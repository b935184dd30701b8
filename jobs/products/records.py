"""What travels from a shop's file to the written manifest: a product, or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.records import Slot

#: The slots of a garment.
GARMENT_SLOTS = (Slot.UPPER_CLOTHES, Slot.LOWER_CLOTHES, Slot.DRESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """An article as the shop's file has it. Nothing of it has been looked at yet."""

    #: Where in its file: the line it begins at, or the name of a picture.
    place: str
    sku: str
    #: What its people are chosen by: the same for the sizes and colours of one product, and from export to export.
    group: str
    #: In the shop's own order, as written.
    pictures: tuple[str, ...]
    #: What the shop calls its kind, the most telling first; each is one or several categories.
    categories: tuple[tuple[str, ...], ...]
    #: Its own columns in their order, as written.
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A product, or a line, that no pair is made of."""

    place: str
    sku: str
    #: A sentence for the merchandiser, the same for all that have the same fault.
    why: str
    #: Whether somebody should look at it; not for what is left out as it should be.
    fault: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Garment:
    """A product whose kind and picture are known."""

    product: Product
    slot: Slot
    #: An address, or a path as seen from the written manifest.
    picture: str
