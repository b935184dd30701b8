"""Shop files written to disk and read back as products."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.products.records import LeftOut, Product
from jobs.products.sources import Reading, open_source

Read = Callable[..., list[Product | LeftOut]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Writes a shop's file and reads its products; what is none is among them."""

    def _read(content: str | bytes, name: str = "shop.csv", **reading: object) -> list[Product | LeftOut]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return list(open_source(str(path), Reading(**reading)).products())

    return _read


def seen(found: list[Product | LeftOut]) -> list[tuple[str, ...]]:
    """Products as (place, sku, pictures …); what is left out as (place, sku, why)."""
    return [
        (each.place, each.sku, each.why)
        if isinstance(each, LeftOut)
        else (each.place, each.sku, *each.pictures)
        for each in found
    ]
