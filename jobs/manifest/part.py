"""Some rows of a manifest as a list of their own, numbered through; a row's line stays what it is."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from msgspec import structs

from jobs.errors import UsageError
from jobs.manifest.aliases import plain_heading
from jobs.records import BadRow, Row

#: A column, and what its cell must say.
Condition = tuple[str, str]


def read_conditions(texts: Iterable[str]) -> tuple[Condition, ...]:
    """`column=value` of options. Raises UsageError."""
    found = []
    for text in texts:
        column, equals, value = text.partition("=")
        if not equals or not column.strip():
            raise UsageError(f"--only: {text!r} is not COLUMN=VALUE")
        found.append((column.strip(), value.strip()))
    return tuple(found)


def check_columns(conditions: Iterable[Condition], columns: Sequence[str], name: str) -> None:
    """Raises UsageError: a table has no such column."""
    known = {plain_heading(each) for each in columns}
    for column, _ in conditions:
        if plain_heading(column) not in known:
            raise UsageError(f"--only: {name} has no column {column}; it has {', '.join(columns)}")


def fits(row: Row | BadRow, conditions: Iterable[Condition]) -> bool:
    """Whether each column that is named has the value that is asked for; headings are compared as everywhere."""
    cells = {plain_heading(name): (text or "").strip() for name, text in row.fields.items()}
    return all(cells.get(plain_heading(column)) == value for column, value in conditions)


def part_of(rows: Iterable[Row | BadRow], wanted: Callable[[Row | BadRow], bool]) -> Iterator[Row | BadRow]:
    """The rows that are wanted, by their own numbers."""
    number = 0
    for row in rows:
        if wanted(row):
            number += 1
            yield structs.replace(row, number=number) if isinstance(row, Row) else replace(row, number=number)


def spread(rows: Iterable[Row | BadRow], count: int) -> frozenset[int]:
    """Numbers of `count` good rows in the middle of as many equal parts of the list: the same ones each time."""
    good = [row.number for row in rows if isinstance(row, Row)]
    if len(good) <= count:
        return frozenset(good)
    return frozenset(good[(2 * nth + 1) * len(good) // (2 * count)] for nth in range(count))
