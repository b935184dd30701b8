"""Whether a worker lives, by the files that it touches: `python -m worker.alive FILE [--ready]`, for probes of containers.

A worker touches FILE (`workers.alive_file`) while its event loops answer and its threads live, and `FILE.ready` when the
ledger has taken its heartbeat. Those of a `vton run` have such files each, `FILE.collect-1` and so on, and FILE names them:
all count. Exit code 0: lately; 1: not. Loads nothing else, since a probe comes every few seconds.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Final

#: Between two touches, s.
EVERY_S: Final = 5.0
#: A file that was touched longer ago says nothing, s. Long, because a worker that is killed in a POST leaves an `unknown`.
STALE_S: Final = 60.0


def ready_file(file: Path) -> Path:
    """The file that says that the ledger answers too."""
    return file.with_name(f"{file.name}.ready")


def files_of(file: Path) -> list[Path]:
    """Of each worker that is to live: those that it names, or itself."""
    try:
        names = file.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        names = []
    return [file.with_name(f"{file.name}.{name}") for name in names] or [file]


def why_not(file: Path, now_s: float, *, ready: bool = False) -> str:
    """Why the worker, or one of them, does not count as alive (and ready) at that Unix time; empty when all do."""
    whys = (_why_not(each, now_s, ready=ready) for each in files_of(file))
    return next((why for why in whys if why), "")


def _why_not(file: Path, now_s: float, *, ready: bool) -> str:
    for each, missing in ((file, "no worker answers"), (ready_file(file), "the ledger does not answer")):
        try:
            age_s = now_s - each.stat().st_mtime
        except OSError as error:
            return f"{missing}: {each}: {error.strerror}"
        if age_s > STALE_S:
            return f"{missing}: {each} was touched {age_s:.0f} s ago"
        if not ready:
            break
    return ""


def main() -> int:
    """Says on stderr what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m worker.alive", description="Whether a worker lives.")
    parser.add_argument("file", type=Path, help="workers.alive_file of the worker")
    parser.add_argument("--ready", action="store_true", help="and whether the ledger takes its heartbeats")
    given = parser.parse_args()
    why = why_not(given.file, time.time(), ready=given.ready)
    if why:
        sys.stderr.write(f"{why}\n")
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
