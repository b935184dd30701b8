"""The columns of a batch's tables: a manifest's own where it has a header, else one name for each thing.

Rows of YAML and JSONL each have keys of their own, and may name their pictures: tables made of them have our names of the
columns and the pictures themselves, so that failed.csv can be run by itself.
"""

from collections.abc import Iterable

from jobs.ledger.records import RowRecord
from jobs.manifest.aliases import GARMENT_COLUMNS, column_of, sku_rank

#: Columns that hold pictures.
PICTURE_COLUMNS = frozenset({"person", *GARMENT_COLUMNS})
_REPLACED = PICTURE_COLUMNS | {"category"}


def table_cells(row: RowRecord, *, header: bool) -> dict[str, str]:
    """Column → cell of a row."""
    fields = row.fields
    if header:
        return fields
    cells: dict[str, str] = {}
    sku = sku_name(fields)
    for name, text in fields.items():
        column = column_of(name)
        cells.setdefault("sku" if name == sku else name if column in {None, "sku"} else column or name, text)
    if row.inputs:
        return {name: text for name, text in cells.items() if name not in _REPLACED} | row.inputs
    return cells


def extra_names(names: Iterable[str]) -> list[str]:
    """Those of a manifest's columns that only pass through; second ones for the SKU are among them."""
    columns = list(names)
    sku = sku_name(columns)
    return [name for name in columns if column_of(name) is None or (column_of(name) == "sku" and name != sku)]


def sku_name(names: Iterable[str]) -> str | None:
    """Which of the columns is the SKU's."""
    return min((name for name in names if column_of(name) == "sku"), key=sku_rank, default=None)
