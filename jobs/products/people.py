"""The people's file: who may be dressed, in what, and until when; YAML or CSV."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path

from jobs.errors import ManifestError
from jobs.manifest.aliases import plain_heading, slot_of
from jobs.manifest.content import open_content
from jobs.products.records import GARMENT_SLOTS
from jobs.products.tables import open_table
from jobs.products.yaml_file import Node, read_yaml
from jobs.records import Slot

_KINDS = ("real", "synthetic")
_KEYS = ("name", "picture", "pictures", "attributes", "wears", "kind", "consent_until")
_KEY_OF = {plain_heading(key): key for key in _KEYS}
#: What must not be taken for an attribute, as it looks like a key that decides who is dressed.
_MEANT = (
    (re.compile("consent|until|expir"), "consent_until"),
    (re.compile("^wear"), "wears"),
    (re.compile("^picture"), "picture"),
)
#: In a cell of a table, between several values.
_BETWEEN = "|"
#: People of one file.
_MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may be dressed."""

    #: What people are chosen by, so it stays what it is.
    name: str
    #: `file:line`, for messages.
    place: str
    #: As written; of several each garment gets one.
    pictures: tuple[str, ...]
    wears: frozenset[Slot] = frozenset(GARMENT_SLOTS)
    #: `real`, `synthetic`, or "" when the file does not say.
    kind: str = ""
    #: The last day on which the pictures may be used.
    consent_until: date | None = None
    #: Name → values, in small letters.
    attributes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def consents(self, until: datetime) -> bool:
        """Whether the pictures may still be used at that moment of this machine's clock."""
        if self.consent_until is None:
            return True
        over = datetime.combine(self.consent_until + timedelta(days=1), time()).astimezone()
        return until < over


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """A people's file."""

    people: tuple[Person, ...]
    #: What narrows the choice, see jobs.products.choosing; None where the file says nothing.
    where: Node | None = None


def read_people(path: Path) -> People:
    """Reads a people's file; the suffix says whether it is a table.

    Raises:
        NotFoundError: no such file.
        ManifestError: nobody in it, two of one name, or an entry that is not what it must be; with its line.
    """
    top = read_yaml(path) if path.suffix.lower() in {".yaml", ".yml"} else _table(path)
    where = None
    if isinstance(top.value, dict):
        entries = top.mapping("the people's file")
        if unknown := entries.keys() - {"people", "where"}:
            raise top.error(f"“{min(unknown)}” is not known here; the file has people: and where:")
        where = entries.get("where")
        top = entries.get("people", top)
    people = [_person(entry) for entry in top.items("people:")]
    if not people or len(people) > _MOST:
        raise ManifestError(f"{path}: has {len(people)} people; it may have 1 to {_MOST:,}")
    known: dict[str, Person] = {}
    for person in people:
        if person.name in known:
            raise ManifestError(
                f"{person.place}: “{person.name}” is there twice, at {known[person.name].place} too"
            )
        known[person.name] = person
    return People(people=tuple(people), where=where)


def _keys(entry: Node) -> dict[str, Node]:
    """A person's entries; keys that are known are found as columns are, however they are spelt."""
    found: dict[str, Node] = {}
    for written, node in entry.mapping("a person").items():
        key = _KEY_OF.get(plain_heading(written), written)
        if key in found:
            raise node.error(f"{key} is there twice, as “{written}” too")
        found[key] = node
    return found


def _refuse_look_alikes(attributes: Mapping[str, Node]) -> None:
    for key, node in attributes.items():
        name = plain_heading(key)
        meant = _KEY_OF.get(name) or next((key for look, key in _MEANT if look.search(name)), None)
        if meant:
            raise node.error(
                f"“{key}” is no attribute that people are chosen by; write {meant}: beside name:"
            )


def _person(entry: Node) -> Person:
    keys = _keys(entry)
    name = keys["name"].text("name") if "name" in keys else ""
    pictures = tuple(text for key in ("picture", "pictures") if key in keys for text in keys[key].texts(key))
    if not name or not pictures:
        raise entry.error("a person needs a name and a picture")
    kind = keys["kind"].text("kind") if "kind" in keys else ""
    if kind and kind not in _KINDS:
        raise keys["kind"].error(f"kind is “{kind}”; write real or synthetic")
    extra = {key: node for key, node in keys.items() if key not in _KEYS}
    if "attributes" in keys and keys["attributes"].value:
        extra |= keys["attributes"].mapping("attributes")
    _refuse_look_alikes(extra)
    return Person(
        name=name,
        place=entry.place,
        pictures=pictures,
        wears=_wears(keys.get("wears")),
        kind=kind,
        consent_until=_day(keys.get("consent_until")),
        attributes={
            key: frozenset(text.casefold() for text in node.texts(key)) for key, node in extra.items()
        },
    )


def _wears(node: Node | None) -> frozenset[Slot]:
    words = node.texts("wears") if node else ()
    for word in words:
        if node and slot_of(word) is None:
            raise node.error(f"wears: “{word}” is not known; write upper_clothes, lower_clothes or dress")
    return frozenset(Slot(slot_of(word) or "") for word in words) or frozenset(GARMENT_SLOTS)


def _day(node: Node | None) -> date | None:
    text = node.text("consent_until") if node else ""
    if not node or not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise node.error(f"consent_until is “{text}”; write a day like 2027-03-31") from None


def _table(path: Path) -> Node:
    """A table's rows in the form that YAML has; a cell may hold several values with | between them."""
    table = open_table(
        open_content(str(path)), known=frozenset(_KEYS), pictures=frozenset({"picture", "pictures"})
    )
    rows: list[Node] = []
    names: list[str] = []
    for line, cells, flaw in table.records():
        place = f"{path}:{line}"
        if flaw:
            raise ManifestError(f"{place}: {flaw}")
        if not names:
            names = [
                _KEY_OF.get(plain_heading(cell), cell.strip().lower().replace(" ", "_")) for cell in cells
            ]
            if twice := next((name for name in names if name and names.count(name) > 1), ""):
                raise ManifestError(f"{place}: the column {twice} is there twice; keep one")
            continue
        if any(cell.strip() for cell in cells[len(names) :]):
            raise ManifestError(
                f"{place}: the line has more cells than there are columns; several values stand with | between them"
            )
        if len(rows) > _MOST:
            break
        entry = {
            name: Node(place=place, value=_values(cell, place))
            for name, cell in zip(names, cells, strict=False)
            if name and cell.strip()
        }
        rows.append(Node(place=place, value=dict(entry)))
    return Node(place=str(path), value=rows)


def _values(cell: str, place: str) -> str | list[Node]:
    if _BETWEEN not in cell:
        return cell.strip()
    return [Node(place=place, value=part.strip()) for part in cell.split(_BETWEEN)]
