"""JSONL manifests: one object a line."""

import json
from collections.abc import Iterator
from typing import Any

from jobs.manifest.content import Content
from jobs.manifest.lines import Lines
from jobs.manifest.mappings import Names, Value
from jobs.records import BadRow, Dialect, Row


class _TwiceError(ValueError):
    """A key stands twice in one object."""


class JsonLines:
    """A JSONL manifest. Its columns are not known beforehand: every line brings its own keys."""

    columns: tuple[str, ...] = ()
    dialect = Dialect()

    def __init__(self, content: Content) -> None:
        self._content = content
        self._names = Names()

    @property
    def suspected_typos(self) -> tuple[str, ...]:
        """Keys of the rows read so far that look like misspelt ones, a sentence each."""
        return self._names.suspected_typos

    def rows(self) -> Iterator[Row | BadRow]:
        """Streams the rows in their order, bad ones among them; blank lines are left out."""
        lines = Lines(self._content.stream(), "utf-8")
        number = 0
        for text in lines.feed():
            line, _, flaw = lines.held[0]
            lines.held.clear()
            if not flaw and not text.strip():
                continue
            number += 1
            entry = flaw or _object(text)
            if isinstance(entry, str):
                yield BadRow(number=number, line=line, column="", why=entry)
            else:
                yield self._names.row(number, line, entry)


def _object(text: str) -> dict[str, Value] | str:
    """The line's object, its scalars as the text that was written; or why there is none."""
    try:
        found = json.loads(text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_once)
    except _TwiceError as error:
        return str(error)
    except RecursionError:
        return "the line is nested too deeply"
    except json.JSONDecodeError as error:
        return f"the line is not JSON: {error.msg} at character {error.colno}"
    if not isinstance(found, dict):
        return "the line must be one object: {…}"
    return _HALF if "\\u" in text and not _encodes(found) else found


_HALF = "the line holds half a character (a lone \\ud8xx escape)"


def _encodes(entry: dict[str, Value]) -> bool:
    try:
        json.dumps(entry, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Value]:
    entry: dict[str, Value] = {}
    for key, value in pairs:
        if key in entry:
            raise _TwiceError(f"the key “{key[:40]}” stands twice")
        entry[key] = _text(value)
    return entry


def _text(value: Any) -> Value:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool) else value  # text, list or dict
