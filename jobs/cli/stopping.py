"""What ends a run before its rows have ended: Ctrl-C, SIGTERM, SIGHUP or the deadline.

Until something is under way a signal interrupts whatever the command is at. From `hold` on it only sets a flag, which loops
look at: no lock is taken and nothing is written by a signal handler, a thread does that.
"""

import os
import signal
import threading
from contextlib import suppress
from datetime import datetime
from types import FrameType, TracebackType
from typing import Any, Self

from jobs.config.exit_codes import ExitCode
from jobs.errors import EndedEarlyError
from jobs.units import counted, duration

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = "interrupted; the same command goes on where it stood"
DEADLINE = "the deadline is reached; the same command goes on where it stood"


class Stop:
    """Says whether a run is to end, and why; a context manager of the main thread."""

    def __init__(self, deadline: datetime | None = None, *, finish_s: float = 0) -> None:
        """`deadline`: with its time zone; `finish_s`: how long requests under way may take, said at the first signal."""
        self._deadline = deadline
        self._finish_s = finish_s
        self._held = False
        self._signals = 0
        self._before: dict[signal.Signals, Any] = {}
        self._reader, self._writer = -1, -1
        self._thread = threading.Thread(target=self._tell, name="signals", daemon=True)
        #: Requests under way, as last seen; said at the first signal.
        self.requests = 0

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._thread.start()
        for signum in SIGNALS:
            # What was started with signals ignored (nohup, a shell's background) goes on ignoring them.
            if signal.getsignal(signum) is not signal.SIG_IGN:
                self._before[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, before in self._before.items():
            signal.signal(signum, before)
        os.close(self._writer)
        self._thread.join(timeout=1)

    def __call__(self) -> bool:
        """Whether the run is to end; cheap enough to be asked for each row."""
        return self.reason() is not None

    @property
    def deadline_ms(self) -> int | None:
        """The deadline in milliseconds since the epoch; None without one."""
        return None if self._deadline is None else int(self._deadline.timestamp() * 1000)

    def hold(self) -> None:
        """From here on signals only set the flag."""
        self._held = True

    def reason(self) -> tuple[ExitCode, str] | None:
        """The exit code and a line on why; None while nothing ends the run."""
        if self._signals:
            return ExitCode.INTERRUPTED, INTERRUPTED
        if self._deadline is not None and datetime.now(self._deadline.tzinfo) >= self._deadline:
            return ExitCode.DEADLINE, DEADLINE
        return None

    def hurried(self) -> bool:
        """Whether a second signal has come: nothing is waited for any more."""
        return self._signals > 1

    def left_ms(self) -> int | None:
        """How long until the deadline, ms, below 0 after it; None without one."""
        if self._deadline is None:
            return None
        return round((self._deadline - datetime.now(self._deadline.tzinfo)).total_seconds() * 1000)

    def check(self) -> None:
        """Raises EndedEarlyError when the run is to end; for what is done before anything is recorded."""
        if found := self.reason():
            raise EndedEarlyError(f"{found[1].partition(';')[0]}; nothing was recorded", found[0])

    def _handle(self, _signum: int, _frame: FrameType | None) -> None:
        if not self._held:
            raise KeyboardInterrupt
        self._signals += 1
        with suppress(OSError):
            os.write(self._writer, b"!")

    def _tell(self) -> None:
        """Answers each signal at once, whatever the main thread is waiting for."""
        for count in range(1, 4):
            try:
                if not os.read(self._reader, 1):
                    break
            except OSError:
                break
            _say(self._words(count))
            if count == 3:  # noqa: PLR2004 who says it three times has waited for something that hangs
                os._exit(ExitCode.INTERRUPTED)
        with suppress(OSError):
            os.close(self._reader)

    def _words(self, count: int) -> str:
        if count == 1:
            requests = counted(self.requests, "request")
            return f"finishing {requests} under way, up to {duration(self._finish_s)}; Ctrl-C again stops now"
        if count == 2:  # noqa: PLR2004 the second signal
            return "stopping now: requests under way are cut off, their rows become unknown"
        return "ended at once: the files are as they were"


def _say(words: str) -> None:
    """Straight to the descriptor: a stream's own lock may be held by the thread that was interrupted."""
    with suppress(OSError):
        os.write(2, f"\nvton: {words}\n".encode())
