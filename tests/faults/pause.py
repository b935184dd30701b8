"""The one place where the harness waits for the clock: what it watches are other processes, which nobody can pass a clock."""

import threading

_never = threading.Event()


def pause(seconds: float) -> None:
    """Lets other processes work for a while."""
    _never.wait(seconds)
