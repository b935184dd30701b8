"""Columns that are not read though they look misspelt, and in how many rows something stands in them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Protocol

from jobs.manifest.columns import Typo
from jobs.producing.planning import Planned
from jobs.units import counted


class Spelled(Protocol):
    """A manifest whose names were looked at."""

    @property
    def suspected_typos(self) -> tuple[Typo, ...]:
        """Those that look misspelt; of some manifests only among the rows read so far."""


class Unread:
    """Takes the rows of one manifest and says which of its columns were not meant to be passed over."""

    def __init__(self, manifest: Spelled) -> None:
        self._manifest = manifest
        self._filled: Counter[Typo] = Counter()
        self._any = False

    def take(self, rows: Iterable[Planned]) -> None:
        """Counts valid rows."""
        self._any = True
        typos = self._manifest.suspected_typos
        if not typos:
            return
        for each in rows:
            self._filled.update(
                typo
                for typo in typos
                if typo.file in {"", each.row.file} and each.row.fields.get(typo.name, "").strip()
            )

    def lines(self) -> Iterator[str]:
        """A sentence for each, with its number of rows when any were read."""
        for typo in self._manifest.suspected_typos:
            rows = counted(self._filled[typo], "valid row")
            yield f"{typo} It is filled in {rows}" if self._any else str(typo)
