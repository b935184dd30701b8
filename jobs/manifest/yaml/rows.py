"""YAML manifests: the matrix multiplied, then the rows spelled out, item by item."""

from collections.abc import Iterator
from itertools import count

import yaml

from jobs.manifest.content import Content
from jobs.manifest.yaml.events import Events, line_of
from jobs.manifest.yaml.form import Survey
from jobs.records import BadRow, Dialect, Row


class YamlRows:
    """A YAML manifest; its form is checked to the end when it is made, its columns are not known before."""

    columns: tuple[str, ...] = ()
    dialect = Dialect()

    def __init__(self, content: Content) -> None:
        """Reads the content through once.

        Raises:
            ManifestError: not YAML, not one of the known forms, or a bomb; with the line.
        """
        self._content = content
        self._form = Survey(self._events(), content.name).form()

    @property
    def suspected_typos(self) -> tuple[str, ...]:
        """Keys of the rows read so far that look like misspelt ones, a sentence each."""
        return self._form.names.suspected_typos

    def rows(self) -> Iterator[Row | BadRow]:
        """Streams the rows, bad ones among them: first the matrix, person by person, then the jobs."""
        numbers = count(1)
        for person in self._form.people:
            for garment in self._form.garments:
                yield self._pair(next(numbers), person, garment)
        yield from self._spelled_out(numbers)

    def _pair(self, number: int, person: str, garment: str) -> Row | BadRow:
        """The row of a named person in a named garment; its line is the garment's."""
        names = self._form.names
        what = names.garments[garment]
        return names.row(number, what.line, {"sku": what.sku, "person": person, "garment": garment})

    def _spelled_out(self, numbers: Iterator[int]) -> Iterator[Row | BadRow]:
        events = self._events()
        for first in self._items(events):
            number, line = next(numbers), line_of(first)
            item = events.item(first)
            if isinstance(item.value, dict):
                yield self._form.names.row(number, line, item.value, item.twice)
            else:
                yield BadRow(
                    number=number,
                    line=line,
                    column="",
                    why="a row must be a mapping, e.g. {sku: A1, person: …}",
                )

    def _items(self, events: Events) -> Iterator[yaml.Event]:
        first = events.next()
        return events.items() if isinstance(first, yaml.SequenceStartEvent) else self._jobs(events)

    def _jobs(self, events: Events) -> Iterator[yaml.Event]:
        for key, _, value in events.entries():
            if key == "jobs" and isinstance(value, yaml.SequenceStartEvent):
                yield from events.items()
            else:
                events.skip(value)

    def _events(self) -> Events:
        return Events(self._content.stream(), self._content.name)
