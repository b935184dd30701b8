"""Standard output and standard error of a command: what cannot be written is dropped, and never ends the work."""

import io
import json
import os
import sys
from contextlib import suppress
from typing import Any, TextIO


class DroppingWriter(io.TextIOWrapper):
    """A text stream that never raises: after the first failed write (a closed pipe, a full disk) it writes to nowhere.

    Characters that its encoding does not have are written as escapes.
    """

    def write(self, text: str, /) -> int:
        """Writes text or drops it."""
        with suppress(OSError, ValueError):
            return super().write(text)
        self._drop()
        return len(text)

    def flush(self) -> None:
        """Flushes or drops what is left."""
        try:
            super().flush()
        except (OSError, ValueError):
            self._drop()

    @property
    def dropped(self) -> bool:
        """Whether nobody reads any more."""
        return self._dropped

    _dropped = False

    def _drop(self) -> None:
        self._dropped = True
        # The buffer keeps what it could not write and tries again at every flush, the interpreter's last one too.
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


def make_output_safe() -> None:
    """Puts such writers in place of this process's standard streams; call it once, before anything is written."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # Closed by the caller: the next file or socket opened would get this number, and with it our output.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = _safe(sys.stdout, 1), _safe(sys.stderr, 2)


def nobody_reads(stream: TextIO) -> bool:
    """Whether a standard stream has lost its reader."""
    return isinstance(stream, DroppingWriter) and stream.dropped


def print_json(content: Any) -> None:
    """One line of JSON on standard output; in ASCII where the stream has not all characters."""
    encoding = (sys.stdout.encoding or "utf-8").lower()
    sys.stdout.write(json.dumps(content, ensure_ascii=not encoding.startswith("utf")) + "\n")


def _safe(stream: TextIO | None, number: int) -> TextIO:
    """`stream` is None when the process was started with it closed."""
    buffer = stream.buffer if stream is not None else os.fdopen(number, "wb", closefd=False)
    return DroppingWriter(
        buffer,
        encoding=stream.encoding if stream is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=number == 2 or (stream is not None and stream.isatty()),  # noqa: PLR2004 standard error
    )
