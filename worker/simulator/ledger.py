"""The simulator's books: tasks, charges, refusals, arrivals, credits; in memory, written through to SQLite if asked to.

The oracle of every test that says "nothing was bought twice": it counts what happened, not what was meant.
"""

import dataclasses
import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import ConfigError
from worker.simulator.limits import windows_over
from worker.simulator.tasks import Task

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (task_id TEXT PRIMARY KEY, ordinal INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS arrivals (at_s REAL NOT NULL);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, n INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS credits (one INTEGER PRIMARY KEY CHECK (one = 1), balance INTEGER);
CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, expires_s REAL NOT NULL);
"""


@dataclass(slots=True, kw_only=True)
class Trace:
    """What a caller has done about a task since this process began. Times are epoch seconds; None: not yet."""

    polls: int = 0
    #: A poll was answered that it has ended.
    seen: float | None = None
    #: A callback was answered with HTTP 200.
    called_back: float | None = None
    #: A picture was asked for, the first time.
    downloaded: float | None = None
    downloads: int = 0


class Ledger:
    """What has happened on the account."""

    def __init__(self, path: Path | None = None, *, credits: int | None = None) -> None:  # noqa: A002 the vendor's word
        """Opens the books.

        Args:
            path: SQLite file, made when it is missing; None: memory only.
            credits: pictures that can be paid at first, None without end; a balance in the file wins.

        Raises:
            ConfigError: the file cannot be opened or is not SQLite's.
        """
        self._db = _open(path) if path is not None else None
        self.tasks: dict[str, Task] = {}
        self.traces: dict[str, Trace] = {}
        self._by_request: dict[str, list[str]] = {}
        self._by_sub_task: dict[str, str] = {}
        self._live: set[str] = set()
        self.last_task_id = ""
        self.arrivals: list[float] = []
        self.counters: Counter[str] = Counter()
        self.tokens: dict[str, float] = {}
        self.credits: int | None = credits
        if self._db is not None:
            self._read(self._db)

    def arrive(self, now_s: float) -> None:
        """A submit has arrived, whatever becomes of it."""
        self.arrivals.append(now_s)
        self._store("INSERT INTO arrivals VALUES (?)", now_s)

    def count(self, name: str, n: int = 1) -> None:
        """Adds to a counter, e.g. `polls` or `refused:rate`."""
        self._set(name, self.counters[name] + n)

    def open_task(self, task: Task) -> None:
        """Files a new task and takes its charge from the balance."""
        if self.credits is not None:
            self.set_credits(self.credits - task.charged)
        self._file(task)
        self._write(task)
        if self.in_flight > self.counters["max_in_flight_seen"]:
            self._set("max_in_flight_seen", self.in_flight)

    def end_task(self, task_id: str, now_s: float) -> Task | None:
        """Ends a task: frees its slot, refunds the pictures that it did not make.

        Returns:
            The task as it is now; None when it had ended before.
        """
        if task_id not in self._live:
            return None
        task = self.tasks[task_id]
        task = dataclasses.replace(task, ended_s=now_s, refunded=task.charged - task.outcome.good)
        self._live.discard(task_id)
        self.tasks[task_id] = task
        if self.credits is not None and task.refunded:
            self.set_credits(self.credits + task.refunded)
        self._write(task)
        return task

    def set_credits(self, balance: int | None) -> None:
        """Sets the balance; None: without end."""
        self.credits = balance
        self._store("INSERT OR REPLACE INTO credits VALUES (1, ?)", balance)

    def keep_token(self, token: str, expires_s: float) -> None:
        """Remembers a token given for an api-key."""
        self.tokens[token] = expires_s
        self._store("INSERT OR REPLACE INTO tokens VALUES (?, ?)", token, expires_s)

    def note_poll(self, task: Task, now_s: float, *, seen: bool) -> None:
        """A poll was answered; `seen`: it said that the task has ended."""
        trace = self.traces[task.task_id]
        trace.polls += 1
        if seen and trace.seen is None:
            trace.seen = now_s

    def note_callback(self, task: Task, now_s: float) -> None:
        """A callback was taken."""
        self.traces[task.task_id].called_back = now_s

    def note_download(self, task: Task, now_s: float) -> None:
        """A picture was asked for."""
        trace = self.traces[task.task_id]
        trace.downloads += 1
        trace.downloaded = trace.downloaded or now_s

    @property
    def in_flight(self) -> int:
        """Tasks between submit and final state."""
        return len(self._live)

    def live(self) -> list[Task]:
        """The tasks under way."""
        return [self.tasks[task_id] for task_id in self._live]

    def of_request(self, request_id: str) -> Task | None:
        """The first task of a request_id."""
        found = self._by_request.get(request_id)
        return self.tasks[found[0]] if found else None

    def of_sub_task(self, sub_task_id: str) -> Task | None:
        """The task that a sub-task belongs to."""
        task_id = self._by_sub_task.get(sub_task_id)
        return self.tasks[task_id] if task_id else None

    def totals(self, *, images_per_minute: int = 0) -> dict[str, Any]:
        """The books in numbers, JSON-ready; `over_limit_windows` are counted against `images_per_minute`."""
        tasks = self.tasks.values()
        by_request = {
            request_id: self._sum(ids) for request_id, ids in self._by_request.items() if request_id
        }
        return {
            "tasks": len(self.tasks),
            "charges": sum(task.charged for task in tasks),
            "refunds": sum(task.refunded for task in tasks),
            "bought": sum(task.bought for task in tasks),
            "bought_twice": sorted(one for one, sums in by_request.items() if sums["paid_tasks"] > 1),
            "in_flight": self.in_flight,
            "max_in_flight_seen": self.counters["max_in_flight_seen"],
            "arrivals": len(self.arrivals),
            "over_limit_windows": windows_over(self.arrivals, images_per_minute),
            "polls": self.counters["polls"],
            "downloads": self.counters["downloads"],
            "refused": self._family("refused"),
            "callbacks": self._family("callbacks"),
            "credits": self.credits,
            "by_request_id": by_request,
        }

    def listing(self) -> list[dict[str, Any]]:
        """One JSON-ready line per task, oldest first."""
        return [
            {
                "request_id": task.request_id,
                "task_id": task.task_id,
                "sub_task_ids": task.sub_task_ids,
                "created": task.created_s,
                "ended": task.ended_s,
                "status": task.outcome.working
                if task.ended_s is None or task.outcome.stuck_s
                else task.outcome.status,
                "charged": task.charged,
                "refunded": task.refunded,
                "bought": task.bought,
                **dataclasses.asdict(self.traces[task.task_id]),
            }
            for task in self.tasks.values()
        ]

    def close(self) -> None:
        """Closes the file."""
        if self._db is not None:
            self._db.close()

    def _read(self, db: sqlite3.Connection) -> None:
        for (body,) in db.execute("SELECT body FROM tasks ORDER BY ordinal"):
            self._file(Task.decode(body))
        self.arrivals = [at for (at,) in db.execute("SELECT at_s FROM arrivals ORDER BY rowid")]
        self.counters.update(dict(db.execute("SELECT name, n FROM counters")))
        self.tokens.update(db.execute("SELECT token, expires_s FROM tokens"))
        for (balance,) in db.execute("SELECT balance FROM credits"):
            self.credits = balance

    def _sum(self, task_ids: list[str]) -> dict[str, int]:
        tasks = [self.tasks[task_id] for task_id in task_ids]
        return {
            "tasks": len(tasks),
            "charges": sum(task.charged for task in tasks),
            "bought": sum(task.bought for task in tasks),
            "paid_tasks": sum(task.bought > 0 for task in tasks),
        }

    def _family(self, prefix: str) -> dict[str, int]:
        return {
            name.partition(":")[2]: n
            for name, n in sorted(self.counters.items())
            if name.startswith(f"{prefix}:")
        }

    def _file(self, task: Task) -> None:
        self.tasks[task.task_id] = task
        self.traces[task.task_id] = Trace()
        self._by_request.setdefault(task.request_id, []).append(task.task_id)
        for sub_task_id in task.sub_task_ids:
            self._by_sub_task[sub_task_id] = task.task_id
        if task.ended_s is None:
            self._live.add(task.task_id)
        self.last_task_id = task.task_id

    def _write(self, task: Task) -> None:
        if self._db is not None:
            self._store(
                "INSERT OR REPLACE INTO tasks VALUES (?, ?, ?)", task.task_id, task.ordinal, task.encode()
            )

    def _set(self, name: str, n: int) -> None:
        self.counters[name] = n
        self._store("INSERT OR REPLACE INTO counters VALUES (?, ?)", name, n)

    def _store(self, statement: str, *values: object) -> None:
        if self._db is not None:
            self._db.execute(statement, values)


def _open(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise ConfigError(f"{path}: cannot be opened: {error}") from None
    try:
        # WAL without a sync per commit: it outlives a kill of the process, which is what tests do.
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_SCHEMA)
    except sqlite3.Error as error:
        db.close()
        raise ConfigError(f"{path}: cannot be used as the simulator's ledger: {error}") from None
    return db
