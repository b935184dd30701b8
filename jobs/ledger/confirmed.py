"""Steps that replicas have confirmed: behind a script, on its connection, a wait until so many of them hold what it wrote.

The wait is a command of its own: inside of a script or a transaction it would vouch for what was written before that. All
of it goes in one piece to one connection, once. A connection that was made anew would have written nothing yet, and its wait
would be over at once: so whatever goes wrong is no confirmation. A counter is raised in between, because a script that finds
its work done writes nothing, and newer servers then wait for nothing either.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from redis.exceptions import NoScriptError, RedisError, ResponseError

from jobs.errors import RedisDownError, UnconfirmedError
from jobs.ledger import Ledger
from jobs.ledger.script import AsyncRunner, Call, Runner, run_all, run_all_async
from jobs.ledger.term import KnownTerm
from jobs.records import TaskId
from jobs.redis.client import translated
from jobs.redis.retry import tried_once

T = TypeVar("T")
#: A command, and commands that are sent in one piece.
Words = tuple[str | int, ...]
Piece = list[Words]
#: Pieces, each chosen by the replies to the one before.
Pieces = Generator[Piece, list[Any], T]

#: How long replicas are waited for, ms: a server that syncs its file once a second needs one of them.
WAIT_MS: Final = 2_000
#: A replica says what its file holds when it is asked, and before it has synced what came with the question; unasked, once a
#: second. So its memory is waited for first, ms: the second question finds the file synced.
_MEMORY_MS: Final = 500
#: What is asked first: whether the server knows the stronger wait, and has a file of its own to wait for.
_PROBE: Final = ("WAITAOF", 1, 0, 1)
_WEAKER: Final = ("unknown command", "appendonly is disabled")


@dataclass(slots=True)
class Way:
    """How the primary is asked; found out at first, and again after a refusal, since another one may be the primary then."""

    replicas: int
    waits: Piece = field(default_factory=list)

    def script(self, prefix: str, call: Call[Any], term: KnownTerm) -> Pieces[Any]:
        """What runs a script; its reply. Raises UnconfirmedError."""
        while True:
            words = 2, prefix, term.key(prefix), *call.args
            try:
                (reply,), fault = yield from self.sent(prefix, [("EVALSHA", call.script.sha, *words)])
                if isinstance(reply, NoScriptError):
                    (reply,), fault = yield from self.sent(prefix, [("EVAL", call.script.text, *words)])
                break
            except ResponseError as error:
                if not term.learns(error):
                    raise
        if fault is not None:
            raise fault
        return reply

    def sent(self, prefix: str, piece: Piece) -> Pieces[tuple[list[Any], UnconfirmedError | None]]:
        """What sends commands; their replies, and why what they found or wrote is not confirmed. Raises their errors."""
        if not self.waits:
            self.waits = self._learn((yield [_PROBE])[0])
        answers = yield [*piece, ("INCR", f"{prefix}:confirmed"), *self.waits]
        replies = answers[: len(piece)]
        for reply in replies:
            if isinstance(reply, RedisError) and not isinstance(reply, NoScriptError):
                raise reply
        return replies, self._fault(answers[-1])

    def _learn(self, answer: Any) -> Piece:
        if not isinstance(answer, RedisError):
            return [("WAIT", self.replicas, _MEMORY_MS), ("WAITAOF", 1, self.replicas, WAIT_MS)]
        if any(word in str(answer) for word in _WEAKER):
            return [("WAIT", self.replicas, WAIT_MS)]
        raise UnconfirmedError(f"replicas cannot be waited for: {answer}")

    def _fault(self, waited: Any) -> UnconfirmedError | None:
        if isinstance(waited, RedisError):
            self.waits = []
            return UnconfirmedError(f"replicas cannot be waited for: {waited}")
        on_disk, there = (1, waited) if isinstance(waited, int) else waited
        if there >= self.replicas and on_disk:
            return None
        own = "" if on_disk else ", and the primary itself has not synced it"
        return UnconfirmedError(
            f"{there} of {self.replicas} replicas have the last write after {WAIT_MS / 1000:g} s{own}"
        )


@dataclass(frozen=True, slots=True)
class ConfirmedRunner:
    """The door for threads."""

    client: Any
    prefix: str
    way: Way
    term: KnownTerm = field(default_factory=KnownTerm, kw_only=True)

    def run(self, call: Call[T]) -> T:
        """Runs a call once. Raises UnconfirmedError: it may have run, and nobody knows whether replicas have it."""
        with _unconfirmed():
            return call.read(run_all(self._send, self.way.script(self.prefix, call, self.term)))

    def try_one(self) -> None:
        """Has a write of no meaning confirmed. Raises UnconfirmedError."""
        with _unconfirmed():
            _, fault = run_all(self._send, self.way.sent(self.prefix, []))
            if fault is not None:
                raise fault

    def _send(self, piece: Piece) -> list[Any]:
        replies: list[Any] = _queued(self.client, piece).execute(raise_on_error=False)
        return replies


@dataclass(frozen=True, slots=True)
class AsyncConfirmedRunner(AsyncRunner):
    """The door for coroutines."""

    way: Way

    async def run(self, call: Call[T]) -> T:
        """Runs a call once. Raises UnconfirmedError: it may have run, and nobody knows whether replicas have it."""
        with _unconfirmed():
            return call.read(await run_all_async(self._send, self.way.script(self.prefix, call, self.term)))

    async def owners_of(self, tasks: Sequence[TaskId]) -> tuple[list[str | None], UnconfirmedError | None]:
        """The job that has each task, None where none has; and why replicas may not know it. Raises UnconfirmedError."""
        piece: Piece = [("HGET", f"{self.prefix}:tasks", task) for task in tasks]
        with _unconfirmed():
            return await run_all_async(self._send, self.way.sent(self.prefix, piece))

    async def _send(self, piece: Piece) -> list[Any]:
        replies: list[Any] = await _queued(self.client, piece).execute(raise_on_error=False)
        return replies


def recorder(ledger: Ledger, replicas: int) -> Runner:
    """What records an answer for good: the ledger, or, where replicas have to confirm it, only with them."""
    return (
        ConfirmedRunner(ledger.client, ledger.prefix, Way(replicas), term=ledger.term) if replicas else ledger
    )


def _queued(client: Any, piece: Piece) -> Any:
    """A pipeline that sends them at once; no transaction."""
    pipeline = client.pipeline(transaction=False)
    for words in piece:
        pipeline.execute_command(*words)
    return pipeline


@contextmanager
def _unconfirmed() -> Iterator[None]:
    """Whatever keeps Redis from answering leaves it open who has it."""
    try:
        with tried_once(), translated():
            yield
    except UnconfirmedError:
        raise
    except RedisDownError as error:
        raise UnconfirmedError(str(error)) from error
