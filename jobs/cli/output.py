"""Standard output and standard error of a command: what cannot be written is dropped, and never ends the work."""

import errno
import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

#: How a write fails when nobody reads any more: the pipe, the terminal or the descriptor is gone.
_GONE = frozenset({errno.EPIPE, errno.EIO, errno.EBADF, errno.ECONNRESET})


class DroppingWriter(io.TextIOWrapper):
    """A text stream that goes on when nobody reads it any more: what is written then is dropped.

    Characters that its encoding does not have are written as escapes. A full disk under standard output is an error all
    the same: whoever wanted the data must know. Standard error has only words, which are dropped then too.
    """

    def write(self, text: str, /) -> int:
        """Writes text or drops it. Raises OSError when data cannot be stored."""
        with self._dropping():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Flushes or drops what is left. Raises OSError when data cannot be stored."""
        with self._dropping():
            super().flush()

    @contextmanager
    def _dropping(self) -> Iterator[None]:
        try:
            yield
        except ValueError:
            # Closed already.
            self._drop()
        except OSError as error:
            words = self.fileno() == 2  # noqa: PLR2004 standard error
            self._drop()
            if error.errno not in _GONE and not words:
                raise

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
