"""Commands that become another program."""

import os
import sys


def become(module: str, *words: str) -> None:
    """Runs one of our own modules in place of this process, which `jobs` may start but not import."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *words])  # noqa: S606 our own module
