"""A vendor and a shop of its own for each test; when it is over, nothing of it may have said a secret."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.runs.shop import TOKEN, Shop, open_shop
from tests.runs.vendor import Vendor


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    made = Vendor()
    made.token = TOKEN
    yield made
    made.close()


@pytest.fixture
def shop(tmp_path: Path, vendor: Vendor) -> Iterator[Shop]:
    made = open_shop(tmp_path, vendor)
    yield made
    made.close()
    assert made.leaks() == []
    assert "Traceback" not in made.logs()


@pytest.fixture(name="free_port")
def _free_port() -> int:
    return free_port()
