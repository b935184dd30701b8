"""Who wears what: rules narrow the people, and rendezvous hashing over names chooses among them.

Each garment ranks everybody by a hash of both names and takes the first ones. So a person who joins takes only the places
in which he ranks high enough, and one who leaves frees only his own: every other pair stays, and is not bought again.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from jobs.errors import UsageError
from jobs.products.layouts import column_in
from jobs.products.people import Person
from jobs.products.records import Product
from jobs.products.yaml_file import Node
from jobs.records import Slot

#: Between several values in a product's cell.
_BETWEEN = re.compile(r"[,;|/]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A person's attribute must have one of the values that the product's column has."""

    attribute: str
    column: str
    #: The shop's word → the person's, in small letters; when there are some, no other word counts.
    words: Mapping[str, str] = field(default_factory=dict)

    def wanted(self, product: Product) -> frozenset[str] | None:
        """The values of which a person must have one; none when the product says nothing, None without the column."""
        name = column_in(product.fields, self.column)
        if name is None:
            return None
        cell = product.fields[name].casefold()
        found = {text for part in _BETWEEN.split(cell) if (text := part.strip())}
        return (
            frozenset(self.words[text] for text in found if text in self.words)
            if self.words
            else frozenset(found)
        )


def rules_of(where: Node | None) -> tuple[Rule, ...]:
    """The rules of a people's file: `attribute: column`, or `attribute: {column: …, words: {women: female}}`.

    Raises:
        ManifestError: one is not of this form.
    """
    if where is None or not where.value:
        return ()
    return tuple(_rule(attribute, node) for attribute, node in where.mapping("where:").items())


def _rule(attribute: str, node: Node) -> Rule:
    if isinstance(node.value, str):
        return Rule(attribute=attribute, column=node.value)
    entries = node.mapping(f"where: {attribute}")
    if entries.keys() - {"column", "words"} or "column" not in entries:
        raise node.error(f"where: {attribute}: has column: and, if need be, words:")
    words = entries["words"].mapping("words") if "words" in entries else {}
    return Rule(
        attribute=attribute,
        column=entries["column"].text("column"),
        words={word.casefold(): each.text("words").casefold() for word, each in words.items()},
    )


def rule_of_option(text: str) -> Rule:
    """The rule of `--where ATTRIBUTE=COLUMN`. Raises UsageError: it is none."""
    attribute, equals, column = (part.strip() for part in text.partition("="))
    if not attribute or not equals or not column:
        raise UsageError(f"--where: “{text}” is not of the form attribute=column, e.g. gender=Gender")
    return Rule(attribute=attribute, column=column)


_NOTHING: frozenset[str] = frozenset()


class Choice:
    """Chooses people for products."""

    def __init__(self, people: Sequence[Person], rules: Sequence[Rule], count: int) -> None:
        """Takes those who may be chosen, what narrows them, and how many each product gets."""
        self._people = [(person, blake2b(person.name.encode() + b"\0", digest_size=8)) for person in people]
        self._rules = tuple(rules)
        #: Columns of rules that no product has had so far: perhaps a name that is misspelt.
        self.missing = {rule.column for rule in rules}
        self._count = count

    def people(self, product: Product, slot: Slot) -> list[Person]:
        """The people that wear the product, the first one first; fewer where fewer fit."""
        group = product.group.encode("utf-8", "surrogateescape")
        ranked: list[tuple[bytes, str, Person]] = []
        wanted = self._wanted(product)
        for person, seed in self._people:
            if slot in person.wears and all(
                not values.isdisjoint(person.attributes.get(attribute, _NOTHING))
                for attribute, values in wanted
            ):
                rank = seed.copy()
                rank.update(group)
                ranked.append((rank.digest(), person.name, person))
        ranked.sort(key=lambda each: each[:2], reverse=True)
        return [person for *_, person in ranked[: self._count]]

    def _wanted(self, product: Product) -> list[tuple[str, frozenset[str]]]:
        """Attributes and the values of which a person must have one."""
        found: list[tuple[str, frozenset[str]]] = []
        for rule in self._rules:
            wanted = rule.wanted(product)
            if wanted is not None:
                self.missing.discard(rule.column)
            if wanted:
                found.append((rule.attribute, wanted))
        return found


def picture_of(person: Person, product: Product) -> str:
    """The picture of several that a product gets, chosen the same way."""
    if len(person.pictures) == 1:
        return person.pictures[0]
    group = product.group.encode("utf-8", "surrogateescape")
    return max(person.pictures, key=lambda picture: blake2b(picture.encode() + b"\0" + group).digest())
