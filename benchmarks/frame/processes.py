"""Processes the harness starts: logs, CPU of a whole tree, an end by process id."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]


class BenchError(Exception):
    """A contender did not do its work; the message says where its log is."""


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a contender: ours without leftovers of a shell that had the product configured."""
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("VTON_", "HIDREAM_", "dramatiq_"))
    }
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | dict(extra)


def start(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path, stdin: int = subprocess.DEVNULL
) -> "subprocess.Popen[bytes]":
    """Starts a process in a session of its own, stdout and stderr appended to `log`."""
    with log.open("ab") as out:
        return subprocess.Popen(
            list(command), env=dict(env), cwd=cwd, stdin=stdin, stdout=out, stderr=out, start_new_session=True
        )


def stop(process: "subprocess.Popen[bytes]", patience_s: float = 10) -> None:
    """SIGTERM, then SIGKILL to the process and all that it started."""
    tree = _tree(process.pid)
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for member in tree:
        try:
            if member.is_running() and member.status() != psutil.STATUS_ZOMBIE:
                member.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(tree, timeout=5)


def cpu_s(processes: Sequence["subprocess.Popen[bytes]"]) -> float:
    """User and system seconds of the processes, all that they started, and all of those that have ended."""
    total = 0.0
    for process in processes:
        for member in _tree(process.pid):
            try:
                total += sum(member.cpu_times()[:4])
            except psutil.NoSuchProcess:
                continue
    return total


def rss_mb(processes: Sequence["subprocess.Popen[bytes]"]) -> float:
    """Resident memory of the trees, MB; shared pages count once per process."""
    total = 0
    for process in processes:
        for member in _tree(process.pid):
            try:
                total += member.memory_info().rss
            except psutil.NoSuchProcess:
                continue
    return total / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A command that has ended."""

    wall_s: float
    cpu_s: float
    #: Peak resident memory, MB.
    peak_mb: float


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    timeout_s: float,
    ok: Sequence[int] = (0,),
) -> Ran:
    """Runs a command to its end.

    Raises:
        BenchError: it took too long or ended with another exit code than those of `ok`.
    """
    began = time.perf_counter()
    process = start(command, env=env, cwd=cwd, log=log)
    timer = threading.Timer(timeout_s, process.kill)
    timer.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in ok:
        raise BenchError(
            f"exit {process.returncode} after {wall:.1f} s: {' '.join(command[:6])}: {tail(log)}"
        )
    return Ran(wall_s=wall, cpu_s=usage.ru_utime + usage.ru_stime, peak_mb=usage.ru_maxrss / 1024)


def tail(log: Path, size: int = 1500) -> str:
    """The last lines of a log, for an error message."""
    return f"{log}:\n{log.read_bytes()[-size:].decode(errors='replace')}" if log.exists() else f"{log}: empty"


def _tree(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
