"""Products and people become the rows of a manifest; what does not is counted by its reason."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from jobs.manifest.skus import sku_fault
from jobs.products.categories import Categories, Unknown
from jobs.products.choosing import Choice, picture_of
from jobs.products.people import Person
from jobs.products.pictures import Paths, PictureRule
from jobs.products.records import Garment, LeftOut, Product
from jobs.products.sources import Source
from jobs.records import Slot

#: Reasons, and unknown categories, that are counted apart; what comes later is counted together.
_REASONS = 500
_EXAMPLES = 3
_OTHERS = "other reasons"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A row of the written manifest."""

    #: Where its product stands: `file:line` when there are several files.
    source_line: str
    garment: Garment
    #: The person's picture as the manifest has it.
    person: str


@dataclass(slots=True, kw_only=True)
class Reason:
    """How often a reason has come, and where first."""

    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Counts:
    """What became of the products."""

    products: int = 0
    pairs: int = 0
    #: Slot → products that are dressed.
    garments: Counter[Slot] = field(default_factory=Counter)
    #: Products for which fewer people than asked for fit.
    too_few: int = 0
    #: Products whose picture lies outside of the manifest's folder.
    outside: int = 0
    #: Reason → the products that are left out for it.
    left_out: dict[str, Reason] = field(default_factory=dict)
    #: The same for those that are nobody's fault.
    shared: dict[str, Reason] = field(default_factory=dict)
    #: Category as the shop has it → products whose kind it does not name.
    unknown: Counter[str] = field(default_factory=Counter)

    def leave_out(self, found: LeftOut, file: str) -> None:
        """Counts a product that is left out."""
        reasons = self.left_out if found.fault else self.shared
        why = found.why if found.why in reasons or len(reasons) < _REASONS else _OTHERS
        reason = reasons.setdefault(why, Reason())
        reason.count += 1
        if len(reason.examples) < _EXAMPLES:
            reason.examples.append(f"{file}:{found.place}" + (f" {found.sku[:40]}" if found.sku else ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Everything that decides which pairs are made of a product."""

    categories: Categories
    rule: PictureRule
    choice: Choice
    #: Name → each of the person's pictures as written → as the manifest has it.
    pictures: dict[str, dict[str, str]]
    count: int

    def pairs(self, source: Source, name: str, paths: Paths, counts: Counts) -> Iterator[Pair]:
        """Streams the pairs of a source; `name` stands before its lines, "" when it is the only one."""
        for product in source.products():
            counts.products += 1
            made = product if isinstance(product, LeftOut) else self._garment(product, paths, counts)
            people = self.choice.people(made.product, made.slot) if isinstance(made, Garment) else []
            if isinstance(made, Garment) and not people:
                made = _left_out(made.product, "nobody among the people fits it (wears, where)")
            if isinstance(made, LeftOut):
                counts.leave_out(made, source.name)
                continue
            counts.garments[made.slot] += 1
            counts.too_few += len(people) < self.count
            counts.outside += made.picture.startswith("../")
            place = made.product.place
            for person in people:
                counts.pairs += 1
                yield Pair(
                    source_line=f"{name}:{place}" if name else place,
                    garment=made,
                    person=self._person(person, made.product),
                )

    def _person(self, person: Person, product: Product) -> str:
        return self.pictures[person.name][picture_of(person, product)]

    def _garment(self, product: Product, paths: Paths, counts: Counts) -> Garment | LeftOut:
        if not product.sku:
            return _left_out(product, "it has no sku")
        if why := sku_fault(product.sku):
            return _left_out(product, why)
        slot = self.categories.slot(product.categories)
        if isinstance(slot, Unknown):
            if slot.fault:
                known = slot.text in counts.unknown or len(counts.unknown) < _REASONS
                counts.unknown[slot.text if known else _OTHERS] += 1
            return _left_out(product, slot.why, fault=slot.fault)
        picture = self.rule.picture(product)
        if not picture:
            return _left_out(product, self.rule.why_none(product))
        written, why = paths.written(picture)
        return _left_out(product, why) if why else Garment(product=product, slot=slot, picture=written)


def _left_out(product: Product, why: str, *, fault: bool = True) -> LeftOut:
    return LeftOut(place=product.place, sku=product.sku, why=why, fault=fault)
