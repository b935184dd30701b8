"""`vton pairs`: a shop's products and people, put together as a manifest. Spends nothing."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.deadline import read_deadline
from jobs.cli.given import extracted
from jobs.cli.options import JsonOpt
from jobs.cli.pairs_report import Refused, Report
from jobs.config.load import read_settings
from jobs.errors import ManifestError, UsageError
from jobs.products.categories import Categories
from jobs.products.choosing import Choice, rule_of_option, rules_of
from jobs.products.folder import ANY_NAME
from jobs.products.mapping import ShopMap, read_map
from jobs.products.pairing import Counts, Pair, Pairing
from jobs.products.people import Person, read_people
from jobs.products.pictures import Paths, read_rule
from jobs.products.sources import Reading, Source, open_source
from jobs.products.written import write_manifest

ProductsArg = Annotated[
    list[str], typer.Argument(help="Exports, feeds, tables, or folders of pictures; - reads stdin.")
]
PeopleOpt = Annotated[Path, typer.Option("--people", help="Who may be dressed: YAML or CSV.")]
ManifestOpt = Annotated[
    Path, typer.Option("--output", "-o", help="The manifest to write, a .csv; replaced as a whole.")
]
CountOpt = Annotated[int, typer.Option("--per-garment", min=1, help="People for each garment.")]
PictureOpt = Annotated[
    str,
    typer.Option(
        "--picture", help="Which of a product's pictures: first, last, a number from 1, or a column."
    ),
]
MapOpt = Annotated[Path | None, typer.Option("--map", help="The shop's own columns and categories, YAML.")]
WhereOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="ATTRIBUTE=COLUMN",
        help="The person's attribute must have a value of the product's column; may be repeated.",
    ),
]
CategoryOpt = Annotated[str, typer.Option("--category", help="Of products that have none, e.g. tops.")]
RootOpt = Annotated[
    str, typer.Option("--root", help="Folder or address that the products' relative pictures begin at.")
]
NamesOpt = Annotated[
    str, typer.Option("--names", help="How a folder's pictures are named, e.g. `{sku}_{view}`.")
]
EncodingOpt = Annotated[str, typer.Option("--encoding", help="Of the tables, when they are read wrongly.")]
DeadlineOpt = Annotated[
    str, typer.Option("--deadline", help="Until when people must consent: HH:MM, or e.g. 8h.")
]
StrictOpt = Annotated[bool, typer.Option("--strict", help="Write nothing when any product has a fault.")]


class NoPairsError(ManifestError):
    """Every product has been read, and there is nothing to write."""


def pairs(
    products: ProductsArg,
    *,
    people: PeopleOpt,
    output: ManifestOpt,
    per_garment: CountOpt = 1,
    picture: PictureOpt = "first",
    shop_map: MapOpt = None,
    where: WhereOpt = None,
    category: CategoryOpt = "",
    root: RootOpt = "",
    names: NamesOpt = ANY_NAME,
    encoding: EncodingOpt = "",
    deadline: DeadlineOpt = "24h",
    strict: StrictOpt = False,
    as_json: JsonOpt = False,
) -> None:
    """Make a manifest of a shop's products and people. Spends nothing."""
    until, rule, out = read_deadline(deadline), read_rule(picture), output.absolute()
    _check_output(out, [*products, str(people), str(shop_map or "")])
    mapped = read_map(shop_map) if shop_map else ShopMap()
    found = read_people(people)
    rules = (*rules_of(found.where), *map(rule_of_option, where or ()))
    ready, refused = _consenting(found.people, until)
    pairing = Pairing(
        categories=Categories(mapped.categories, category),
        rule=rule,
        choice=Choice(ready, rules, per_garment),
        pictures=_pictures(ready, Paths(people.resolve().parent, out.parent)),
        count=per_garment,
    )
    reading = Reading(
        layout=mapped.layout,
        picture_column=rule.column,
        encoding=encoding,
        names=names,
        extracted=extracted(read_settings()),
    )
    sources = [open_source(path, reading) for path in products]
    counts = Counts()
    report = Report(manifest=output, sources=sources, counts=counts, people=ready, refused=refused)
    try:
        body = write_manifest(out, _all(sources, pairing, root, out, counts, strict=strict))
    except NoPairsError:
        report.print(None, as_json=as_json)
        raise
    report.print(body, as_json=as_json)


def _all(
    sources: Sequence[Source], pairing: Pairing, root: str, out: Path, counts: Counts, *, strict: bool
) -> Iterator[Pair]:
    """The pairs of all sources.

    Raises:
        NoPairsError: at the end: none, a rule that ruled nothing, or with `strict` a fault.
    """
    for source in sources:
        name = source.name if len(sources) > 1 else ""
        paths = Paths(source.folder, out.parent, root if source.rooted else "")
        yield from pairing.pairs(source, name, paths, counts)
    if counts.pairs and pairing.choice.missing:
        missing = ", ".join(sorted(pairing.choice.missing))
        raise NoPairsError(f"{out.name}: not written, no product has the column that a rule names: {missing}")
    if not counts.pairs:
        raise NoPairsError(f"{out.name}: not written, there is no pair to write")
    if strict and counts.left_out:
        raise NoPairsError(f"{out.name}: not written, some products have a fault (--strict)")


def _consenting(people: Sequence[Person], until: datetime) -> tuple[list[Person], list[Refused]]:
    """Those whose pictures may be used until the deadline, and the others. Raises ManifestError: nobody is left."""
    ready = [person for person in people if person.consents(until)]
    refused = [Refused(person=person, until=until) for person in people if not person.consents(until)]
    if not ready:
        raise ManifestError(f"{refused[0].sentence}; nobody is left")
    return ready, refused


def _pictures(people: Sequence[Person], paths: Paths) -> dict[str, dict[str, str]]:
    """Name → each picture as written → as the manifest has it.

    Raises:
        ManifestError: one is not there. Going on without that person would give the garments to others, who would be bought.
    """
    found: dict[str, dict[str, str]] = {}
    for person in people:
        for picture in person.pictures:
            written, why = paths.written(picture)
            if why:
                raise ManifestError(f"{person.place}: {person.name}: {picture[:80]}: {why}")
            found.setdefault(person.name, {})[picture] = written
    return found


def _check_output(out: Path, inputs: Sequence[str]) -> None:
    """Raises UsageError: the manifest has no name of a CSV, or is one of the files that are read."""
    if out.suffix.lower() != ".csv" or out.is_dir():
        raise UsageError(f"--output: {out.name}: the manifest is a table; name it ….csv")
    if any(Path(each).exists() and out.exists() and out.samefile(each) for each in inputs if each):
        raise UsageError(
            f"--output: {out.name} is one of the files that are read; give the manifest another name"
        )
