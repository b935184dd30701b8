"""The double as a process of its own, and its books in numbers."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.double.books import Entry, Reader

ROOT = Path(__file__).parents[2]
_DONE = 1


class Double:
    """Starts, scripts and reads a double; the same port and books after every start."""

    def __init__(self, folder: Path, *, port: int = 0, **account: Any) -> None:
        """Nothing is started yet.

        Args:
            folder: its books and its script.
            port: of the loopback; 0: a free one.
            account: see tests/double/account.py.
        """
        self.folder = folder
        self.port = port
        self._account = account
        self._rules: list[dict[str, Any]] = []
        self._process: subprocess.Popen[str] | None = None
        self.books = Reader(folder / "books.jsonl")
        folder.mkdir(parents=True)
        self._write()

    @property
    def address(self) -> str:
        """Its base url."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it and waits until it listens."""
        words = ("--folder", str(self.folder), "--port", str(self.port), "--follow")
        argv = [sys.executable, "-m", "tests.double", *words]
        env = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        with (self.folder / "double.log").open("ab") as log:
            self._process = subprocess.Popen(
                argv,
                env=env,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        assert ready.startswith("double ready "), (self.folder / "double.log").read_text()
        self.port = int(ready.rpartition(":")[2])

    def kill(self) -> None:
        """Ends it; its books stay."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def set_faults(self, rules: list[dict[str, Any]]) -> None:
        """Replaces the rules; a rule that stays keeps its counts."""
        self._rules = rules
        self._write()

    def set_account(self, **account: Any) -> None:
        """Changes what the account is like."""
        self._account |= account
        self._write()

    def top_up(self, credits: int | None) -> None:  # noqa: A002 the vendor's word
        """Pictures that may be bought in all; None: no end."""
        self.set_account(credits=credits)

    def _write(self) -> None:
        new = self.folder / "script.new"
        new.write_text(json.dumps({"account": self._account, "rules": self._rules}), encoding="utf-8")
        new.replace(self.folder / "script.json")

    # -- its books ---------------------------------------------------------------------------------------------

    def tasks(self) -> list[Entry]:
        """Every task it has made; `bought`: pictures charged for."""
        return [
            task | {"bought": len(task["sub_task_ids"]) if task["end_status"] == _DONE else 0}
            for task in self.books.entries("task")
        ]

    def named(self) -> set[str]:
        """Ids of the tasks that an answer has named, whole."""
        return {entry["task_id"] for entry in self.books.entries("named")}

    def arrivals(self) -> list[float]:
        """When submits came, epoch seconds."""
        return [entry["at"] for entry in self.books.entries("submit")]

    def polls(self, task_id: str | None = None) -> list[Entry]:
        """Every poll, or those for one task."""
        return [one for one in self.books.entries("poll") if task_id in {None, one["task_id"]}]

    def bought_twice(self) -> list[str]:
        """Ids that more than one task was charged for."""
        counts = Counter(task["request_id"] for task in self.tasks() if task["bought"])
        return [request_id for request_id, n in counts.items() if n > 1]

    def totals(self) -> dict[str, Any]:
        """The same numbers as the simulator's books, as far as the double has them."""
        tasks = self.tasks()
        refused = Counter(entry["why"] for entry in self.books.entries("refused"))
        faults = Counter(f"{entry['place']}:{entry['do']}" for entry in self.books.entries("fault"))
        edges = sorted(
            edge for task in tasks for edge in ((task["at"], 1), (task["at"] + task["latency_s"], -1))
        )
        under_way = most = 0
        for _, step in edges:
            under_way += step
            most = max(most, under_way)
        return {
            "tasks": len(tasks),
            "charges": sum(task["bought"] for task in tasks),
            "bought_twice": self.bought_twice(),
            "refused": dict(refused),
            "faults": dict(faults),
            "over_limit_windows": 0,
            "max_in_flight_seen": most,
        }
