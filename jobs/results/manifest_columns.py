"""The columns of a batch's tables: a manifest's own where it has a header, else one name for each thing.

Rows of YAML and JSONL each have keys of their own, and may name their pictures: tables made of them have our names of the
columns and the pictures themselves, so that failed.csv can be run by itself.
"""

from collections.abc import Iterable

from jobs.ledger.records import RowRecord
from jobs.manifest.aliases import GARMENT_COLUMNS, OURS, best_names, column_of

#: Columns that hold pictures.
PICTURE_COLUMNS = frozenset({"person", *GARMENT_COLUMNS})
#: The key of a row of YAML or JSON that names several garments of its manifest.
GARMENT_NAMES = "garments"
_REPLACED = PICTURE_COLUMNS | {"category", GARMENT_NAMES}


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
    # Names mean nothing outside of their manifest: a reader passes over them, as over all columns of ours.
    return {OURS + name if name == GARMENT_NAMES else name: text for name, text in cells.items()}


def extra_names(names: Iterable[str]) -> list[str]:
    """Those of a manifest's columns that only pass through; second ones for the SKU are among them."""
    columns = list(names)
    read = set(best_names(columns).values())
    return [name for name in columns if name not in read]


def sku_name(names: Iterable[str]) -> str | None:
    """Which of the columns is the SKU's."""
    return best_names(names).get("sku")
