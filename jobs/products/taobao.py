"""The cell of pictures in a Taobao assistant's table: `hash:kind:position:|address;` for each."""

import re
from dataclasses import replace

from jobs.products.records import Product

#: A picture of the product itself (kind 1); those of its colours (kind 2) name what they are of.
_ENTRY = re.compile(
    r"(?P<name>[\w-]{1,64}):(?P<kind>\d+):(?P<position>\d+):[^|]*\|(?P<address>.*)", re.DOTALL
)
_OF_PRODUCT = "1"


def with_pictures(product: Product, folder: str) -> Product:
    """The product with its cell of pictures taken apart.

    Args:
        product: as its line has it, the cell in one piece.
        folder: beside the table, with the pictures that have no address: `<hash>.tbi`, JPEG within.
    """
    found: list[tuple[int, str]] = []
    for entry in (text for cell in product.pictures for text in cell.split(";")):
        match = _ENTRY.match(entry.strip())
        if match is None:
            if entry.strip():
                found.append((len(found), entry.strip()))
        elif match["kind"] == _OF_PRODUCT:
            local = f"{folder}/{match['name']}.tbi"
            found.append((int(match["position"][:9]), match["address"].strip() or local))
    return replace(product, pictures=tuple(picture for _, picture in sorted(found, key=lambda each: each[0])))
