"""What is different between two batches: yesterday's rows beside today's. Pure, on result lines."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from jobs.records import JobState, ResultLine, standing


class Change(StrEnum):
    """What a person wants to know of a row; one may have several."""

    NEW = "new"
    #: What it is made of, or its picture, is another one.
    CHANGED_PICTURE = "changed_picture"
    REMOVED = "removed"
    #: It has no picture and will get none by itself; it had one, or is new.
    NEWLY_FAILING = "newly_failing"
    STILL_FAILING = "still_failing"
    NEWLY_APPROVED = "newly_approved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A row of either batch, or of both, that is different."""

    changes: tuple[Change, ...]
    before: ResultLine | None
    after: ResultLine | None

    @property
    def sku(self) -> str:
        """Of the row as it is now; of one that is gone as it was."""
        line = self.after or self.before
        return line.sku if line else ""


#: Statuses of rows that have ended without a picture.
_FAILING = frozenset({"invalid", JobState.FAILED, JobState.REJECTED, JobState.CANCELLED, JobState.UNKNOWN})


def differences(before: Iterable[ResultLine], after: Iterable[ResultLine]) -> Iterator[Difference]:
    """The rows that are different: those of today in their order, then those that are gone."""
    for old, new in _matched(list(before), list(after)):
        if changes := tuple(_changes(old, new)):
            yield Difference(changes=changes, before=old, after=new)


def _changes(old: ResultLine | None, new: ResultLine | None) -> Iterator[Change]:
    if new is None:
        yield Change.REMOVED
        return
    if old is None:
        yield Change.NEW
    elif old.request_id != new.request_id or (new.images and _pictures(old) - _pictures(new)):
        yield Change.CHANGED_PICTURE
    if new.status in _FAILING:
        failed_before = old is not None and old.status in _FAILING
        yield Change.STILL_FAILING if failed_before else Change.NEWLY_FAILING
    if _approved(new) and not (old is not None and _approved(old)):
        yield Change.NEWLY_APPROVED


def _pictures(line: ResultLine) -> set[str]:
    return {image.sha256 for image in line.images}


def _approved(line: ResultLine) -> bool:
    """Whether each of its pictures is approved."""
    said = defaultdict(list)
    for verdict in line.review:
        said[verdict.picture_sha256].append(verdict)
    found = [standing(said[image.sha256]) for image in line.images]
    return bool(found) and all(each is not None and each.verdict == "approve" for each in found)


_Pair = tuple[ResultLine | None, ResultLine | None]


def _matched(before: list[ResultLine], after: list[ResultLine]) -> list[_Pair]:
    """Rows of one SKU belong together: first those with the same pair, then with the same person, then as they come.

    Rows without a SKU only by their pair.
    """
    found: dict[int, ResultLine] = {}
    rest = {line.row: line for line in before}
    keys: list[Callable[[ResultLine], object]] = [
        lambda line: line.request_id and (line.sku, line.request_id),
        lambda line: line.sku and line.inputs.person and (line.sku, line.inputs.person),
        lambda line: line.sku,
    ]
    for key in keys:
        waiting: dict[object, list[ResultLine]] = defaultdict(list)
        for line in rest.values():
            waiting[key(line)].append(line)
        for line in after:
            same = waiting.get(key(line)) if line.row not in found and key(line) else None
            if same:
                found[line.row] = rest.pop(same.pop(0).row)
    pairs: list[_Pair] = [(found.get(line.row), line) for line in after]
    return pairs + [(line, None) for line in rest.values()]
