"""A shop for commands that start no worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs.shop import TOKEN, Shop, open_shop
from tests.runs.stub import Vendor


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    vendor = Vendor()
    vendor.token = TOKEN
    made = open_shop(tmp_path, vendor)
    yield made
    made.close()
    vendor.close()
    assert not vendor.submits
    assert made.leaks() == []
