"""Parquet files."""

import datetime as dt
import sys

import pyarrow as pa
import pytest
from pyarrow import parquet

from jobs.errors import ManifestError
from jobs.manifest import open_manifest


@pytest.fixture
def catalog(tmp_path):
    table = pa.table(
        {
            "sku": pa.array([123, 1234567890123456789, 7]),
            "person": pa.array(["p/1.jpg", "p/2.jpg", None]).dictionary_encode(),
            "dress": ["d/1.jpg", "d/2.jpg", "d/3.jpg"],
            "price": [12.5, 10.0, None],
            "day": [dt.date(2026, 11, 27)] * 3,
            "tags": [["a", "b"], [], None],
        }
    )
    parquet.write_table(table, tmp_path / "catalog.parquet", row_group_size=2)
    return tmp_path / "catalog.parquet"


def test_a_parquet_file_is_a_table(catalog):
    manifest = open_manifest(str(catalog))
    first, second, bad = manifest.rows()
    assert (first.line, first.sku, first.inputs) == (2, "123", {"person": "p/1.jpg", "dress": "d/1.jpg"})
    assert list(first.fields.values())[3:] == ["12.5", "2026-11-27", '["a", "b"]']
    assert (second.sku, second.fields["price"]) == ("1234567890123456789", "10")
    assert (bad.line, bad.column, bad.fields["price"]) == (4, "person", "")
    one, other = manifest.rows(), manifest.rows()
    assert next(one) == next(other) == first
    assert list(one) == list(other) == [second, bad]


def test_a_broken_one_is_refused(catalog):
    catalog.write_bytes(catalog.read_bytes()[:-40])
    with pytest.raises(ManifestError, match=r"catalog\.parquet: the Parquet file cannot be read"):
        open_manifest(str(catalog))


def test_without_its_library_it_is_said_what_to_install(catalog, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ManifestError, match=r"pip install 'vton-batch\[parquet\]'"):
        open_manifest(str(catalog))
