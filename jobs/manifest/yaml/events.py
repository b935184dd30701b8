"""YAML as a guarded stream of events: what could blow up is refused by its line before it is built."""

import io
from collections.abc import Iterator

import yaml

from jobs.errors import ManifestError
from jobs.manifest.mappings import Entry, Value

#: Bytes the parser may take between two events: one scalar, comment or line cannot be longer.
EVENT_BYTES = 1_000_000
#: Characters and nodes of one item (a row, a garment).
ITEM_CHARS = 1_000_000
ITEM_NODES = 5_000
#: Levels of lists and mappings inside each other; the known forms need four.
DEPTH = 8

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_CONTENT = (yaml.ScalarEvent, yaml.CollectionStartEvent, yaml.CollectionEndEvent, yaml.AliasEvent)


class _Meter:
    """Hands the parser its bytes and counts those taken since the last event."""

    def __init__(self, stream: io.BufferedReader, name: str) -> None:
        self._stream = stream
        self._name = name
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size if 0 < size < EVENT_BYTES else EVENT_BYTES)
        self.taken += len(chunk)
        if self.taken > EVENT_BYTES:
            raise ManifestError(f"{self._name}: one text or comment in it is longer than 1 MB")
        return chunk


class Events:
    """The events of one document, without its frame.

    Whatever reads on raises ManifestError, with the line, at what is not YAML, at an alias, an anchor, a merge key, a tag,
    a second document, and where lists and mappings are too deep.
    """

    def __init__(self, stream: io.BufferedReader, name: str) -> None:
        #: What messages call the content.
        self.name = name
        #: Characters of the last value built.
        self.chars = 0
        self._nodes = 0
        self._begun = 0
        self._meter = _Meter(stream, name)
        self._depth = 0
        self._found = self._guarded()

    def next(self) -> yaml.Event | None:
        """The next event; None at the end of the content."""
        return next(self._found, None)

    def entries(self) -> Iterator[tuple[str, int, yaml.Event]]:
        """Keys of the mapping just begun, their lines, and the event with which each value begins."""
        for key in self._found:
            if isinstance(key, yaml.MappingEndEvent):
                return
            if not isinstance(key, yaml.ScalarEvent):
                raise self.error(line_of(key), "a key must be one text")
            yield key.value, line_of(key), next(self._found)

    def items(self) -> Iterator[yaml.Event]:
        """The events with which the items of the list just begun begin."""
        for item in self._found:
            if isinstance(item, yaml.SequenceEndEvent):
                return
            yield item

    def skip(self, first: yaml.Event) -> None:
        """Passes over the value that begins with this event."""
        depth = self._depth
        while isinstance(first, yaml.CollectionStartEvent) and self._depth >= depth:
            next(self._found)

    def value(self, first: yaml.Event) -> Value:
        """Builds the value that begins with this event; scalars keep the text that was written, null is "".

        Raises:
            ManifestError: it is too large.
        """
        self.chars = self._nodes = 0
        assert first.start_mark is not None
        self._begun = first.start_mark.index
        return self._built(first)

    def error(self, line: int, why: str) -> ManifestError:
        """An error at a line."""
        return ManifestError(f"{self.name}:{line}: {why}")

    def _built(self, first: yaml.Event) -> Value:
        assert first.end_mark is not None
        self._nodes += 1
        self.chars = first.end_mark.index - self._begun
        if self._nodes > ITEM_NODES or self.chars > ITEM_CHARS:
            raise self.error(line_of(first), "the entry is too large: more than 1 MB or 5,000 values")
        if isinstance(first, yaml.ScalarEvent):
            return "" if first.implicit[0] and first.value in _NULLS else str(first.value)
        if isinstance(first, yaml.SequenceStartEvent):
            return [self._built(item) for item in self.items()]
        return Entry.of([(key, self._built(value)) for key, _, value in self.entries()])

    def _guarded(self) -> Iterator[yaml.Event]:
        documents = 0
        try:
            for event in yaml.parse(self._meter, Loader=_LOADER):
                self._meter.taken = 0
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        raise self.error(line_of(event), "a second document begins; one file holds one")
                elif isinstance(event, _CONTENT):
                    self._check(event)
                    yield event
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f":{mark.line + 1}" if mark else ""
            raise ManifestError(
                f"{self.name}{where}: is not YAML: {error.problem or error.context}"
            ) from None
        except yaml.YAMLError as error:
            raise ManifestError(f"{self.name}: is not YAML in UTF-8: {str(error).splitlines()[0]}") from None
        except UnicodeDecodeError:
            raise ManifestError(f"{self.name}: is not UTF-8 text") from None

    def _check(
        self, event: yaml.AliasEvent | yaml.ScalarEvent | yaml.CollectionStartEvent | yaml.CollectionEndEvent
    ) -> None:
        if isinstance(event, yaml.CollectionEndEvent):
            self._depth -= 1
            return
        why = ""
        if isinstance(event, yaml.AliasEvent):
            why = f"the alias *{event.anchor} is not read; write the value again"
        elif event.anchor is not None:
            why = f"the anchor &{event.anchor} is not read; write the values out"
        elif event.tag not in {None, "!"}:
            why = f"the tag {event.tag} is not read"
        elif isinstance(event, yaml.CollectionStartEvent):
            self._depth += 1
            if self._depth > DEPTH:
                why = f"lists and mappings are nested more than {DEPTH} deep"
        elif event.value == "<<" and event.implicit[0]:
            why = "the merge key << is not read; write the values out, or use defaults"
        if why:
            raise self.error(line_of(event), why)


def line_of(event: yaml.Event) -> int:
    """Where the event begins, 1-based."""
    return event.start_mark.line + 1 if event.start_mark else 0
