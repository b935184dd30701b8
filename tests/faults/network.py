"""Hosts of one scenario: each in a network namespace of its own, joined by a bridge to this process's own."""

import ctypes
import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.faults.outcome import SkippedError
from tests.faults.pause import pause

_CLONE_NEWNET: Final = 0x40000000
_NETWORK: Final = "10.77.0"
#: A host that is not there: what is sent to it is lost without a word, as on a wire that was cut.
_NOBODY: Final = "02:00:00:00:de:ad"


class Network:
    """Up from `with` on; needs root, since the kernel gives nobody else namespaces that hosts of other users can enter."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._holders: dict[str, subprocess.Popen[bytes]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        _leave_for_a_network_of_our_own()
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", "bridge", "type", "bridge")
        _run("ip", "address", "add", f"{_NETWORK}.1/24", "dev", "bridge")
        _run("ip", "link", "set", "bridge", "up")
        for number, name in enumerate(self._names):
            self._add(name, number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def address(self, name: str) -> str:
        """A host's own."""
        return f"{_NETWORK}.{10 + self._names.index(name)}"

    def inside(self, name: str) -> tuple[str, ...]:
        """Words before a command that let it run on that host."""
        return ("nsenter", "--target", str(self._holders[name].pid), "--net", "--")

    def cut(self, one: str, other: str) -> None:
        """From now on nothing that one of the two sends reaches the other, and neither hears why."""
        for source, target in ((one, other), (other, one)):
            words = ("neighbour", "replace", self.address(target), "lladdr", _NOBODY, "dev", "eth0")
            _run(*self.inside(source), "ip", *words, "nud", "permanent")

    def join(self, one: str, other: str) -> None:
        """They reach each other again."""
        for source, target in ((one, other), (other, one)):
            _run(*self.inside(source), "ip", "neighbour", "delete", self.address(target), "dev", "eth0")

    def slow(self, *, delay_ms: int, loss_percent: float) -> bool:
        """Every host sends so late, and loses so much; False where this kernel cannot do that."""
        words = (
            "qdisc",
            "add",
            "dev",
            "eth0",
            "root",
            "netem",
            "delay",
            f"{delay_ms}ms",
            "loss",
            f"{loss_percent}%",
        )
        if shutil.which("tc") is None:
            return False
        return all(
            subprocess.run([*self.inside(name), "tc", *words], capture_output=True, check=False).returncode
            == 0
            for name in self._names
        )

    def _add(self, name: str, number: int) -> None:
        # It ends with us, however we end: nobody else holds the other end of its pipe.
        holder = subprocess.Popen(
            ["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        self._stack.callback(_end, holder)
        self._holders[name] = holder
        ours = Path("/proc/self/ns/net").readlink()
        while Path(f"/proc/{holder.pid}/ns/net").readlink() == ours:
            pause(0.02)
        _run("ip", "link", "add", f"host{number}", "type", "veth", "peer", "name", f"end{number}")
        _run("ip", "link", "set", f"host{number}", "master", "bridge", "up")
        _run("ip", "link", "set", f"end{number}", "netns", str(holder.pid))
        inside = self.inside(name)
        _run(*inside, "ip", "link", "set", "lo", "up")
        _run(*inside, "ip", "link", "set", f"end{number}", "name", "eth0")
        _run(*inside, "ip", "address", "add", f"{self.address(name)}/24", "dev", "eth0")
        _run(*inside, "ip", "link", "set", "eth0", "up")


def _leave_for_a_network_of_our_own() -> None:
    """Raises SkippedError where that is not allowed."""
    if missing := [name for name in ("ip", "nsenter", "unshare") if shutil.which(name) is None]:
        raise SkippedError(f"no {missing[0]} here")
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or libc.unshare(_CLONE_NEWNET) != 0:
        raise SkippedError("network namespaces are not allowed here")


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def _end(holder: "subprocess.Popen[bytes]") -> None:
    assert holder.stdin is not None
    holder.stdin.close()
    holder.wait()
