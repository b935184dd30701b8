"""YAML as a guarded stream of events: what could blow up is refused by its line before it is built."""

import io
from collections.abc import Iterator

import yaml

from jobs.errors import ManifestError
from jobs.manifest.mappings import Value

#: Bytes the parser may take between two events: one scalar, comment or line cannot be longer.
EVENT_BYTES = 1_000_000
#: Characters and nodes of one item (a row, a garment).
ITEM_CHARS = 1_000_000
ITEM_NODES = 5_000
#: Levels of lists and mappings inside each other; the known forms need four.
DEPTH = 8

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_STARTS = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_ENDS = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


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
    """The events of one document, without its frame."""

    def __init__(self, stream: io.BufferedReader, name: str) -> None:
        self._name = name
        self._meter = _Meter(stream, name)
        self._depth = 0
        self._found = self._guarded()

    def next(self) -> yaml.Event:
        """The next event; a document that has ended is not asked.

        Raises:
            ManifestError: not YAML, an alias, an anchor, a merge key, a tag, or too deep; with its line.
        """
        return next(self._found)

    def entries(self) -> Iterator[tuple[str, int, yaml.Event]]:
        """Keys of the mapping just begun, their lines, and the event with which each value begins."""
        while not isinstance(key := self.next(), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                raise self.error(key, "a key must be one text")
            yield key.value, line_of(key), self.next()

    def items(self) -> Iterator[yaml.Event]:
        """The events with which the items of the list just begun begin."""
        while not isinstance(item := self.next(), yaml.SequenceEndEvent):
            yield item

    def skip(self, first: yaml.Event) -> None:
        """Passes over the value that begins with this event."""
        level = int(isinstance(first, _STARTS))
        while level:
            event = self.next()
            level += isinstance(event, _STARTS) - isinstance(event, _ENDS)

    def item(self, first: yaml.Event) -> "Item":
        """Builds the value that begins with this event."""
        item = Item(self)
        item.value = item.build(first)
        return item

    def error(self, event: yaml.Event, why: str) -> ManifestError:
        """An error at an event's line."""
        return ManifestError(f"{self._name}:{line_of(event)}: {why}")

    def end(self) -> None:
        """Reads to the end of the content, so that nothing behind the document goes unseen.

        Raises:
            ManifestError: there is a second document, or something that is not YAML.
        """
        for event in self._found:
            raise self.error(event, "a second document begins; one file holds one")

    def _guarded(self) -> Iterator[yaml.Event]:
        documents = 0
        try:
            for event in yaml.parse(self._meter, Loader=_LOADER):
                self._meter.taken = 0
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        raise self.error(event, "a second document begins; one file holds one")
                elif isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
                    self._check(event)
                    yield event
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f":{mark.line + 1}" if mark else ""
            raise ManifestError(
                f"{self._name}{where}: is not YAML: {error.problem or error.context}"
            ) from None
        except yaml.YAMLError as error:
            raise ManifestError(f"{self._name}: is not YAML in UTF-8: {str(error).splitlines()[0]}") from None
        except UnicodeDecodeError:
            raise ManifestError(f"{self._name}: is not UTF-8 text") from None

    def _check(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise self.error(event, f"the alias *{event.anchor} is not read; write the value again")
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            raise self.error(event, f"the anchor &{event.anchor} is not read; write the values out")
        if isinstance(event, yaml.ScalarEvent):
            if event.value == "<<" and event.implicit[0]:
                raise self.error(event, "the merge key << is not read; write the values out, or use defaults")
            if event.tag not in {None, "!"}:
                raise self.error(event, f"the tag {event.tag} is not read")
        elif isinstance(event, _STARTS):
            if event.tag is not None:
                raise self.error(event, f"the tag {event.tag} is not read")
            self._depth += 1
            if self._depth > DEPTH:
                raise self.error(event, f"lists and mappings are nested more than {DEPTH} deep")
        else:
            self._depth -= 1


class Item:
    """One value built from its events, with what was odd about it."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._chars = 0
        self._nodes = 0
        self.value: Value = ""
        #: A key that stands twice in one mapping; "" without one.
        self.twice = ""

    def build(self, first: yaml.Event) -> Value:
        """Builds a value; scalars keep the text that was written, an empty one or null is "".

        Raises:
            ManifestError: the item is too large.
        """
        self._weigh(first)
        if isinstance(first, yaml.ScalarEvent):
            return text_of(first)
        if isinstance(first, yaml.SequenceStartEvent):
            return [self.build(item) for item in self._events.items()]
        entries: dict[str, Value] = {}
        for key, _, value in self._events.entries():
            self._chars += len(key)
            if key in entries:
                self.twice = self.twice or key
            entries[key] = self.build(value)
        return entries

    def _weigh(self, event: yaml.Event) -> None:
        self._nodes += 1
        self._chars += len(event.value) if isinstance(event, yaml.ScalarEvent) else 0
        if self._nodes > ITEM_NODES or self._chars > ITEM_CHARS:
            raise self._events.error(event, "the entry is too large: more than 1 MB or 5,000 values")


def text_of(scalar: yaml.ScalarEvent) -> str:
    """The scalar's text as written; "" for null."""
    return "" if scalar.implicit[0] and scalar.value in _NULLS else str(scalar.value)


def line_of(event: yaml.Event) -> int:
    """Where the event begins, 1-based."""
    return event.start_mark.line + 1 if event.start_mark else 0
