"""Planning: a row becomes the job it asks for, or says why it cannot."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jobs.identity import request_id
from jobs.ledger import Admission
from jobs.ledger.codec import encode, encode_pair
from jobs.local_pictures import PictureError
from jobs.manifest.aliases import column_of
from jobs.records import BadRow, Pair, RequestId, Row, Slot, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A good row and the job it asks for; rows with the same pair share one."""

    row: Row
    request_id: RequestId
    pair: Pair


class Planner:
    """Turns rows into jobs. `source` looks a picture up, see jobs.local_pictures; `epoch` is moved by `--again`."""

    def __init__(self, source: Callable[[str], Source], epoch: str = "", *, folder: Path = Path()) -> None:
        """`folder`: where local pictures are looked for, kept with the batch."""
        self._source = source
        self.folder = folder
        self.epoch = epoch

    def plan(self, row: Row | BadRow) -> Planned | BadRow:
        """The job of a row; a picture that cannot be used makes the row a bad one."""
        if isinstance(row, BadRow):
            return row
        sources: dict[str, Source] = {}
        for slot, text in row.inputs.items():
            try:
                sources[slot] = self._source(text)
            except PictureError as error:
                return BadRow(
                    number=row.number,
                    line=row.line,
                    column=_column(row, slot),
                    why=f"{text}: {error.why}",
                    sku=row.sku,
                    fields=row.fields,
                )
        pair = Pair(**sources)
        return Planned(row=row, request_id=request_id(pair, self.epoch), pair=pair)


def _column(row: Row, slot: str) -> str:
    """The manifest's own name of the column that a picture came from."""
    names = {column_of(name): name for name in row.fields}
    return names.get(slot) or (names.get("garment") if slot != Slot.PERSON else None) or slot


@lru_cache(maxsize=256)
def _places(names: tuple[str, ...]) -> dict[str, str]:
    """Column → the manifest's name of it."""
    return {column: name for name in names if (column := column_of(name))}


def _shows(fields: Mapping[str, str], inputs: Mapping[str, str]) -> bool:
    """Whether a row's own cells are its pictures, and not names for them."""
    places = _places(tuple(fields))
    garment = places.get("garment") if "category" in places else None
    for slot, picture in inputs.items():
        own = places.get(slot)
        by_category = None if slot == Slot.PERSON else garment
        if not any(name is not None and fields[name].strip() == picture for name in (own, by_category)):
            return False
    return True


def admission(planned: Planned | BadRow) -> Admission:
    """A planned row as the ledger takes it.

    Its JSON: line, sku, fields, and `job` (its id), or `bad` (column and why);
    `inputs` when its fields only name the pictures.
    """
    if isinstance(planned, BadRow):
        bad = {"column": planned.column, "why": planned.why}
        row: dict[str, Any] = {
            "line": planned.line,
            "sku": planned.sku,
            "fields": dict(planned.fields),
            "bad": bad,
        }
        return Admission(number=planned.number, request_id="", row=encode(row), pair="")
    asked = planned.row
    row = {"line": asked.line, "sku": asked.sku, "fields": dict(asked.fields), "job": planned.request_id}
    if not _shows(asked.fields, asked.inputs):
        # The row names its pictures; a manifest made from it must have them themselves.
        row["inputs"] = dict(asked.inputs)
    return Admission(
        number=planned.row.number,
        request_id=planned.request_id,
        row=encode(row),
        pair=encode_pair(planned.pair),
    )
