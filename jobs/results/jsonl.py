"""results.jsonl: lines as rows end, and as its last line the exporter's checkpoint.

One writer (the exporter's lease), one write and one fsync per append. The new lines overwrite the old checkpoint and end
with a new one, so a crash in between leaves a file without a checkpoint at its end; such a file is made anew from the
ledger. A writer that finds another checkpoint than it began from has been overtaken and writes nothing. Hence no row is
lost and none stands twice.
"""

import json
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from jobs.results.files import Renew, replacing
from jobs.results.lease import LeaseLostError

#: How far from the end a checkpoint may begin, bytes.
TAIL = 4096


class ResultsFile:
    """The file of one batch; `ledger_id` tells a ledger from another that had the same batch."""

    def __init__(self, path: Path, ledger_id: str) -> None:
        self._path = path
        self._ledger_id = ledger_id

    def checkpoint(self) -> str | None:
        """The outbox entry the file is good up to; None: make it anew."""
        try:
            with self._path.open("rb") as file:
                found = self._last_line(file)
        except FileNotFoundError:
            return None
        return None if found is None else found[0]

    def append(self, lines: Iterable[str], entry_id: str, *, after: str) -> None:
        """Puts lines in the place of the last checkpoint, and a new checkpoint behind them.

        Args:
            lines: what has ended between the two checkpoints.
            entry_id: the new checkpoint.
            after: the checkpoint that the writer began from.

        Raises:
            LeaseLostError: the file has another one by now; it is as it was.
        """
        text = "".join(f"{line}\n" for line in lines) + self._checkpoint_line(entry_id)
        with self._path.open("r+b") as file:
            found = self._last_line(file)
            if found is None or found[0] != after:
                raise LeaseLostError("another exporter has written results.jsonl meanwhile")
            file.seek(found[1])
            file.write(text.encode())
            file.truncate()
            file.flush()
            os.fsync(file.fileno())

    def write_anew(self, lines: Iterable[str], entry_id: str, renew: Renew) -> None:
        """The whole file from the beginning; the old one stays until the new one is whole."""
        with replacing(self._path, renew) as file:
            for line in lines:
                file.write(f"{line}\n")
            file.write(self._checkpoint_line(entry_id))

    def _checkpoint_line(self, entry_id: str) -> str:
        line = {"checkpoint": entry_id, "ledger": self._ledger_id, "check": zlib.crc32(entry_id.encode())}
        return json.dumps(line) + "\n"

    def _last_line(self, file: BinaryIO) -> tuple[str, int] | None:
        """The checkpoint and the offset at which its line begins."""
        start = max(0, file.seek(0, os.SEEK_END) - TAIL)
        file.seek(start)
        tail = file.read()
        if not tail.endswith(b"\n"):
            return None
        begin = tail.rfind(b"\n", 0, -1) + 1
        try:
            line: Any = json.loads(tail[begin:])
        except ValueError:
            return None
        if not isinstance(line, dict) or line.get("ledger") != self._ledger_id:
            return None
        entry_id = line.get("checkpoint")
        # A checkpoint torn while it overwrote another one is half of each, and yet JSON.
        if not isinstance(entry_id, str) or line.get("check") != zlib.crc32(entry_id.encode()):
            return None
        return entry_id, start + begin
