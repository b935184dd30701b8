"""The form of a YAML manifest, read through to its end before any row is given out."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import yaml

from jobs.errors import ManifestError
from jobs.manifest.aliases import column_of, slot_of
from jobs.manifest.mappings import Garment, Names
from jobs.manifest.yaml.events import Events, line_of, text_of

#: People, garments or defaults of one manifest; they are held in memory.
DEFINITIONS = 50_000
#: Characters of all of them.
DEFINITION_CHARS = 32_000_000

_SECTIONS = ("defaults", "people", "garments", "matrix", "jobs")
_NO = frozenset({"", "false", "False", "FALSE", "no", "No", "off"})
_YES = frozenset({"true", "True", "TRUE", "yes", "Yes", "on"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a YAML manifest holds beside the rows it spells out."""

    names: Names = field(default_factory=Names)
    #: Names to multiply; empty without a matrix.
    people: tuple[str, ...] = ()
    garments: tuple[str, ...] = ()


class Survey:
    """Reads the whole content once: definitions are kept, rows only passed over."""

    def __init__(self, events: Events, name: str) -> None:
        self._events = events
        self._name = name
        self._chars = 0
        self._defaults: dict[str, str] = {}
        self._people: dict[str, str] = {}
        self._garments: dict[str, Garment] = {}
        #: Line of the matrix and the names it chooses; None for all of a kind.
        self._matrix: tuple[int, list[str] | None, list[str] | None] | None = None

    def form(self) -> Form:
        """The form.

        Raises:
            ManifestError: it is none of the known ones, or the content is not YAML to its end; with the line.
        """
        try:
            first = self._events.next()
        except StopIteration:
            raise ManifestError(f"{self._name}: is empty") from None
        if isinstance(first, yaml.SequenceStartEvent):
            self._events.skip(first)
            self._events.end()
            return Form()
        if not isinstance(first, yaml.MappingStartEvent):
            raise self._events.error(first, f"must be a list of rows, or a mapping of {_known()}")
        self._sections()
        self._events.end()
        return self._made()

    def _sections(self) -> None:
        seen: set[str] = set()
        for key, line, value in self._events.entries():
            if key not in _SECTIONS:
                raise self._error(
                    line, f"“{key[:40]}” is not known here; a manifest is a list of rows, or has {_known()}"
                )
            if key in seen:
                raise self._error(line, f"“{key}” is there twice")
            seen.add(key)
            self._section(key, value)
        if not seen & {"matrix", "jobs"}:
            raise ManifestError(f"{self._name}: says nothing to do; it needs jobs: or matrix:")

    def _section(self, key: str, value: yaml.Event) -> None:
        match key:
            case "defaults":
                self._read_defaults(value)
            case "people":
                self._read_people(value)
            case "garments":
                self._read_garments(value)
            case "matrix":
                self._read_matrix(value)
            case _:
                self._read_jobs(value)

    def _read_defaults(self, value: yaml.Event) -> None:
        for key, line, text in self._pairs(value, "defaults"):
            self._defaults[key] = self._text(text, line, f"defaults: {key}")

    def _read_people(self, value: yaml.Event) -> None:
        for name, line, picture in self._pairs(value, "people"):
            self._people[name] = self._text(picture, line, f"people: {name}")

    def _read_garments(self, value: yaml.Event) -> None:
        for name, line, first in self._pairs(value, "garments"):
            item = self._events.item(first)
            if item.twice:
                raise self._error(line, f"garments: {name}: the key “{item.twice}” stands twice")
            if not isinstance(item.value, dict):
                raise self._error(
                    line, f"garments: {name}: must be a mapping, e.g. {{upper_clothes: tops/1.jpg}}"
                )
            texts = {key: text for key, text in item.value.items() if isinstance(text, str)}
            if len(texts) < len(item.value):
                raise self._error(line, f"garments: {name}: every value must be one text")
            self._weigh(line, texts.values())
            self._garments[name] = self._garment(name, line, texts)

    def _garment(self, name: str, line: int, texts: dict[str, str]) -> Garment:
        sku, found, extra = "", {}, {}
        for key, text in texts.items():
            column = "garment" if key in {"image", "picture"} else column_of(key)
            if column is None:
                extra[key] = text
            elif column == "sku":
                sku = sku or text.strip()
            elif column == "person":
                raise self._error(
                    line, f"garments: {name}: “{key}” means a person, who is no part of a garment"
                )
            elif column in found:
                raise self._error(line, f"garments: {name}: {column} is there twice under two names")
            elif text.strip():
                found[column] = text
        return Garment(sku=sku or name, pictures=self._slots(name, line, found), extra=extra, line=line)

    def _slots(self, name: str, line: int, found: dict[str, str]) -> dict[str, str]:
        """The garment's pictures by slot; that of its `image` goes where its category says."""
        category = found.pop("category", "")
        image = found.pop("garment", "")
        if image:
            slot = slot_of(category)
            if slot is None:
                raise self._error(line, f"garments: {name}: its category must be upper, lower or dress")
            if slot in found:
                raise self._error(line, f"garments: {name}: {slot} is there twice")
            found[slot] = image
        if not found:
            raise self._error(
                line, f"garments: {name}: has no picture; give upper_clothes, lower_clothes or dress"
            )
        return found

    def _read_matrix(self, value: yaml.Event) -> None:
        line = line_of(value)
        if isinstance(value, yaml.ScalarEvent):
            text = text_of(value)
            if text not in _YES | _NO:
                raise self._error(line, "matrix: must be true, or a mapping of people: and garments:")
            self._matrix = (line, None, None) if text in _YES else None
            return
        item = self._events.item(value)
        chosen = item.value if isinstance(item.value, dict) else {}
        if item.twice or not chosen or chosen.keys() - {"people", "garments"}:
            raise self._error(line, "matrix: must be true, or a mapping of people: and garments:")
        lists = [chosen.get(key) for key in ("people", "garments")]
        for names in lists:
            if names is not None and not (
                isinstance(names, list) and all(isinstance(name, str) for name in names)
            ):
                raise self._error(line, "matrix: people and garments must be lists of names")
        people, garments = (
            [str(name) for name in names] if isinstance(names, list) else None for names in lists
        )
        self._matrix = (line, people, garments)

    def _read_jobs(self, value: yaml.Event) -> None:
        if not isinstance(value, yaml.SequenceStartEvent) and not _is_null(value):
            raise self._events.error(value, "jobs: must be a list of rows")
        self._events.skip(value)

    def _made(self) -> Form:
        names = Names(defaults=self._defaults, people=self._people, garments=self._garments)
        if self._matrix is None:
            return Form(names=names)
        line, people, garments = self._matrix
        for what, chosen, known in (("people", people, self._people), ("garments", garments, self._garments)):
            strangers = [name for name in chosen or () if name not in known]
            if strangers:
                raise self._error(line, f"matrix: {what}: there is none named “{strangers[0][:40]}”")
            if not known:
                raise self._error(line, f"matrix: there are no {what} to multiply; define {what}:")
        return Form(
            names=names,
            people=tuple(self._people if people is None else dict.fromkeys(people)),
            garments=tuple(self._garments if garments is None else dict.fromkeys(garments)),
        )

    def _pairs(self, value: yaml.Event, section: str) -> Iterable[tuple[str, int, yaml.Event]]:
        """Entries of a section, each name once, number and size bounded; an empty section has none."""
        if _is_null(value):
            return
        if not isinstance(value, yaml.MappingStartEvent):
            raise self._events.error(value, f"{section}: must be a mapping of names")
        seen: set[str] = set()
        for key, line, first in self._events.entries():
            if key in seen:
                raise self._error(line, f"{section}: “{key[:40]}” is there twice")
            seen.add(key)
            self._weigh(line, [key])
            if len(seen) > DEFINITIONS:
                raise self._error(line, f"{section}: more than {DEFINITIONS:,} entries")
            yield key, line, first

    def _text(self, value: yaml.Event, line: int, where: str) -> str:
        if not isinstance(value, yaml.ScalarEvent):
            raise self._error(line, f"{where}: must be one text")
        text = text_of(value)
        self._weigh(line, [text])
        return text

    def _weigh(self, line: int, texts: Iterable[str]) -> None:
        self._chars += sum(len(text) for text in texts)
        if self._chars > DEFINITION_CHARS:
            raise self._error(line, "defaults, people and garments are too large together")

    def _error(self, line: int, why: str) -> ManifestError:
        return ManifestError(f"{self._name}:{line}: {why}")


def _known() -> str:
    return ", ".join(_SECTIONS)


def _is_null(value: yaml.Event) -> bool:
    return isinstance(value, yaml.ScalarEvent) and not text_of(value)
