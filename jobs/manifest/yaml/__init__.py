"""YAML as a source of entries: a guarded stream of events, the form, then the matrix and the rows spelled out."""

from collections.abc import Iterator

import yaml

from jobs.manifest.content import Content
from jobs.manifest.mappings import Entry
from jobs.manifest.yaml.events import Events, line_of
from jobs.manifest.yaml.form import Form


class Yaml:
    """A YAML manifest; its form is checked to the end when it is made."""

    def __init__(self, content: Content) -> None:
        """Reads the content through once.

        Raises:
            ManifestError: not YAML, not one of the known forms, or a bomb; with the line.
        """
        self._content = content
        self._form = Form(self._events())
        self.names = self._form.names

    def entries(self) -> Iterator[tuple[int, Entry | str]]:
        """First the matrix, person by person, each with the line of its garment; then the rows, item by item."""
        for person in self._form.people:
            for name in self._form.garments:
                garment = self.names.garments[name]
                yield garment.line, Entry(sku=garment.sku, person=person, garment=name)
        events = self._events()
        for first in _rows(events):
            value = events.value(first)
            yield line_of(first), value if isinstance(value, Entry) else _NO_ROW

    def _events(self) -> Events:
        return Events(self._content.stream(), self._content.name)


_NO_ROW = "a row must be a mapping, e.g. {sku: A1, person: …}"


def _rows(events: Events) -> Iterator[yaml.Event]:
    """The events with which the rows begin: those of the only list, or of `jobs`."""
    if isinstance(events.next(), yaml.SequenceStartEvent):
        yield from events.items()
        return
    for key, _, value in events.entries():
        if key == "jobs" and isinstance(value, yaml.SequenceStartEvent):
            yield from events.items()
        else:
            events.skip(value)
