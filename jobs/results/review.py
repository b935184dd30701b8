"""Verdicts of a batch by picture and by row, and the table in which they travel: review.csv."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TextIO, get_args

from jobs.cells import plain_cell, safe_cell
from jobs.records import REJECT_REASONS, Image, Judgement, ResultLine, Verdict, standing

COLUMNS: Final = (
    "row",
    "sku",
    "request_id",
    "picture_sha256",
    "verdict",
    "reasons",
    "note",
    "reviewer",
    "at",
)
#: Characters of a note and of a reviewer's name.
_LONGEST = {"note": 500, "reviewer": 80}
_HEX: Final = frozenset("0123456789abcdef")
_HASH_LENGTH: Final = 64
_ROW_DIGITS: Final = 9
#: How far a reviewer's clock may be ahead of ours: a later verdict would count for longer than it should.
_AHEAD: Final = timedelta(days=1)


class Review:
    """All verdicts of a batch."""

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        """`verdicts`: the oldest first."""
        self._of_picture: dict[str, list[Verdict]] = defaultdict(list)
        self._of_row: dict[int, list[Verdict]] = defaultdict(list)
        for one in verdicts:
            self._of_picture[one.picture_sha256].append(one)
            self._of_row[one.row].append(one)

    def of(self, line: ResultLine) -> tuple[Verdict, ...]:
        """What was said of a row's pictures, of every version, and at the row of pictures that it had before."""
        if not self._of_row:
            return ()
        found = {(one.picture_sha256, one.at, one.reviewer): one for one in self._of_row.get(line.row, ())}
        for images in (line.images, *(version.images for version in line.versions)):
            found |= {(one.picture_sha256, one.at, one.reviewer): one for one in self._on(images)}
        return tuple(sorted(found.values(), key=lambda one: (one.at, one.reviewer)))

    def on(self, images: Iterable[Image]) -> tuple[Verdict, ...]:
        """What was said of some pictures, the oldest first."""
        return tuple(sorted(self._on(images), key=lambda one: (one.at, one.reviewer)))

    def standing(self, sha256: str) -> Verdict | None:
        """The verdict that counts of a picture."""
        return standing(self._of_picture.get(sha256, ()))

    def _on(self, images: Iterable[Image]) -> Iterator[Verdict]:
        for sha256 in dict.fromkeys(image.sha256 for image in images):
            yield from self._of_picture.get(sha256, ())

    def latest(self) -> Iterator[Verdict]:
        """The last word of each reviewer on each picture, in the order of the rows."""
        last: dict[tuple[str, str], Verdict] = {}
        for said in self._of_picture.values():
            last |= {(one.picture_sha256, one.reviewer): one for one in said}
        return iter(sorted(last.values(), key=lambda one: (one.row, one.at)))

    def counts(self, pictures: Iterable[str], every: Iterable[str] = ()) -> dict[str, Any]:
        """A batch's pictures in numbers: judged how, why rejected, by whom, and where reviewers disagree.

        `pictures`: those that count; `every`: those of all versions, where a row has several.
        """
        hashes = set(pictures)
        today = hashes | set(every)
        verdicts: Counter[str] = Counter({"approve": 0, "reject": 0, "none": 0})
        reasons: Counter[str] = Counter()
        reviewers: Counter[str] = Counter()
        disagreed = 0
        latest = [one for one in self.latest() if one.picture_sha256 in hashes and one.verdict != "clear"]
        words: dict[str, set[str]] = defaultdict(set)
        for one in latest:
            reviewers[one.reviewer] += 1
            words[one.picture_sha256].add(one.verdict)
        for sha256 in hashes:
            counted = standing(self._of_picture.get(sha256, ()))
            verdicts[counted.verdict if counted else "none"] += 1
            reasons.update(counted.reasons if counted else ())
            disagreed += len(words[sha256]) > 1
        return {
            "pictures": len(hashes),
            "approved": verdicts["approve"],
            "rejected": verdicts["reject"],
            "to_judge": verdicts["none"],
            "disagreed": disagreed,
            "other_versions": len(today) - len(hashes),
            "of_replaced_pictures": sum(sha256 not in today for sha256 in self._of_picture),
            "reasons": {name: reasons[name] for name in REJECT_REASONS if reasons[name]},
            "reviewers": dict(sorted(reviewers.items())),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """A line of a review.csv that is no verdict."""

    #: In the file, 1-based.
    line: int
    why: str


def write_review(file: TextIO, verdicts: Iterable[Verdict], skus: dict[int, str]) -> None:
    """Writes a review.csv; `skus`: row → SKU."""
    table = csv.writer(file)
    table.writerow(COLUMNS)
    for one in verdicts:
        cells = (
            one.row,
            skus.get(one.row, ""),
            one.request_id,
            one.picture_sha256,
            one.verdict,
            " ".join(one.reasons),
            one.note,
            one.reviewer,
            one.at,
        )
        table.writerow([safe_cell(str(cell)) for cell in cells])


def read_review(
    path: Path, *, reviewer: str = "", now: datetime | None = None
) -> Iterator[Verdict | BadLine]:
    """The verdicts of a review.csv as the sheet or a spreadsheet has saved it.

    Args:
        path: the file.
        reviewer: who has given those without a name.
        now: the time; default the clock's.

    Raises:
        OSError: it cannot be read. ValueError: it is no review.csv.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        head = file.readline()
        delimiter = max(",;\t", key=head.count)
        names = [name.strip().lower() for name in next(csv.reader([head], delimiter=delimiter), [])]
        if missing := {"picture_sha256", "verdict", "at"} - set(names):
            raise ValueError(f"no review.csv: it has no column {', '.join(sorted(missing))}")
        latest = latest_at(now)
        for number, cells in enumerate(csv.reader(file, delimiter=delimiter), start=2):
            if any(cells):
                given = dict(zip(names, map(plain_cell, cells), strict=False))
                yield checked_verdict(given, line=number, reviewer=reviewer, latest=latest)


def latest_at(now: datetime | None = None) -> datetime:
    """Up to when a verdict may have been given; `now`: default the clock's."""
    return (now or datetime.now(UTC)) + _AHEAD


def checked_verdict(
    given: Mapping[str, str], *, line: int, latest: datetime, reviewer: str = ""
) -> Verdict | BadLine:
    """A verdict that came from outside, column → cell as in a review.csv; see `read_review`."""
    cells = {name: given.get(name, "").strip() for name in COLUMNS}
    name = cells["reviewer"] or reviewer
    moment = _moment(cells["at"])
    reasons = cells["reasons"].split()
    if len(cells["picture_sha256"]) != _HASH_LENGTH or not set(cells["picture_sha256"]) <= _HEX:
        return BadLine(line=line, why="picture_sha256 is no SHA-256")
    if cells["verdict"] not in get_args(Judgement):
        return BadLine(
            line=line, why=f"verdict is none of {', '.join(get_args(Judgement))}: {cells['verdict'][:40]!r}"
        )
    if unknown := [reason for reason in reasons if reason not in REJECT_REASONS]:
        allowed = ", ".join(REJECT_REASONS)
        return BadLine(line=line, why=f"unknown reason {unknown[0][:40]!r}; reasons are {allowed}")
    if moment is None or moment > latest:
        form = "no time with its zone, like 2026-11-27T10:00:00Z" if moment is None else "in the future"
        return BadLine(line=line, why=f"at is {form}: {cells['at'][:40]!r}")
    if not name:
        return BadLine(line=line, why="no reviewer; say --reviewer NAME for lines without one")
    return Verdict(
        row=int(cells["row"]) if cells["row"].isdecimal() and len(cells["row"]) <= _ROW_DIGITS else 0,
        # The ledger knows no other; whatever it is then, the picture's hash says whether it is one of today's.
        request_id=cells["request_id"] if cells["request_id"].isascii() else "",
        picture_sha256=cells["picture_sha256"],
        verdict=cells["verdict"],  # type: ignore[arg-type]  # looked at above
        reasons=tuple(each for each in REJECT_REASONS if each in reasons),
        note=cells["note"][: _LONGEST["note"]],
        reviewer=name[: _LONGEST["reviewer"]],
        at=moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def batch_of(verdicts: Sequence[Verdict], refs: dict[str, dict[str, tuple[int, ...]]]) -> list[str]:
    """The batches that most of the verdicts are of; `refs`: request id → batch → rows of it."""
    votes: Counter[str] = Counter()
    for one in verdicts:
        votes.update(batch for batch, rows in refs.get(one.request_id, {}).items() if one.row in rows)
    most = max(votes.values(), default=0)
    return sorted(batch for batch, count in votes.items() if count == most)
