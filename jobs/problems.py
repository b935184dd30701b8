"""Problems of a manifest, grouped: thousands of rows with one fault are one line with a count and three examples."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from typing import Any

from jobs.logging.redaction import REDACTED, scrub
from jobs.records import BadRow, Owner, Row, shown

#: Examples of a group.
EXAMPLES = 3
#: Groups that are kept apart; what comes after them is counted together.
_GROUPS = 200
#: Groups that are shown; all of them with --json.
_SHOWN = 20
#: Characters of a value that is shown.
_VALUE_CHARS = 120
#: What differs from row to row in sentences of one fault: what is quoted, numbers, and days with their time.
_VARYING = re.compile(r"(“[^”]*”|\d[\d.,:-]*(?<=\d)(?: \d\d:\d\d)?)")

#: A picture that stood in a workbook, by the file it was written to: its cell says more.
_EXTRACTED = re.compile(r"[/\\]extracted[/\\][0-9a-f]{2}[/\\][0-9a-f]{64}\.\w+$")
#: What stands behind the ? of an address that a space, a quote or a bracket ends too early for a log.
_PAST_SPACE = re.compile(r"(?i)(https?://[^?#]*[?#]).*", re.DOTALL)
_CUT = rf"\1{REDACTED}"

#: A row's place within its file, from the row and a column's name.
Where = Callable[[Row | BadRow, str], str]


class Severity(StrEnum):
    """Whether the row can be bought all the same."""

    ERROR = "error"
    WARNING = "warning"


_TITLES = {Severity.ERROR: "", Severity.WARNING: "to look at, sent all the same:"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong or odd with one row."""

    #: Stable word for programs, e.g. `row_invalid`.
    kind: str
    severity: Severity = Severity.ERROR
    #: A sentence for people; says nothing of the value that it is about.
    words: str
    file: str
    #: The row within the file: a line, or a cell of a workbook.
    where: str
    #: The row's number.
    row: int
    sku: str = ""
    #: As the manifest has it; empty for the row as a whole.
    column: str = ""
    #: What stands there, without what signs an address; empty when that says nothing.
    value: str = ""
    #: Whether a single problem's line needs it; many sentences do without.
    value_in_line: bool = True
    #: What may have been meant, to write instead; empty when nothing is near.
    suggestion: str = ""
    owner: Owner = Owner.MERCH

    @property
    def place(self) -> str:
        """`file:line`, or `file:Sheet1!C12`."""
        return f"{self.file}:{self.where}"

    @property
    def hint(self) -> str:
        """The suggestion as a question."""
        return f"; did you mean {self.suggestion}?" if self.suggestion else ""


@dataclass(slots=True, kw_only=True)
class Group:
    """Problems of one fault in one column; what is only odd may stand in several."""

    first: Problem
    #: The sentence, with … for what is not the same in all of them.
    words: str
    count: int = 0
    examples: list[Problem] = field(default_factory=list)
    #: Of many faults: its words say nothing of them.
    mixed: bool = False
    #: Their columns, in the order in which they came.
    columns: dict[str, None] = field(default_factory=dict)
    _last: str = ""

    def take(self, problem: Problem) -> bool:
        """Counts one more; whether it was among the first."""
        self.count += 1
        if not self.mixed:
            self.columns[problem.column] = None
        if problem.words != self._last and not self.mixed:
            self._last = problem.words
            self.words = _common(self.words, problem.words)
        if len(self.examples) < EXAMPLES:
            self.examples.append(problem)
            return True
        self._vary(problem)
        return False

    def _vary(self, problem: Problem) -> None:
        """Three different values say more than one value three times."""
        values = [example.value for example in self.examples]
        if problem.value not in values and len(set(values)) < EXAMPLES:
            again = next(place for place, value in enumerate(values) if value in values[:place])
            self.examples[again] = problem

    def lines(self) -> Iterator[str]:
        """A single one as `file:line: column: why`, more with their count and examples."""
        owner = "" if self.first.owner is Owner.MERCH else f" (for {self.first.owner})"
        if self.count == 1:
            one = self.first
            value = one.value if one.value_in_line else ""
            yield ": ".join(filter(None, [one.place, one.column, value, one.words])) + one.hint + owner
            return
        # A row may have it in several.
        what = "rows" if self.mixed or len(self.columns) == 1 else "cells"
        yield f"{self.count:,} {what}: {': '.join(filter(None, [self.column, self.words]))}{owner}"
        for example in sorted(self.examples, key=lambda each: each.row):
            said = "  ".join(filter(None, [example.place, example.sku, example.value]))
            yield f"    e.g. {said}{example.hint}"

    @property
    def column(self) -> str:
        """Their columns, commas between them; empty for those of many faults."""
        return "" if self.mixed else ", ".join(self.columns)

    def content(self) -> dict[str, Any]:
        """The same for programs."""
        first = self.first
        return {
            "severity": first.severity,
            "kind": first.kind,
            "column": self.column,
            "words": self.words,
            "owner": first.owner,
            "count": self.count,
            "examples": [
                {
                    "place": each.place,
                    "row": each.row,
                    "sku": each.sku,
                    "value": each.value,
                    "words": each.words,
                }
                | {"suggestion": each.suggestion}
                for each in self.examples
            ],
        }


class Problems:
    """All problems of one manifest; the memory does not grow with their number."""

    def __init__(
        self,
        file: str,
        where: Where,
        *,
        suggest: Callable[[BadRow], str] = lambda _row: "",
        listed: Callable[[Problem], None] = lambda _problem: None,
    ) -> None:
        """Names the manifest and its places.

        Args:
            file: what messages call it.
            where: a row's place within it.
            suggest: what a bad row may have meant.
            listed: is given every one, for the whole list.
        """
        self.file = file
        self.where = where
        self._suggest = suggest
        self._listed = listed
        self._groups: dict[tuple[str, ...], Group] = {}

    def refuse(self, row: BadRow, kind: str = "row_invalid") -> bool:
        """Takes a bad row; whether it was among the first of its group."""
        words = row.why.removeprefix(f"{row.value}: ") if row.value else row.why
        return self.add(
            Problem(
                kind=kind,
                words=words,
                file=row.file or self.file,
                where=self.where(row, row.column),
                row=row.number,
                sku=short(row.sku),
                column=row.column,
                value=short(row.value or row.fields.get(row.column, "").strip()),
                value_in_line=bool(row.value),
                suggestion=self._suggest(row),
            )
        )

    def add(self, problem: Problem) -> bool:
        """Takes a problem; whether it was among the first of its group."""
        self._listed(problem)
        pattern = _VARYING.sub("…", problem.words)
        column = problem.column if problem.severity is Severity.ERROR else ""
        key: tuple[str, ...] = (problem.severity, problem.kind, column, pattern)
        if key not in self._groups and len(self._groups) >= _GROUPS:
            key = (problem.severity, "others")
            if key not in self._groups:
                self._groups[key] = Group(first=problem, words="other faults", mixed=True)
        if key not in self._groups:
            self._groups[key] = Group(first=problem, words=problem.words)
        return self._groups[key].take(problem)

    def __bool__(self) -> bool:
        return bool(self._groups)

    def groups(self, severity: Severity | None = None) -> list[Group]:
        """Those of one severity, or all: errors first, then the ones with most rows."""
        found = [each for each in self._groups.values() if severity in {None, each.first.severity}]
        return sorted(found, key=lambda each: (each.first.severity, -each.count))

    def lines(self) -> Iterator[str]:
        """What people read of them, a screenful."""
        for severity, title in _TITLES.items():
            groups = self.groups(severity)
            if groups and title:
                yield title
            yield from chain.from_iterable(group.lines() for group in groups[:_SHOWN])
            if rest := groups[_SHOWN:]:
                yield f"and {sum(group.count for group in rest):,} more, of {len(rest)} other kinds"


def short(value: str) -> str:
    """A value as it is shown: without what signs an address, its middle left out when it is long.

    Empty for a picture that stood in a workbook.
    """
    if _EXTRACTED.search(value):
        return ""
    value = shown(_PAST_SPACE.sub(_CUT, scrub(value))) if value else ""
    half = _VALUE_CHARS // 2
    return value if len(value) <= _VALUE_CHARS else f"{value[:half]}…{value[-half:]}"


def _common(words: str, others: str) -> str:
    """What two sentences of one fault have in common."""
    ours, theirs = _VARYING.split(words), _VARYING.split(others)
    if len(ours) != len(theirs):
        return words
    return "".join(mine if mine == other else _gap(mine) for mine, other in zip(ours, theirs, strict=True))


def _gap(part: str) -> str:
    return "“…”" if part.startswith("“") else "…"
