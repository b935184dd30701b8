"""What is to be delivered: the pictures of a batch's result lines, each with its name."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from jobs.config.delivery import ProfileSettings
from jobs.delivery.names import check_collisions, check_template, name_of, person_of
from jobs.delivery.rendition import extension_of
from jobs.records import Image, ResultLine
from jobs.results.checkpoint import RESULTS
from jobs.results.lines import read_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object to deliver; rows with the same picture and name share it."""

    name: str
    rows: tuple[int, ...]
    sku: str
    person: str
    version: int
    request_id: str
    task_id: str
    #: The stored picture.
    picture_sha256: str
    stored_extension: str
    #: That of the object.
    extension: str


def lines_of(folder: Path) -> list[ResultLine]:
    """The rows of a batch folder as its results.jsonl says last, in order."""
    latest: dict[int, ResultLine] = {}
    with (folder / RESULTS).open("rb") as file:
        for raw in file:
            # A half line is being written; its row is as it was before.
            if raw.endswith(b"\n") and (line := read_line(raw)) is not None:
                latest[line.row] = line
    return [latest[row] for row in sorted(latest)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How the objects of a delivery are called."""

    batch: str
    #: See jobs.delivery.names.
    template: str
    #: The profile's name, and what it asks for.
    profile: str
    asked: ProfileSettings


def selected(lines: Iterable[ResultLine], naming: Naming, wanted: Callable[[str], bool]) -> list[Item]:
    """The objects of a delivery, in the order of their rows.

    Args:
        lines: all rows of the batch: numbers count those too that are not delivered.
        naming: how they are called.
        wanted: whether a picture of this SHA-256 is delivered.

    Raises:
        ConfigError: the template names what there is not.
        UsageError: two pictures would have one name.
    """
    found = list(lines)
    check_template(naming.template, found[0].extra if found else ())
    named = [each for each in _named(found, naming) if wanted(each.picture_sha256)]
    check_collisions((each.name, each.picture_sha256, each.rows[0]) for each in named)
    merged: dict[str, Item] = {}
    for each in named:
        first = merged.get(each.name)
        merged[each.name] = replace(first, rows=(*first.rows, *each.rows)) if first else each
    return list(merged.values())


def _named(lines: list[ResultLine], naming: Naming) -> Iterator[Item]:
    numbers: Counter[str] = Counter()
    for line in lines:
        for index, image in enumerate(line.images, 1):
            numbers[line.sku] += 1
            yield _item(line, image, naming, index=index, number=numbers[line.sku])


def _item(line: ResultLine, image: Image, naming: Naming, *, index: int, number: int) -> Item:
    stored = image.path.rpartition(".")[2]
    extension = extension_of(naming.asked, stored)
    person = person_of(line.inputs.person)
    values: dict[str, str | int] = {name: text or "" for name, text in line.extra.items()}
    values |= {
        "sku": line.sku,
        "person": person,
        "batch": naming.batch,
        "row": line.row,
        "number": number,
        "version": line.version,
        "index": index,
        "request_id": line.request_id or "",
        "sha8": image.sha256[:8],
        "profile": naming.profile,
        "ext": extension,
    }
    return Item(
        name=name_of(naming.template, values),
        rows=(line.row,),
        sku=line.sku,
        person=person,
        version=line.version,
        request_id=line.request_id or "",
        task_id=line.task_id or "",
        picture_sha256=image.sha256,
        stored_extension=stored,
        extension=extension,
    )
