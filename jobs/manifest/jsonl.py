"""JSONL as a source of entries: one object a line."""

import json
from collections.abc import Iterator
from typing import Any

from jobs.manifest.content import Content
from jobs.manifest.lines import Lines
from jobs.manifest.mappings import Entry, Names, Value


class JsonLines:
    """Lines of JSON; nothing is defined beside them."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self.names = Names()

    def entries(self) -> Iterator[tuple[int, Entry | str]]:
        """Streams the lines' objects, or why one has none; blank lines are left out."""
        lines = Lines(self._content.stream(), self._content.encoding)
        for text in lines.feed():
            line, _, flaw = lines.held.pop()
            if flaw or text.strip():
                yield line, flaw or _object(text)


def _object(text: str) -> Entry | str:
    """The line's object, its scalars as the text that was written; or why there is none."""
    try:
        found = json.loads(
            text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=entry_of
        )
    except RecursionError:
        return "the line is nested too deeply"
    except json.JSONDecodeError as error:
        return f"the line is not JSON: {error.msg} at character {error.colno}"
    return whole(found, text) if isinstance(found, Entry) else "the line must be one object: {…}"


def whole(found: Entry, text: str) -> Entry | str:
    """The entry, or what is wrong with its characters as they are written."""
    if "\\u" in text:
        try:
            json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return "the line holds half a character (a lone \\ud8xx escape)"
    return found


def entry_of(pairs: list[tuple[str, Any]]) -> Entry:
    """An object's entry, its scalars as text."""
    return Entry.of([(key, value if isinstance(value, str) else _text(value)) for key, value in pairs])


def _text(value: Any) -> Value:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool) else value  # list or entry
