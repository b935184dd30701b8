"""The processes of `vton run`: started with a log each, started again when they die, ended together.

Each child leads a session of its own: Ctrl-C in the terminal reaches the command alone, which ends its
children in its own order.
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from jobs.errors import ConfigError, VtonError
from jobs.local.child import YOUNG_DEATHS, YOUNG_S, Child, Program

__all__ = ["ChildDiedError", "Program", "Supervisor"]

log = structlog.get_logger()

_STEP_S = 0.02


class ChildDiedError(VtonError):
    """A child process cannot be kept alive."""


class Supervisor:
    """Keeps child processes alive. Not for several threads; use it from the main one.

    (Linux tells a child of its parent's death when the *thread* that started it ends.)
    """

    def __init__(
        self, log_dir: Path, *, stop_s: float = 10, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is started yet.

        Args:
            log_dir: gets `<name>.log` for each child, and `<name>.log.1` for what it wrote before.
            stop_s: how long children may take to end when the `with` block is left.
            clock: seconds, for the times between restarts.
        """
        self._log_dir = log_dir
        self._clock = clock
        self._stop_s = stop_s
        self._children: dict[str, Child] = {}
        #: Groups whose leader has died and whose members may still be ending.
        self._left: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(timeout_s=self._stop_s)

    def start(self, program: Program) -> None:
        """Starts a child.

        Raises:
            ValueError: there is one of this name.
        """
        if program.name in self._children:
            raise ValueError(f"{program.name} is already started")
        self._log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        child = Child(program, self._log_dir / f"{program.name}.log")
        child.start(self._clock())
        self._children[program.name] = child

    def poll(self) -> None:
        """Starts dead children again when their time has come; call it a few times a second.

        Raises:
            ChildDiedError: one died young too often; the sentence ends with its last log line.
            ConfigError: one has said by its exit code that only a person can fix it.
        """
        self._left = {group for group in self._left if _signal_group(group, 0)}
        for child in self._children.values():
            self._note_death(child)
            if child.misconfigured:
                said = child.find_line("vton: ") or child.last_line()
                raise ConfigError(f"{child.program.name}: {said.removeprefix('vton: ')}")
            if child.dies_young:
                raise ChildDiedError(
                    f"{child.program.name} died {YOUNG_DEATHS} times within {YOUNG_S:g} s of its start"
                    f" ({child.cause}): {child.last_line()}"
                )
            if child.start_if_due(self._clock()):
                log.warning(
                    "process.restarted",
                    process=child.program.name,
                    restarts=child.restarts,
                    cause=child.cause,
                )

    def ready_line(self, name: str, prefix: str, timeout_s: float) -> str:
        """Waits for a whole line of the child's output that begins so, and returns it without its end.

        Raises:
            ChildDiedError: it died first, or the time is over.
        """
        child = self._children[name]
        deadline = time.monotonic() + timeout_s
        while True:
            alive = child.running()
            line = child.find_line(prefix)
            if line is not None:
                return line
            if not alive:
                self._note_death(child)
                raise ChildDiedError(f"{name} died before it was ready ({child.cause}): {child.last_line()}")
            if time.monotonic() > deadline:
                raise ChildDiedError(f"{name} was not ready within {timeout_s:g} s: {child.last_line()}")
            time.sleep(_STEP_S)

    def stop(self, timeout_s: float, hurried: Callable[[], bool] = lambda: False) -> tuple[str, ...]:
        """Ends all children: SIGTERM, and after the time-out, or once `hurried`, SIGKILL to each one's whole group.

        Returns:
            The names of those that had to be killed.
        """
        children = list(self._children.values())
        for child in children:
            if child.running():
                child.send(signal.SIGTERM)
        groups = {child.group for child in children if child.group is not None}
        deadline = time.monotonic() + timeout_s
        while self._any_left(children) and time.monotonic() < deadline and not hurried():
            time.sleep(_STEP_S)
        killed = tuple(child.program.name for child in children if child.running())
        for group in groups | self._left:
            _signal_group(group, signal.SIGKILL)
        for child in children:
            child.wait()
        self._children.clear()
        self._left.clear()
        return killed

    @property
    def children(self) -> tuple[Child, ...]:
        """All of them, in the order of their start."""
        return tuple(self._children.values())

    def _note_death(self, child: Child) -> None:
        """Notes a death and asks those whom a dead leader left behind (a master's workers) to end."""
        group = child.note_death(self._clock())
        if group is not None and _signal_group(group, signal.SIGTERM):
            self._left.add(group)

    def _any_left(self, children: list[Child]) -> bool:
        running = [child.running() for child in children]
        return any(running) or any(_signal_group(group, 0) for group in self._left)


def _signal_group(group: int, signum: int) -> bool:
    """Signals all members of a group; False if it has none, or none of ours."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signum)
        return True
    return False
