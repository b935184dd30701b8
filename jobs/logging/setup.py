"""Structured logs: one JSON object a line, or a readable console on a terminal; secrets never appear.

Our own events take structlog's short way (no stdlib logger in between); what libraries say through `logging`
and `warnings` joins the same processors and the same writer: one format, one place for redaction.
"""

import json
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from jobs.config.settings import LogSettings
from jobs.logging.redaction import redact, redaction

__all__ = ["configure", "redact"]

#: Libraries that say too much, or say addresses, at INFO.
_QUIET = ("httpx", "httpcore", "uvicorn.access", "PIL", "asyncio", "multipart")
#: Loggers that bring handlers of their own.
_OWN_HANDLERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "dramatiq")
#: Lines that wait while one is being written.
_KEPT_LINES = 10_000
_LEVELS = MappingProxyType({"debug": 10, "info": 20, "warning": 30, "error": 40})

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode
_encode_ascii = json.JSONEncoder(separators=(",", ":"), default=str).encode


def configure(settings: LogSettings, *, stream: TextIO | None = None) -> None:
    """Sends every event of this process to one stream; call it once per process, before the first event.

    Args:
        settings: level and format; `auto` is a console on a terminal, JSON elsewhere.
        stream: where lines go; standard error when None.
    """
    stream = sys.stderr if stream is None else stream
    level = _LEVELS[settings.level]
    as_json = settings.format == "json" or (settings.format == "auto" and not stream.isatty())
    unicode = (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")
    json_line = _json_line if unicode else _ascii_line
    rendering: list[Processor] = [json_line] if as_json else [_printable, _console(stream)]
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _shape,
        structlog.processors.format_exc_info,
        redaction,
        *rendering,
    ]
    writer = LineWriter(stream)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=True,
    )
    _bridge_stdlib(_Bridge(processors, writer), level)


class LineWriter:
    """Writes whole lines, one at a time, whichever thread they come from; nobody ever waits for anybody.

    A signal handler that logs may interrupt the thread that is writing just now: a lock that is waited for would hang both
    for ever. So a line is put in a row, and whoever finds nobody writing writes the row.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._writing = threading.Lock()
        #: Bounded: a reader that has stopped reading costs lines, not memory.
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)

    def msg(self, line: str) -> None:
        """Writes one line, or leaves it to whoever is writing; one that cannot be written (disk full) is dropped."""
        self._lines.append(line)
        # Whoever was writing may have looked for the last time just before: hence again after each release.
        while self._lines and self._writing.acquire(blocking=False):
            try:
                self._write()
            finally:
                self._writing.release()

    def _write(self) -> None:
        with suppress(IndexError):
            while True:
                line = self._lines.popleft()
                with suppress(OSError, ValueError):
                    self._stream.write(f"{line}\n")
                    self._stream.flush()

    debug = info = warning = error = critical = fatal = exception = log = msg


class _Bridge(logging.Handler):
    """Takes the records of `logging` through the processors of our own events."""

    def __init__(self, processors: list[Processor], writer: LineWriter) -> None:
        super().__init__()
        self._processors = processors
        self._writer = writer

    def createLock(self) -> None:  # noqa: N802 its base's name
        """None: a signal handler that logs must not wait for a thread that is writing."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Writes a record that its filters let through; safe for threads by the writer."""
        passed = bool(self.filter(record))
        if passed:
            self.emit(record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record; one whose arguments do not fit its text is written unformatted."""
        try:
            event = record.getMessage()
        except Exception:  # noqa: BLE001 whatever a foreign __str__ raises must not reach the one who logged
            event = f"{record.msg} {record.args!r}"
        content: Any = {"event": event, "logger": record.name}
        if record.exc_info:
            content["exc_info"] = record.exc_info
        if record.stack_info:
            content["stack"] = record.stack_info
        for process in self._processors:
            content = process(self._writer, record.levelname.lower(), content)
        self._writer.msg(content)


def _bridge_stdlib(bridge: _Bridge, level: int) -> None:
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if type(handler) in {_Bridge, logging.StreamHandler}:
            root.removeHandler(handler)
    root.addHandler(bridge)
    root.setLevel(level)
    for name in _OWN_HANDLERS:
        own = logging.getLogger(name)
        own.handlers.clear()
        own.propagate = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)


def _shape(_logger: WrappedLogger, method: str, event_dict: EventDict) -> EventDict:
    """Puts `ts`, `level` and `event` first; ids bound by the context follow, then the event's own values."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    event = event_dict.pop("event", "")
    return {
        "ts": f"{now[:-6]}Z",
        "level": "error" if method == "exception" else method,
        "event": event,
        **event_dict,
    }


def _json_line(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> str:
    """One line of JSON.

    Text of all languages is kept readable, but a line with characters that end lines elsewhere, reorder them
    or cannot be encoded (U+2028, bidirectional overrides, lone surrogates) is written in ASCII.
    """
    line = _encode(event_dict)
    return line if line.isprintable() else _encode_ascii(event_dict)


def _ascii_line(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> str:
    """The same for a stream that has no other characters."""
    return _encode_ascii(event_dict)


def _printable(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Shows control characters as escapes: a sku must not be able to drive a terminal."""
    return {key: _escaped(value) if type(value) is str else value for key, value in event_dict.items()}


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )


def _console(stream: TextIO) -> Callable[[WrappedLogger, str, EventDict], str]:
    render = structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), timestamp_key="ts", exception_formatter=structlog.dev.plain_traceback
    )

    def line(logger: WrappedLogger, method: str, event_dict: EventDict) -> str:
        return str(render(logger, method, event_dict))

    return line
