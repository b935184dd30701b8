"""Orders on disk: what a process has sent, or is about to, in case a server takes over that has not heard of it.

Each submit process appends to a journal of its own, `<data_dir>/orders/<16 hex>.jsonl`, mode 0600: a line for each intent in
the ledger, before its POST, and one for what became of it. A line stays for ten minutes at least and twenty at most, and
outlives the process; it is synced every second, so a machine that loses power loses what a second has brought.
After a fail-over every process brings in its own (`bring_in`), and those of its host's other processes, which may be dead or
hang.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

import structlog

from jobs.errors import ConfigError
from jobs.ledger import Ledger
from jobs.ledger.accepted_answers import AcceptedAnswer
from jobs.ledger.codec import encode
from jobs.ledger.high_water import HighWaterMark
from jobs.ledger.journal_file import line_of, locked_alone, open_new
from jobs.ledger.script import Call, run_all, script
from jobs.ledger.term import FIRST
from jobs.records import RequestId, TaskId
from jobs.redis.client import translated

log = structlog.get_logger()

FOLDER: Final = "orders"
#: A journal that has been written for so long is put aside for a new one, s; the one before it goes.
KEPT_S: Final = 600.0
#: Tasks that are asked for in one command.
_PAGE: Final = 500

#: open: its POST is under way; over: nobody will say what became of it; task: HiDream has taken it; none: it was not bought.
Became = Literal["open", "over", "task", "none"]
#: none: no server has taken over; awaits: others are waited for; lost: orders are missing, for a person; open: the gate is.
Rejoined = Literal["none", "awaits", "lost", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An order whose intent is in the ledger."""

    ledger_id: str
    #: A mark of the server that it was written to; its number there.
    server: str
    order: int
    request_id: RequestId
    claim: str
    #: When it was written, ms; until when its POST may be under way, ms from then.
    begun_ms: int
    deadline_ms: int
    #: The batch that pays.
    batch: str
    #: As the ledger keeps it, see jobs.ledger.codec.
    pair: str
    became: Became = "open"
    #: What HiDream has named.
    task_id: TaskId | None = None
    sub_task_ids: tuple[str, ...] = ()

    def bringing_in(self, *, lives: bool) -> Call[bool]:
        """The call that makes it known to a server that is not; `lives`: its process does, and will say more."""
        became = "over" if self.became == "open" and not lives else self.became
        args = (self.request_id, self.ledger_id, self.order, self.claim, self.begun_ms, self.batch, self.pair)
        told = (became, self.task_id or "", encode(list(self.sub_task_ids)), self.deadline_ms)
        return Call(script("jobs.ledger", "bring_order"), (*args, *told), bool)


class IntentJournals:
    """The folder; for every process of a host. A folder that cannot be written is logged, and never stops a submit."""

    def __init__(
        self,
        data_dir: Path,
        mark: HighWaterMark | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`mark`: the data folder's; `clock`: seconds."""
        self._folder = data_dir / FOLDER
        self._mark = mark
        self._clock = clock
        self._lock = threading.Lock()
        #: One thread brings in at a time.
        self._bringing = threading.Lock()
        self._name = ""
        self._journal: int | None = None
        self._former: int | None = None
        self._begun_s = 0.0
        #: Of the last server that orders went to, the one with the highest number, whether the disk has taken it or not.
        self._latest: Intent | None = None
        self._dirty = False
        #: Of the last fail-over after which all that is here was brought in.
        self._term = FIRST
        self._told: set[str] = set()

    def own(self) -> str:
        """Begins this process' journal, or does so later where the disk takes none; returns its name."""
        with self._lock:
            if not self._name:
                self._name = uuid4().hex[:16]
                try:
                    self._begin()
                    self._sweep()
                except OSError as error:
                    self._tell(f"{self._folder}: {error.strerror}")
            return self._name

    @property
    def name(self) -> str:
        """Of this process' journal; empty before it has begun one."""
        return self._name

    def began(self, intent: Intent) -> None:
        """It is in the ledger, and not sent yet."""
        latest = self._latest
        if latest is None or latest.server != intent.server or latest.order < intent.order:
            self._latest = intent
        fields = asdict(intent)
        del fields["became"], fields["task_id"], fields["sub_task_ids"]
        self._append(fields)

    def ended(self, claim: str, task_id: TaskId | None = None, sub_task_ids: Iterable[str] = ()) -> None:
        """What became of the order of a permit, before the ledger is told; without a task it was not bought."""
        self._append({"ended": claim, "task_id": task_id, "sub_task_ids": list(sub_task_ids)})

    def sync(self) -> None:
        """Makes what was written outlive the machine."""
        with self._lock:
            if self._journal is None or not self._dirty:
                return
            self._dirty, journal = False, os.dup(self._journal)
        try:
            with suppress(OSError):
                os.fsync(journal)
        finally:
            os.close(journal)

    def is_late(self, ledger: Ledger) -> bool:
        """Whether a server has taken over since all that is here was last brought in, as far as this process knows."""
        return ledger.term.text not in {FIRST, self._term}

    def bring_in(self, ledger: Ledger) -> Rejoined:
        """If a server has taken over, brings in this process' orders and those of the dead; one command if none has.

        Raises:
            RedisDownError: nothing is lost, it is tried again at the next call.
        """
        with self._bringing:
            base, ledger_id, history = _taken_over(ledger)
            if base is None:
                self._come_late(ledger)
                return "none"
            # Nobody waits for a journal that the disk has not taken; what would be in it is missed.
            latest = _missing([self._latest] if self._latest else [], ledger_id, history)
            known = {self._name: latest[0].order if latest else 0} if self._name else {}
            for name, lives, intents in self._missing(ledger_id, history):
                for intent in intents:
                    if intent.order > base and ledger.run(intent.bringing_in(lives=lives)):
                        log.warning("order.adopted", request_id=intent.request_id, task_id=intent.task_id)
                _record_answers(ledger, [each for each in intents if each.order <= base])
                # Another one that lives may know more, and is waited for; one that hangs is given up, but not its orders.
                if name == self._name or not lives:
                    known[name] = max(known.get(name, 0), *(each.order for each in intents), 0)
            answer = self._rejoin(ledger, ledger_id, known)
            if answer == "open":
                log.info("gate.resumed", why="every process has brought in its orders")
            elif answer == "lost":
                self._tell_lost(ledger)
            return answer

    def _come_late(self, ledger: Ledger) -> None:
        """The gate was opened without this host: a task that was taken before is asked for, not bought again."""
        if not self.is_late(ledger):
            return
        term = ledger.term.text
        with translated():
            told = ledger.client.hmget(ledger.key("meta"), "id", "history")
        for _, _, intents in self._missing(told[0] or "", told[1] or ""):
            _record_answers(ledger, intents)
        self._term = term

    def _missing(self, ledger_id: str, history: str) -> Iterator[tuple[str, bool, list[Intent]]]:
        """Of every process of this host: its journal, whether it lives, and its orders that went to another server."""
        for name, paths in self._journals().items():
            lives = name == self._name or any(map(_may_live, paths))
            try:
                yield name, lives, _missing(_read(paths), ledger_id, history)
            except OSError as error:
                self._tell(f"{self._folder / name}: {error.strerror}")

    def _rejoin(self, ledger: Ledger, ledger_id: str, known: Mapping[str, int]) -> Rejoined:
        """Says that journals are in. `known`: of each, the highest number of an order."""
        noted = None
        try:
            noted = self._mark.read() if self._mark is not None else None
        except ConfigError as error:
            # Its processes submit nothing themselves then; the others go on.
            self._tell(str(error))
        seen = noted.orders if noted is not None and noted.ledger == ledger_id else 0
        answer: Rejoined = "awaits"
        for name, most in known.items():
            args = (ledger_id, name, max(seen, most))
            answer = ledger.run(Call(script("jobs.ledger", "rejoin"), args, _rejoined))
            if answer == "open":
                break
        return answer

    def _journals(self) -> Mapping[str, list[Path]]:
        """Name → its files, the former one first."""
        found: dict[str, list[Path]] = {}
        for path in sorted(self._folder.glob("*.jsonl")):
            # Of one name `.former.jsonl` comes before `.jsonl`.
            found.setdefault(path.name.partition(".")[0], []).append(path)
        return found

    def _append(self, fields: dict[str, Any]) -> None:
        line = line_of(fields)
        with self._lock:
            try:
                if self._journal is None:
                    self._begin()
                elif self._clock() - self._begun_s > KEPT_S:
                    self._put_aside()
                assert self._journal is not None
                whole = os.write(self._journal, line) == len(line)
                self._dirty = True
            except OSError as error:
                self._tell(f"{self._folder}: {error.strerror}")
            else:
                if not whole:
                    self._tell(f"{self._folder}: the disk takes nothing, or a part of it")

    def _begin(self) -> None:
        self._journal = open_new(self._folder / f"{self._name}.jsonl")
        self._begun_s = self._clock()
        # A copy of it says nothing of whether its process lives.
        with suppress(OSError):
            os.write(self._journal, line_of({"inode": os.fstat(self._journal).st_ino}))

    def _put_aside(self) -> None:
        """Whoever cannot begin another one goes on in this one."""
        try:
            # Somebody may have removed it.
            with suppress(FileNotFoundError):
                (self._folder / f"{self._name}.jsonl").replace(self._folder / f"{self._name}.former.jsonl")
            journal = self._journal
            self._begin()
        except OSError as error:
            self._tell(f"{self._folder}: {error.strerror}")
            return
        if self._former is not None:
            os.close(self._former)
        self._former = journal

    def _sweep(self) -> None:
        """Removes journals of the dead in which nothing is that is kept."""
        for path in self._folder.glob("*.jsonl"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > 2 * KEPT_S and _alone(path) is not False:
                    path.unlink()

    def _tell(self, why: str) -> None:
        if why not in self._told:
            self._told.add(why)
            log.error("order.unsaved", why=why)

    def _tell_lost(self, ledger: Ledger) -> None:
        why = ledger.gate().paused or ""
        if why not in self._told:
            self._told.add(why)
            log.error("ledger.lost", why=why)


def _taken_over(ledger: Ledger) -> tuple[int | None, str, str]:
    """How many orders a server has heard of that has taken over, None when none has; the ledger's id, and its history's."""
    with translated():
        base = ledger.client.hget(ledger.key("recovery"), "base")
        if base is None:
            return None, "", ""
        told = ledger.client.hmget(ledger.key("meta"), "id", "history")
    return int(base), told[0] or "", told[1] or ""


def _record_answers(ledger: Ledger, intents: list[Intent]) -> None:
    """Of orders that the server has heard of, tasks that it has not."""
    taken = [each for each in intents if each.task_id is not None]
    for first in range(0, len(taken), _PAGE):
        page = taken[first : first + _PAGE]
        with translated():
            owners = ledger.client.hmget(ledger.key("tasks"), [each.task_id for each in page])
        for intent, owner in zip(page, owners, strict=True):
            if owner is None and intent.task_id is not None:
                answer = AcceptedAnswer(
                    ledger_id=intent.ledger_id,
                    request_id=intent.request_id,
                    claim=intent.claim,
                    task_id=intent.task_id,
                    sub_task_ids=intent.sub_task_ids,
                    first_poll_ms=0,
                )
                run_all(ledger.run, answer.recording())
                log.warning("answer.adopted", request_id=intent.request_id, task_id=intent.task_id)


def _missing(intents: Iterable[Intent], ledger_id: str, history: str) -> list[Intent]:
    return [
        each for each in intents if each.ledger_id == ledger_id and each.server != history[: len(each.server)]
    ]


def _may_live(path: Path) -> bool:
    """Whether the process of a journal lives, or nobody here knows: there are no locks, or it is a copy."""
    return _alone(path) is not True or _is_copy(path)


def _alone(path: Path) -> bool | None:
    """As `locked_alone`; True when the file is gone."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return True
    try:
        return locked_alone(descriptor)
    finally:
        os.close(descriptor)


def _is_copy(path: Path) -> bool:
    """Whether it is another file than its process began, as in a copied data folder; older versions did not note it."""
    with suppress(OSError, ValueError, LookupError, TypeError), path.open("rb") as journal:
        first = journal.read(64).split(b"\n")[1]
        return bool(json.loads(first)["inode"] != os.fstat(journal.fileno()).st_ino)
    return False


def _read(paths: list[Path]) -> Iterator[Intent]:
    """The orders of a journal, and what became of them. A line that its process did not finish was not sent yet."""
    found: dict[str, Intent] = {}
    for path in paths:
        content = b""
        with suppress(FileNotFoundError):
            content = path.read_bytes()
        for line in content.split(b"\n"):
            with suppress(ValueError, TypeError, KeyError, AttributeError):
                entry = json.loads(line)
                if "ended" not in entry:
                    found[entry["claim"]] = Intent(**entry)
                elif entry["task_id"] is None:
                    found[entry["ended"]] = replace(found[entry["ended"]], became="none")
                else:
                    found[entry["ended"]] = replace(
                        found[entry["ended"]],
                        became="task",
                        task_id=TaskId(entry["task_id"]),
                        sub_task_ids=tuple(entry["sub_task_ids"]),
                    )
    yield from found.values()


def _rejoined(reply: Any) -> Rejoined:
    return reply  # type: ignore[no-any-return]
