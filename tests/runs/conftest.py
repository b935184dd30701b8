"""A vendor and a shop of its own for each test; when it is over, nothing of it may have said a secret."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

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


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port
