"""Manifests whose rows are mappings (YAML, JSON): names looked up, defaults filled in, then checked like a table's."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Protocol, TypeAlias, runtime_checkable

from jobs.manifest.aliases import GARMENT_COLUMNS, column_of, rank_of
from jobs.manifest.columns import ColumnError, Fault, Plan, Typo, plan, row_of, suspected_typos
from jobs.records import BadRow, Dialect, Row

#: A value as read: text, or a list or a mapping of values.
Value: TypeAlias = "str | list[Value] | Entry"

#: Sets of keys whose spelling is looked at: rows that all have other keys are no manifest of anybody's.
_KEY_SETS = 64
#: Keys of one row.
ROW_KEYS = 200
#: Characters of a key that a message shows.
_SHOWN = 200

_GARMENTS = "garments"


class Entry(dict[str, Value]):
    """A mapping as read."""

    #: A key that stands twice; "" without one.
    twice = ""

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, Value]]) -> "Entry":
        """The mapping of these keys and values; of a key that stands twice the last value."""
        entry = cls(pairs)
        if len(entry) < len(pairs):
            [(entry.twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        return entry


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

    def __contains__(self, name: str) -> bool:
        return name in self.people or name in self.garments

    def cells(self, fields: dict[str, str]) -> dict[str, str] | Fault:
        """The cells to check: pictures for names. What the names bring along is added to `fields`."""
        self._fill(fields)
        cells = dict(fields)
        for key, text in list(fields.items()):
            column = column_of(key)
            if column == "person":
                cells[key] = self.people.get(text.strip(), text)
            if (column == "garment" or key == _GARMENTS) and (fault := self._dress(cells, fields, key)):
                return fault
        return cells

    def _dress(self, cells: dict[str, str], fields: dict[str, str], key: str) -> Fault | None:
        """Replaces garments' names by their pictures."""
        names = (
            [name.strip() for name in fields[key].split(",")] if key == _GARMENTS else [fields[key].strip()]
        )
        strangers = [name[:40] for name in names if name not in self.garments]
        if strangers and key == _GARMENTS:
            return Fault(column=key, why=f"there is no garment named “{strangers[0]}”")
        if strangers:  # may be a picture
            if not strangers[0] or any(column_of(other) == "category" for other in cells):
                return None
            why = f"there is no garment named “{strangers[0]}”, and no category for a picture"
            return Fault(column=key, why=why)
        del cells[key]
        found = [self.garments[name] for name in names]
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


@lru_cache(maxsize=64)
def _plan_of(keys: tuple[str, ...]) -> Plan:
    if len(keys) > ROW_KEYS:
        raise ColumnError(f"the row has {len(keys)} keys; at most {ROW_KEYS} are read")
    return plan(keys)


def _sku_key(fields: Mapping[str, str]) -> str:
    return min((key for key in fields if column_of(key) == "sku"), key=rank_of, default="sku")


def _sku(fields: Mapping[str, str]) -> str:
    return fields.get(_sku_key(fields), "").strip()


@runtime_checkable
class EntrySource(Protocol):
    """A file of mappings. `names`: what it defines beside its rows."""

    names: Names

    def entries(self) -> Iterator[tuple[int, Entry | str]]:
        """Streams each row's line, and its mapping or why there is none; may be called again."""


class EntryRows:
    """A manifest of mappings. Its columns are not known beforehand: every row brings its own keys."""

    columns: tuple[str, ...] = ()
    dialect = Dialect()

    def __init__(self, source: EntrySource) -> None:
        self._source = source
        #: The first sets of keys that were met → those of them that look misspelt.
        self._looked_at: dict[tuple[str, ...], tuple[Typo, ...]] = {}

    @property
    def suspected_typos(self) -> tuple[Typo, ...]:
        """Keys of the rows read so far that look like misspelt ones, in order."""
        return tuple(dict.fromkeys(chain.from_iterable(self._looked_at.values())))

    def rows(self) -> Iterator[Row | BadRow]:
        """Streams the rows in their order, bad ones among them."""
        for number, (line, entry) in enumerate(self._source.entries(), start=1):
            if isinstance(entry, str):
                yield row_of(number, line, "", {}, Fault(why=entry))
                continue
            fields, fault = _texts(entry)
            if entry.twice:
                fault = Fault(column=entry.twice[:_SHOWN], why="the key stands twice in the row")
            found = fault or self._inputs(fields)
            yield row_of(number, line, _sku(fields), fields, found)

    def _inputs(self, fields: dict[str, str]) -> dict[str, str] | Fault:
        """The row's filled slots, or the first thing wrong with it. What names bring along is added to `fields`."""
        cells = self._source.names.cells(fields)
        if isinstance(cells, Fault):
            return cells
        keys = tuple(cells)
        try:
            made = _plan_of(keys)
        except ColumnError as error:
            return Fault(why=str(error))
        if keys not in self._looked_at and len(self._looked_at) < _KEY_SETS:
            self._looked_at[keys] = suspected_typos(made)
        if "\0" in "".join(fields.values()):
            return Fault(why="the row holds a NUL character")
        return made.inputs(list(cells.values()))
