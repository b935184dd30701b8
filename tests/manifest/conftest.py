"""Manifests written to disk and read back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.manifest import Manifest, open_manifest
from jobs.records import BadRow, Row

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file into the manifest's folder and gives its path."""

    def _write(content: str | bytes, name: str = "catalog.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


@pytest.fixture
def opened(write: Write) -> Callable[..., Manifest]:
    """Writes a manifest and opens it."""
    return lambda content, name="catalog.csv": open_manifest(str(write(content, name)))


@pytest.fixture
def rows(opened: Callable[..., Manifest]) -> Callable[..., list[Row | BadRow]]:
    """Writes a manifest and reads all its rows."""
    return lambda content, name="catalog.csv": list(opened(content, name).rows())
