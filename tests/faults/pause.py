"""The one place where the harness waits for the clock: nobody can pass a clock to the processes it watches."""

import threading

_never = threading.Event()


def pause(seconds: float) -> None:
    """Lets other processes work for a while."""
    _never.wait(seconds)
