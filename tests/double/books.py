"""The books: every POST, task, named id, poll, download and fault, in the order they happened."""

import json
import threading
import time
from pathlib import Path
from typing import Any, TextIO

Entry = dict[str, Any]


class Books:
    """Writes the books; entries are flushed at once, so that a reader sees all that was answered.

    kinds: `submit` (request_id, token, body's size) · `task` (task_id, request_id, sub_task_ids, garment, latency_s) ·
    `named` (task_id: an answer that names it went out whole) · `refused` (why, request_id) · `poll` (task_id, status) ·
    `download` (task_id, status) · `fault` (place, do, request_id, task_id) · `called_back` (task_id, status).
    Each has `at`, epoch seconds.
    """

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def write(self, kind: str, **fields: Any) -> None:
        """Adds one entry."""
        line = json.dumps({"at": time.time(), "kind": kind, **fields}) + "\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()


class Reader:
    """Reads the books as they grow; also after the double has ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._entries: list[Entry] = []

    def entries(self, *kinds: str) -> list[Entry]:
        """Every entry of these kinds, the oldest first; no kind: all."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read)
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._read += len(whole)
            self._entries += [json.loads(line) for line in whole.splitlines()]
        return [entry for entry in self._entries if not kinds or entry["kind"] in kinds]
