"""A call of a Lua script is a value; two small doors run it, one for threads, one for coroutines.

Every script begins with `lua/prelude.lua`, so the gate's scripts and the ledger's make the same transitions.
"""

import hashlib
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Generic, Protocol, TypeVar

from redis.exceptions import NoScriptError, ResponseError

from jobs.ledger.term import KnownTerm
from jobs.redis.client import translated

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text and the name Redis caches it under."""

    text: str
    sha: str


@cache
def script(package: str, name: str) -> Script:
    """The script `name`.lua of a package, with the prelude before it."""
    prelude = files("jobs.ledger").joinpath("lua", "prelude.lua").read_text(encoding="utf-8")
    text = prelude + files(package).joinpath("lua", name + ".lua").read_text(encoding="utf-8")
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A script with its arguments and the way to read its reply."""

    script: Script
    args: tuple[Any, ...]
    read: Callable[[Any], T]


#: Calls one after the other, each chosen by what those before it have answered.
Calls = Generator[Call[Any], Any, T]


class Runner(Protocol):
    """Runs calls against one ledger."""

    def run(self, call: Call[T]) -> T:
        """Runs a call. Raises RedisDownError when Redis does not answer."""


def run_all(run: Callable[[Any], Any], calls: Generator[Any, Any, T]) -> T:
    """Runs calls to their end; what `run` raises ends it."""
    try:
        call = next(calls)
        while True:
            call = calls.send(run(call))
    except StopIteration as end:
        ended: T = end.value
        return ended


async def run_all_async(run: Callable[[Any], Awaitable[Any]], calls: Generator[Any, Any, T]) -> T:
    """The same for a coroutine."""
    try:
        call = next(calls)
        while True:
            call = calls.send(await run(call))
    except StopIteration as end:
        ended: T = end.value
        return ended


@dataclass(frozen=True, slots=True)
class SyncRunner:
    """The door for threads."""

    client: Any
    prefix: str
    term: KnownTerm = field(default_factory=KnownTerm, kw_only=True)

    def run(self, call: Call[T]) -> T:
        """Runs a call. Raises RedisDownError when Redis does not answer."""
        with translated():
            while True:
                try:
                    reply = self._try(call)
                    break
                except ResponseError as error:
                    if not self.term.learns(error):
                        raise
        return call.read(reply)

    def _try(self, call: Call[Any]) -> Any:
        keys = 2, self.prefix, self.term.key(self.prefix)
        try:
            return self.client.evalsha(call.script.sha, *keys, *call.args)
        except NoScriptError:
            return self.client.eval(call.script.text, *keys, *call.args)


@dataclass(frozen=True, slots=True)
class AsyncRunner:
    """The door for coroutines."""

    client: Any
    prefix: str
    term: KnownTerm = field(default_factory=KnownTerm, kw_only=True)

    async def run(self, call: Call[T]) -> T:
        """Runs a call. Raises RedisDownError when Redis does not answer."""
        with translated():
            while True:
                try:
                    reply = await self._try(call)
                    break
                except ResponseError as error:
                    if not self.term.learns(error):
                        raise
        return call.read(reply)

    async def _try(self, call: Call[Any]) -> Any:
        keys = 2, self.prefix, self.term.key(self.prefix)
        try:
            return await self.client.evalsha(call.script.sha, *keys, *call.args)
        except NoScriptError:
            return await self.client.eval(call.script.text, *keys, *call.args)
