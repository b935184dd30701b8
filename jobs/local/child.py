"""One child process: its program, its log, its deaths.

On Linux a child gets a signal when the command that started it dies in any way, kill -9 among them; elsewhere it
lives on.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jobs.config.exit_codes import ExitCode

#: A child that lives shorter than this has died young, and this many such deaths in a row are enough.
YOUNG_S = 2.0
YOUNG_DEATHS = 5
_LOG_BYTES = 5_000_000
_FIRST_DELAY_S = 0.2
_LONGEST_DELAY_S = 5.0
_TAIL_BYTES = 4096

#: Unless the program's own says otherwise. Threads of ours share one interpreter: arenas of memory for each would be
#: some megabytes more, and no quicker (glibc).
_ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "1"}

#: Runs before the child's own program, in the same process: prctl(PR_SET_PDEATHSIG) survives exec, and so no
#: code of ours has to run between fork and exec in a command that may have threads. The look at the parent
#: closes the gap before the first line.
_DIES_WITH_PARENT = """\
import ctypes, os, sys
signum, parent = int(sys.argv[1]), int(sys.argv[2])
ctypes.CDLL(None, use_errno=True).prctl(1, signum, 0, 0, 0)
if os.getppid() != parent:
    sys.exit(1)
try:
    os.execvp(sys.argv[3], sys.argv[3:])
except OSError as error:
    sys.exit(f"{sys.argv[3]}: {error.strerror}")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a child runs."""

    #: Unique; also the name of its log file.
    name: str
    argv: tuple[str, ...]
    #: The whole environment.
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    #: What the child gets when the command dies before it (Linux).
    death_signal: signal.Signals = signal.SIGTERM


class Child:
    """One program, and the process that runs it now."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self._log = log
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._due_s = 0.0
        self._young_deaths = 0
        self.restarts = -1
        #: Of its last death, negative for a signal; None if it never died.
        self.exit_code: int | None = None

    @property
    def group(self) -> int | None:
        """Its process group, and its process; None while it waits to be started again."""
        return None if self._process is None else self._process.pid

    @property
    def dies_young(self) -> bool:
        """Died young too often."""
        return self._young_deaths >= YOUNG_DEATHS

    @property
    def misconfigured(self) -> bool:
        """It ended by itself because of a setting or the token: started again it would say the same."""
        return self._process is None and self.exit_code == ExitCode.CONFIG

    @property
    def cause(self) -> str:
        """How it died last, in words."""
        code = self.exit_code or 0
        return f"exit code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"

    def start(self, now: float) -> None:
        """Runs the program, its output at the end of its log."""
        if self._log.exists() and self._log.stat().st_size > _LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))
        output = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._log_start = os.fstat(output).st_size
            self._process = subprocess.Popen(
                _dying_with_us(self.program),
                env={**_ENVIRONMENT, **self.program.env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            os.close(output)
        self._started_s = now
        self.restarts += 1

    def start_if_due(self, now: float) -> bool:
        """Runs a dead one again when it has waited long enough; whether it did."""
        due = self._process is None and now >= self._due_s
        if due:
            self.start(now)
        return due

    def note_death(self, now: float) -> int | None:
        """Notes a death once.

        Returns:
            The group it led, if it was found dead just now.
        """
        group = self.group
        if self._process is None or self._process.poll() is None:
            return None
        self.exit_code = self._process.returncode
        self._process = None
        self._young_deaths = self._young_deaths + 1 if now - self._started_s < YOUNG_S else 0
        self._due_s = now + min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2 ** max(0, self._young_deaths - 1))
        return group

    def running(self) -> bool:
        """Whether it has a process that has not ended."""
        return self._process is not None and self._process.poll() is None

    def send(self, signum: signal.Signals) -> None:
        """Signals the process itself, not its group."""
        if self._process is not None:
            self._process.send_signal(signum)

    def wait(self) -> None:
        """Returns when the process has ended."""
        if self._process is not None:
            self._process.wait()

    def find_line(self, prefix: str) -> str | None:
        """The first whole line since the last start that begins so."""
        with self._log.open("rb") as file:
            file.seek(self._log_start)
            for line in file:
                if line.startswith(prefix.encode()) and line.endswith(b"\n"):
                    return line.decode(errors="replace").rstrip()
        return None

    def last_line(self) -> str:
        """The last line of the log that says something."""
        with self._log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            words = file.read().decode(errors="replace").strip()
        return words.rpartition("\n")[2] or f"no word in {self._log}"


def _dying_with_us(program: Program) -> list[str]:
    if sys.platform != "linux":
        return list(program.argv)
    start = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        _DIES_WITH_PARENT,
        str(int(program.death_signal)),
        str(os.getpid()),
    ]
    return [*start, *program.argv]
