"""What a round asks of a contender, and the manifest it is given."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: The sub-task's id in the comment at the start of a JPEG of the simulator's.
_COMMENT = re.compile(rb"^\xff\xd8\xff\xfe\x00\x22([0-9a-f]{32})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One round's work; the same for every contender."""

    jobs: int
    #: Parallel tasks of the account; 0: no limit.
    slots: int = 0
    #: Pictures a second; 0: no limit.
    rate: int = 0
    #: When a fixed schedule polls for the first time, seconds after the submit's reply.
    first_poll_s: float = 0.1
    #: And how often afterwards.
    every_s: float = 0.05
    #: Jobs a contender may have in its hands where the account sets no limit.
    concurrency: int = 64
    #: Processes that submit.
    processes: int = 1
    #: Typical task latency, what an operator would write into a config.
    latency_s: float = 0.1
    #: Jobs run before the measure begins.
    warm_up: int = 0
    timeout_s: float = 300

    @property
    def hands(self) -> int:
        """Jobs in hand at once, over all processes."""
        return self.slots or self.concurrency


def write_manifest(path: Path, jobs: int, tag: str) -> Path:
    """A manifest of `jobs` different pairs, pictures by URL."""
    with path.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(("sku", "person", "dress", "colour"))
        for number in range(jobs):
            at = f"{tag}-{number:07d}"
            rows.writerow(
                (
                    at,
                    f"http://shop.example/people/{number % 40}.jpg",
                    f"http://shop.example/dresses/{at}.jpg",
                    "red",
                )
            )
    return path


def pictures_on_disk(folder: Path) -> dict[str, float]:
    """Sub-task id → when the last byte of its picture was written (epoch seconds); the earliest file of a task counts."""
    found: dict[str, float] = {}
    for path in _files(folder):
        with path.open("rb") as file:
            named = _COMMENT.match(file.read(64))
        if named is not None:
            task, written = named[1].decode(), path.stat().st_mtime
            found[task] = min(written, found.get(task, written))
    return found


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix in {".jpg", ".jpeg", ".png"} and path.is_file())
