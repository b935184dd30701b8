"""The form of a YAML manifest, read through to its end before any row is given out."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import yaml

from jobs.errors import ManifestError
from jobs.manifest.aliases import column_of
from jobs.manifest.columns import ColumnError, Fault, plan
from jobs.manifest.mappings import Entry, Garment, Names, Value
from jobs.manifest.yaml.events import Events, line_of

#: People, garments or defaults of one manifest; they are held in memory.
DEFINITIONS = 50_000
#: Characters of all of them.
DEFINITION_CHARS = 32_000_000

Made = TypeVar("Made")

_SECTIONS = "defaults, people, garments, matrix, jobs"
_NO = frozenset({"", "false", "False", "FALSE", "no", "No", "off"})
_YES = frozenset({"true", "True", "TRUE", "yes", "Yes", "on"})


class Form:
    """What a YAML manifest holds beside the rows it spells out: definitions are kept, rows only passed over."""

    def __init__(self, events: Events) -> None:
        """Reads the whole content.

        Raises:
            ManifestError: it is none of the known forms, or not YAML to its end; with the line.
        """
        self.names = Names()
        #: Names to multiply; empty without a matrix.
        self.people: tuple[str, ...] = ()
        self.garments: tuple[str, ...] = ()
        self._events = events
        self._error = events.error
        self._chars = 0
        first = events.next()
        if first is None:
            raise ManifestError(f"{events.name}: is empty")
        if isinstance(first, yaml.SequenceStartEvent):
            events.skip(first)
        elif isinstance(first, yaml.MappingStartEvent):
            self._read_sections()
        else:
            raise self._error(line_of(first), f"must be a list of rows, or a mapping of {_SECTIONS}")
        events.next()  # a second document, or what is no YAML, behind it

    def _read_sections(self) -> None:
        defaults, people, garments = {}, {}, {}
        matrix: tuple[int, Mapping[str, list[str]]] | None = None
        seen: set[str] = set()
        for key, line, first in self._events.entries():
            if key in seen:
                raise self._error(line, f"“{key}” is there twice")
            seen.add(key)
            match key:
                case "defaults":
                    defaults = self._section(key, first, _text)
                case "people":
                    people = self._section(key, first, _text)
                case "garments":
                    garments = self._section(key, first, _garment)
                case "matrix":
                    matrix = self._choice(line_of(first), self._events.value(first))
                case "jobs":
                    self._pass_over_jobs(first)
                case _:
                    why = f"“{key[:40]}” is not known here; a manifest is a list of rows, or has {_SECTIONS}"
                    raise self._error(line, why)
        if seen.isdisjoint({"matrix", "jobs"}):
            raise ManifestError(f"{self._events.name}: says nothing to do; it needs jobs: or matrix:")
        self.names = Names(defaults=defaults, people=people, garments=garments)
        if matrix is not None:
            self.people = self._chosen(*matrix, "people", people)
            self.garments = self._chosen(*matrix, "garments", garments)

    def _pass_over_jobs(self, first: yaml.Event) -> None:
        if not isinstance(first, yaml.SequenceStartEvent) and self._events.value(first):
            raise self._error(line_of(first), "jobs: must be a list of rows")
        self._events.skip(first)

    def _section(
        self, section: str, first: yaml.Event, made: Callable[[str, int, Value], Made]
    ) -> dict[str, Made]:
        """What a section defines, each name once, number and size bounded; an empty section defines nothing."""
        found: dict[str, Made] = {}
        if isinstance(first, yaml.ScalarEvent) and not self._events.value(first):
            return found
        if not isinstance(first, yaml.MappingStartEvent):
            raise self._error(line_of(first), f"{section}: must be a mapping of names")
        for name, line, begun in self._events.entries():
            if name in found:
                raise self._error(line, f"{section}: “{name[:40]}” is there twice")
            if len(found) == DEFINITIONS:
                raise self._error(line, f"{section}: more than {DEFINITIONS:,} entries")
            value = self._events.value(begun)
            self._chars += len(name) + self._events.chars
            if self._chars > DEFINITION_CHARS:
                raise self._error(line, "defaults, people and garments are too large together")
            try:
                found[name] = made(name, line, value)
            except ColumnError as error:
                raise self._error(line, f"{section}: {name}: {error}") from None
        return found

    def _choice(self, line: int, value: Value) -> tuple[int, Mapping[str, list[str]]] | None:
        if isinstance(value, str) and value in _YES | _NO:
            return (line, {}) if value in _YES else None
        if not isinstance(value, Entry) or not value or value.twice or value.keys() - {"people", "garments"}:
            raise self._error(line, "matrix: must be true, or a mapping of people: and garments:")
        chosen: dict[str, list[str]] = {}
        for section, names in value.items():
            texts = [name for name in names if isinstance(name, str)] if isinstance(names, list) else None
            if texts is None or len(texts) < len(names):
                raise self._error(line, "matrix: people and garments must be lists of names")
            chosen[section] = texts
        return line, chosen

    def _chosen(
        self, line: int, chosen: Mapping[str, list[str]], section: str, known: Mapping[str, object]
    ) -> tuple[str, ...]:
        """The names of a section to multiply, each once; all that are known when none are chosen."""
        for name in chosen.get(section, ()):
            if name not in known:
                raise self._error(line, f"matrix: {section}: there is none named “{name[:40]}”")
        if not known:
            raise self._error(line, f"matrix: there are no {section} to multiply; define {section}:")
        return tuple(dict.fromkeys(chosen.get(section, known)))


def _text(_name: str, _line: int, value: Value) -> str:
    if not isinstance(value, str):
        raise ColumnError("must be one text")
    return value


def _garment(name: str, line: int, value: Value) -> Garment:
    """A garment, its pictures put where its keys and its category say, as a row's would be."""
    if not isinstance(value, Entry):
        raise ColumnError("must be a mapping, e.g. {upper_clothes: tops/1.jpg}")
    if value.twice:
        raise ColumnError(f"the key “{value.twice}” stands twice")
    texts = {key: text for key, text in value.items() if isinstance(text, str)}
    if len(texts) < len(value):
        raise ColumnError("every value must be one text")
    columns = {key: "garment" if key in {"image", "picture"} else column_of(key) for key in texts}
    for key, column in columns.items():
        if column == "person":
            raise ColumnError(f"“{key}” means a person, who is no part of a garment")
    filled = [key for key, text in texts.items() if columns[key] and text.strip()]
    made = plan(tuple("garment" if columns[key] == "garment" else key for key in filled))
    cells = [texts[key] for key in filled]
    places = made.garment_places(cells)
    if isinstance(places, Fault):
        raise ColumnError(places.why)
    if not places:
        raise ColumnError("has no picture; give upper_clothes, lower_clothes or dress")
    return Garment(
        sku=made.sku_of(cells) or name,
        pictures={slot: cells[place] for slot, place in places.items()},
        extra={key: text for key, text in texts.items() if not columns[key]},
        line=line,
    )
