"""Accepted answers on disk: what HiDream has sold us is written down before the ledger is asked to record it.

One file an answer, `<data_dir>/accepted/<request id>-<8 hex>.json`, mode 0600, there for as long as the ledger does not have
it. It outlives the process; once Redis has failed to take the answer it is synced, and outlives the machine too. Whatever is
found there later is brought in by `bring_in`: at the start of a submit worker, and by the reconciler of the same folder.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

import structlog

from jobs.errors import SpoiltLedgerError, VtonError
from jobs.ledger import Ledger, steps
from jobs.ledger.script import Runner
from jobs.records import RequestId, TaskId

log = structlog.get_logger()

FOLDER = "accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedAnswer:
    """What must not be lost of an accepted submit."""

    #: The ledger that the job was taken from.
    ledger_id: str
    request_id: RequestId
    claim: str
    task_id: TaskId
    sub_task_ids: tuple[str, ...]
    #: From now to the first poll.
    first_poll_ms: int

    def record(self, ledger: Runner) -> "Recorded":
        """Writes it into the ledger; the same answer again changes nothing. Raises RedisDownError."""
        accept = steps.accept(
            self.request_id, self.claim, self.task_id, self.sub_task_ids, first_poll_ms=self.first_poll_ms
        )
        taken = ledger.run(accept)
        if taken.recorded:
            return Recorded(how="task", breaker_closed=taken.breaker_closed)
        if taken.shared_with:
            return Recorded(how="shared", shared_with=taken.shared_with)
        keep = steps.keep_task(self.request_id, self.task_id, self.sub_task_ids, ledger_id=self.ledger_id)
        kept = ledger.run(keep)
        return Recorded(how=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """How the ledger took an accepted answer."""

    #: task: the job is asked for by it; past: the job went another way, the id is kept; shared: another job has the same
    #: task; empty: this is another ledger, nothing is kept.
    how: Literal["task", "past", "shared", ""]
    #: The other job.
    shared_with: RequestId | None = None
    #: The breaker closed with this answer.
    breaker_closed: bool = False


class AcceptedAnswers:
    """The folder; for every process of a host. A folder that cannot be written is told, and never stops a submit."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER
        #: Files that were told of once.
        self._told: set[str] = set()

    def keep(self, answer: AcceptedAnswer) -> str | None:
        """Writes the answer so that it outlives the process; None when the disk does not take it."""
        # Text, not Path: this is on the way of every job.
        path = f"{self._folder}/{answer.request_id}-{uuid4().hex[:8]}.json"
        try:
            descriptor = self._open(path)
            try:
                whole = os.write(descriptor, content := _encode(answer)) == len(content)
            finally:
                os.close(descriptor)
        except OSError as error:
            log.error("answer.unsaved", task_id=answer.task_id, why=f"{path}: {error.strerror}")  # noqa: TRY400
            return None
        if not whole:
            log.error(
                "answer.unsaved", task_id=answer.task_id, why=f"{path}: the disk takes only a part of it"
            )
        return path

    def secure(self, path: str | None) -> None:
        """Makes the answer outlive the machine."""
        if path is None:
            return
        try:
            for each in (path, str(self._folder)):
                descriptor = os.open(each, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        except OSError as error:
            log.error("answer.unsaved", why=f"{path}: {error.strerror}")  # noqa: TRY400

    def forget(self, path: str | None) -> None:
        """The ledger has it."""
        if path is not None:
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108

    def bring_in(self, ledger: Ledger) -> int:
        """Records what lies in the folder; returns how many the ledger has taken.

        What belongs to another ledger, or cannot be read, stays and is told once.

        Raises:
            RedisDownError: nothing is lost, it is tried again at the next call.
        """
        brought = 0
        for path, answer in self._kept():
            if answer is None:
                self._tell(path, "it cannot be read")
                continue
            try:
                recorded = answer.record(ledger)
            except Exception as error:  # one that nobody can record must not keep the others out
                if isinstance(error, VtonError) and not isinstance(error, SpoiltLedgerError):
                    raise
                self._tell(path, f"it cannot be recorded: {type(error).__name__}: {error}")
                continue
            if not recorded.how:
                self._tell(path, "it belongs to another ledger")
                continue
            log.warning("answer.adopted", request_id=answer.request_id, task_id=answer.task_id)
            self.forget(str(path))
            brought += 1
        return brought

    def _open(self, path: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(path, flags, 0o600)

    def _kept(self) -> Iterator[tuple[Path, AcceptedAnswer | None]]:
        for path in sorted(self._folder.glob("*.json")):
            try:
                yield path, _decode(path.read_bytes())
            except FileNotFoundError:
                # Its own worker was quicker.
                continue
            except (OSError, ValueError, TypeError, KeyError):
                yield path, None

    def _tell(self, path: Path, why: str) -> None:
        if path.name not in self._told:
            self._told.add(path.name)
            log.error("answer.unsaved", why=f"{path}: {why}; it stays where it is")


def _encode(answer: AcceptedAnswer) -> bytes:
    return json.dumps({name: getattr(answer, name) for name in AcceptedAnswer.__slots__}).encode()


def _decode(content: bytes) -> AcceptedAnswer:
    """Raises ValueError, TypeError or KeyError when it is none of ours."""
    found = json.loads(content)
    return AcceptedAnswer(
        ledger_id=str(found["ledger_id"]),
        request_id=RequestId(str(found["request_id"])),
        claim=str(found["claim"]),
        task_id=TaskId(str(found["task_id"])),
        sub_task_ids=tuple(map(str, found["sub_task_ids"])),
        first_poll_ms=int(found["first_poll_ms"]),
    )
