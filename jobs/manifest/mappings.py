"""Rows that are mappings (YAML, JSON): names looked up, defaults filled in, then checked like a table's."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain

from jobs.manifest.aliases import GARMENT_COLUMNS, column_of, sku_rank
from jobs.manifest.columns import ColumnError, Fault, Plan, plan, suspected_typos
from jobs.records import BadRow, Row

#: A value as read: text, or a list or a mapping of values.
Value = str | list["Value"] | dict[str, "Value"]

#: Sets of keys whose spelling is looked at: rows that all have other keys are no manifest of anybody's.
_KEY_SETS = 64
#: Keys of one row.
ROW_KEYS = 200

_GARMENTS = "garments"


@dataclass(frozen=True, slots=True, kw_only=True)
class Garment:
    """A named garment."""

    sku: str
    #: Slot → picture.
    pictures: Mapping[str, str]
    #: Its other keys, which pass through.
    extra: Mapping[str, str]
    #: Where it is defined.
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a YAML manifest defines beside its rows."""

    defaults: Mapping[str, str] = field(default_factory=dict)
    #: Name → picture.
    people: Mapping[str, str] = field(default_factory=dict)
    garments: Mapping[str, Garment] = field(default_factory=dict)
    #: The first sets of keys that were met → those of them that look misspelt, a sentence each.
    looked_at: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)

    @property
    def suspected_typos(self) -> tuple[str, ...]:
        """Keys met so far that look misspelt, a sentence each, in order."""
        return tuple(dict.fromkeys(chain.from_iterable(self.looked_at.values())))

    def row(self, number: int, line: int, entry: Mapping[str, Value], twice: str = "") -> Row | BadRow:
        """Makes a row of one entry; `twice` is a key that it has two times, if any."""
        fields, fault = _texts(entry)
        if twice:
            fault = Fault(column=twice, why="the key stands twice in the row")
        if not fault:
            cells, fault = self._looked_up(fields)
        if fault:
            return BadRow(
                number=number, line=line, column=fault.column, why=fault.why, sku=_sku(fields), fields=fields
            )
        self._look_at(tuple(cells))
        return _checked(number, line, fields, cells)

    def _look_at(self, keys: tuple[str, ...]) -> None:
        if keys not in self.looked_at and len(self.looked_at) < _KEY_SETS:
            with suppress(ColumnError):
                self.looked_at[keys] = suspected_typos(_plan_of(keys))

    def _looked_up(self, fields: dict[str, str]) -> tuple[dict[str, str], Fault | None]:
        """The cells to check: pictures for names. What the names bring along is added to `fields`."""
        self._fill(fields)
        cells = dict(fields)
        for key, text in list(fields.items()):
            column = column_of(key)
            if column == "person":
                cells[key] = self.people.get(text.strip(), text)
            if (column == "garment" or key == _GARMENTS) and (fault := self._dress(cells, fields, key)):
                return cells, fault
        return cells, None

    def _dress(self, cells: dict[str, str], fields: dict[str, str], key: str) -> Fault | None:
        """Replaces garments' names by their pictures."""
        names = (
            [name.strip() for name in fields[key].split(",")] if key == _GARMENTS else [fields[key].strip()]
        )
        found = [self.garments[name] for name in names if name in self.garments]
        if len(found) < len(names):
            return self._stranger(cells, key, names)
        del cells[key]
        for garment in found:
            for slot, picture in garment.pictures.items():
                if cells.get(slot, "").strip():
                    return Fault(column=key, why=f"the row has two garments of one kind ({slot})")
                cells[slot] = picture
            for extra, text in garment.extra.items():
                fields.setdefault(extra, text)
        if not _sku(fields):
            fields[_sku_key(fields)] = "+".join(garment.sku for garment in found)
        return None

    def _stranger(self, cells: Mapping[str, str], key: str, names: list[str]) -> Fault | None:
        """The fault of a name that is not defined; none for a `garment` that is a picture with a category."""
        if key != _GARMENTS and (not names[0] or any(column_of(other) == "category" for other in cells)):
            return None
        name = next(name for name in names if name not in self.garments)
        why = f"there is no garment named “{name[:40]}”"
        return Fault(column=key, why=why if key == _GARMENTS else f"{why}, and no category for a picture")

    def _fill(self, fields: dict[str, str]) -> None:
        """Adds the defaults for what the row leaves out; a default garment only to a row without any."""
        filled = {column_of(key) or key for key, text in fields.items() if text.strip()}
        dressed = not filled.isdisjoint({*GARMENT_COLUMNS, _GARMENTS})
        for key, text in self.defaults.items():
            column = column_of(key) or key
            if column in filled or (dressed and column in {*GARMENT_COLUMNS, _GARMENTS}):
                continue
            same = next((own for own in fields if (column_of(own) or own) == column), key)
            fields[same] = text


def _texts(entry: Mapping[str, Value]) -> tuple[dict[str, str], Fault | None]:
    """The entry's texts; a list counts only as `garments`."""
    texts: dict[str, str] = {}
    fault: Fault | None = None
    for key, value in entry.items():
        if isinstance(value, str):
            texts[key] = value
        elif key == _GARMENTS and isinstance(value, list) and all(isinstance(name, str) for name in value):
            texts[key] = ", ".join(name for name in value if isinstance(name, str))
        else:
            fault = fault or Fault(
                column=key[:_SHOWN], why="the value must be one text, not a list or a mapping"
            )
    return texts, fault


_SHOWN = 200


def _checked(number: int, line: int, fields: dict[str, str], cells: dict[str, str]) -> Row | BadRow:
    try:
        made = _plan_of(tuple(cells))
    except ColumnError as error:
        return BadRow(number=number, line=line, column="", why=str(error), sku=_sku(fields), fields=fields)
    values = list(cells.values())
    found = (
        Fault(column="", why=_NUL) if any("\0" in text for text in fields.values()) else made.inputs(values)
    )
    if isinstance(found, Fault):
        return BadRow(
            number=number,
            line=line,
            column=found.column,
            why=found.why,
            sku=_sku(fields),
            fields=fields,
        )
    return Row(number=number, line=line, sku=_sku(fields), inputs=found, fields=fields)


_NUL = "the row holds a NUL character"


def _plan_of(keys: tuple[str, ...]) -> Plan:
    if len(keys) > ROW_KEYS:
        raise ColumnError(f"the row has {len(keys)} keys; at most {ROW_KEYS} are read")
    return _plan_remembered(keys)


@lru_cache(maxsize=64)
def _plan_remembered(keys: tuple[str, ...]) -> Plan:
    return plan(keys)


def _sku_key(fields: Mapping[str, str]) -> str:
    return min((key for key in fields if column_of(key) == "sku"), key=sku_rank, default="sku")


def _sku(fields: Mapping[str, str]) -> str:
    return fields.get(_sku_key(fields), "").strip()
