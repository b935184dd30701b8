"""Accepted answers on disk: what HiDream has sold us is written down before the ledger is asked to record it.

Each process appends to a journal of its own, `<data_dir>/accepted/<16 hex>.jsonl`, mode 0600: a line for each answer, and
one that says so when the ledger has it. It outlives the process; once Redis has failed to take an answer it is synced, and
outlives the machine too. What is found there without its second line is brought in by `bring_in`: at the start of a submit
worker, and by the reconciler of the same folder.
"""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import structlog

from jobs.errors import SpoiltLedgerError, VtonError
from jobs.ledger import steps
from jobs.ledger.journal_file import line_of, locked_alone, open_new
from jobs.ledger.script import Calls, Runner, run_all
from jobs.records import RequestId, TaskId

log = structlog.get_logger()

FOLDER = "accepted"
#: A journal that has grown past this is left for a new one once the ledger has all of it, bytes.
JOURNAL_BYTES = 1_000_000


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

    def recording(self) -> "Calls[Recorded]":
        """The calls that write it into the ledger; the same answer again changes nothing."""
        accept = steps.accept(
            self.request_id, self.claim, self.task_id, self.sub_task_ids, first_poll_ms=self.first_poll_ms
        )
        taken = yield accept
        if taken.recorded:
            return Recorded(how="task", breaker_closed=taken.breaker_closed)
        if taken.shared_with:
            return Recorded(how="shared", shared_with=taken.shared_with)
        kept = yield steps.keep_task(
            self.request_id, self.task_id, self.sub_task_ids, ledger_id=self.ledger_id
        )
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
    """The folder; for every process of a host. A folder that cannot be written is logged, and never stops a submit."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER
        self._lock = threading.Lock()
        #: This process's own, once it has kept an answer.
        self._journal: _Journal | None = None
        #: What was logged once.
        self._told: set[str] = set()
        #: Journal and key of what was brought in, should a full disk not let it be noted.
        self._brought: set[tuple[str, str]] = set()

    def keep(self, answer: AcceptedAnswer) -> str | None:
        """Writes the answer so that it outlives the process; None when the disk does not take it.

        Returns:
            Its key, for `secure` and `forget`.
        """
        key = f"{answer.request_id}-{uuid4().hex[:8]}"
        try:
            with self._lock:
                whole = self._current().append(_encode(key, answer))
                if whole and self._journal:
                    self._journal.kept.add(key)
        except OSError as error:
            log.error(  # noqa: TRY400
                "answer.unsaved", task_id=answer.task_id, why=f"{self._folder}: {error.strerror}"
            )
            return None
        if not whole:
            log.error(
                "answer.unsaved",
                task_id=answer.task_id,
                why=f"{self._folder}: the disk takes only a part of it",
            )
        return key

    def secure(self, key: str | None) -> None:
        """Makes the answer outlive the machine; may take as long as a disk does, others keep theirs meanwhile."""
        try:
            with self._lock:
                if key is None or self._journal is None:
                    return
                journal = os.dup(self._journal.descriptor)
            _sync(journal)
            _sync(os.open(self._folder, os.O_RDONLY))
        except OSError as error:
            log.error("answer.unsaved", why=f"{self._folder}: {error.strerror}")  # noqa: TRY400

    def forget(self, key: str | None) -> None:
        """The ledger has it."""
        with self._lock:
            if key is None or self._journal is None or key not in self._journal.kept:
                return
            self._journal.kept.remove(key)
            with suppress(OSError):
                self._journal.append(_recorded(key))

    def leave(self) -> None:
        """This process cannot record what it has kept: whoever looks next brings it in."""
        with self._lock:
            journal, self._journal = self._journal, None
            if journal is not None:
                os.close(journal.descriptor)

    def bring_in(self, ledger: Runner) -> int:
        """Records what lies in the folder; returns how many the ledger has taken.

        What belongs to another ledger, or cannot be read, stays and is logged once.

        Raises:
            RedisDownError: nothing is lost, it is tried again at the next call.
        """
        return sum(self._bring_in(ledger, path) for path in sorted(self._folder.glob("*.json*")))

    def _bring_in(self, ledger: Runner, path: Path) -> int:
        try:
            with _opened(path) as descriptor:
                if not (locked := locked_alone(descriptor)) and locked is not None:
                    # Its process lives, and records it itself.
                    return 0
                brought, left = self._record(ledger, path, descriptor)
                if locked and not left:
                    with suppress(OSError):
                        path.unlink()
                return brought
        except FileNotFoundError:
            # Another reconciler was quicker.
            return 0
        except OSError as error:
            self._tell(path, "", f"it cannot be read: {error.strerror}")
            return 0

    def _record(self, ledger: Runner, path: Path, descriptor: int) -> tuple[int, bool]:
        """Records a journal's answers; how many, and whether any is left. Raises OSError, RedisDownError."""
        brought, left = 0, False
        for key, answer in _outstanding(path.name, path.read_bytes()):
            if (path.name, key) in self._brought:
                continue
            if answer is None:
                left = True
                self._tell(path, key, "it cannot be read")
                continue
            try:
                recorded = run_all(ledger.run, answer.recording())
            except Exception as error:  # one that nobody can record must not keep the others out
                if isinstance(error, VtonError) and not isinstance(error, SpoiltLedgerError):
                    raise
                left = True
                self._tell(path, key, f"it cannot be recorded: {type(error).__name__}: {error}")
                continue
            if not recorded.how:
                left = True
                self._tell(path, key, "it belongs to another ledger")
                continue
            log.warning("answer.adopted", request_id=answer.request_id, task_id=answer.task_id)
            self._brought.add((path.name, key))
            with suppress(OSError):
                os.write(descriptor, _recorded(key))
            brought += 1
        return brought, left

    def _current(self) -> "_Journal":
        """This process's journal; a new one when there is none, it was removed, or it is long.

        What a long one still holds is brought in by whoever looks next: nobody has its lock any more.
        """
        if (journal := self._journal) is not None:
            if journal.length <= JOURNAL_BYTES and _is_linked(journal.descriptor):
                return journal
            self._journal = None
            if not journal.kept:
                journal.path.unlink(missing_ok=True)
            os.close(journal.descriptor)
        self._journal = self._new()
        return self._journal

    def _new(self) -> "_Journal":
        while True:
            path = self._folder / f"{uuid4().hex[:16]}.jsonl"
            descriptor = open_new(path)
            # A reconciler may have taken it for left before it was locked.
            if _is_linked(descriptor):
                return _Journal(path=path, descriptor=descriptor)
            os.close(descriptor)

    def _tell(self, path: Path, key: str, why: str) -> None:
        if (what := f"{path.name} {key}") not in self._told:
            self._told.add(what)
            log.error("answer.unsaved", why=f"{path}: {why}; it stays where it is")


@dataclass(slots=True, kw_only=True)
class _Journal:
    """The open file of one process."""

    path: Path
    descriptor: int
    #: Keys of the answers that the ledger does not have yet.
    kept: set[str] = field(default_factory=set)
    #: Its length, bytes.
    length: int = 0

    def append(self, line: bytes) -> bool:
        """False when the disk took only a part of it. Raises OSError."""
        written = os.write(self.descriptor, line)
        self.length += written
        return written == len(line)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    # Writable: over NFS an exclusive lock needs it.
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sync(descriptor: int) -> None:
    """Syncs it and closes it."""
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_linked(descriptor: int) -> bool:
    try:
        return os.fstat(descriptor).st_nlink > 0
    except OSError:
        # A file server that has forgotten it.
        return False


def _encode(key: str, answer: AcceptedAnswer) -> bytes:
    fields = {name: getattr(answer, name) for name in AcceptedAnswer.__slots__}
    return line_of({"key": key, **fields})


def _recorded(key: str) -> bytes:
    return line_of({"recorded": key})


def _outstanding(name: str, content: bytes) -> Iterator[tuple[str, AcceptedAnswer | None]]:
    """The answers of a journal that the ledger may not have, by key; None for a line that cannot be read."""
    found: dict[str, AcceptedAnswer | None] = {}
    for number, line in enumerate(content.split(b"\n")):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            if "recorded" in entry:
                found.pop(entry["recorded"], None)
            else:
                # A version before this one wrote a file for each answer, without a key.
                found[str(entry.get("key", name))] = _decode(entry)
        except (ValueError, TypeError, KeyError, AttributeError):
            found[f"line {number}"] = None
    yield from found.items()


def _decode(found: dict[str, Any]) -> AcceptedAnswer:
    """Raises ValueError, TypeError or KeyError when it is none of ours."""
    return AcceptedAnswer(
        ledger_id=str(found["ledger_id"]),
        request_id=RequestId(str(found["request_id"])),
        claim=str(found["claim"]),
        task_id=TaskId(str(found["task_id"])),
        sub_task_ids=tuple(map(str, found["sub_task_ids"])),
        first_poll_ms=int(found["first_poll_ms"]),
    )
