"""A hostile file: what it is, how it is made, and what must become of it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

#: The most that any of them may cost beyond an idle process.
MB_ALLOWED = 64.0
SECONDS_ALLOWED = 5.0


class Door(StrEnum):
    """Where a file comes in."""

    MANIFEST = "manifest"
    #: A shop's feed or export.
    PRODUCTS = "products"
    #: A picture that a manifest names.
    LOCAL = "local picture"
    #: A picture that HiDream names.
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One hostile file."""

    name: str
    door: Door
    #: Makes it in an empty folder and returns its path.
    make: Callable[[Path], Path]
    #: What must be said of it, a regular expression.
    expected: str
    #: Too long for every test run.
    heavy: bool = False


#: Every case by its name, in the order of the table.
CASES: dict[str, Case] = {}


def hostile(
    name: str, door: Door, expected: str, *, heavy: bool = False
) -> Callable[[Callable[[Path], Path]], Callable[[Path], Path]]:
    """Registers what a function makes."""

    def register(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
        add(name, door, make, expected, heavy=heavy)
        return make

    return register


def add(name: str, door: Door, make: Callable[[Path], Path], expected: str, *, heavy: bool = False) -> None:
    """Registers a case."""
    key = f"{door}: {name}"
    assert key not in CASES, key
    CASES[key] = Case(name=name, door=door, make=make, expected=expected, heavy=heavy)
