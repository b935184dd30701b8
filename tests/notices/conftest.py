from collections.abc import Iterator

import pytest

from tests.notices.listener import Listener, listening


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as made:
        yield made
