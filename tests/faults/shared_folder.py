"""Two collect hosts share pictures and files over a network file system: each has its own mount by SFTP, and its caches."""

import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.faults.outcome import Outcome, SkippedError, scenario
from tests.faults.rig import Rig, Setup
from tests.faults.standby import until
from tests.faults.verdict import judge
from tests.ports import free_port

_NEEDED = ("sshfs", "ssh-keygen", "fusermount3")
_SSHD = "/usr/sbin/sshd"


class Mounts:
    """A folder of this machine, mounted as often as there are hosts; up from `with` on."""

    def __init__(self, exported: Path, hosts: int) -> None:
        self._exported = exported
        self._folder = Path(tempfile.mkdtemp(prefix="mounts-"))
        self.hosts = [self._folder / f"host-{number}" for number in range(hosts)]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        missing = [name for name in _NEEDED if shutil.which(name) is None]
        if missing or not Path(_SSHD).exists() or os.geteuid() != 0 or not Path("/dev/fuse").exists():
            raise SkippedError("needs root, FUSE, sshfs and an OpenSSH server")
        for name in ("server", "client"):
            key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._folder / name)]
            subprocess.run(key, check=True)
        port, config = free_port(), self._folder / "sshd.conf"
        config.write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {self._folder}/server\nStrictModes no\nUsePAM no\n"
            f"AuthorizedKeysFile {self._folder}/client.pub\nPermitRootLogin yes\nPidFile none\n"
            "Subsystem sftp internal-sftp\n",
            encoding="utf-8",
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        self._run([_SSHD, "-D", "-f", str(config)])
        options = f"IdentityFile={self._folder}/client,StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null,LogLevel=ERROR"
        for host in self.hosts:
            host.mkdir()
            source = f"root@127.0.0.1:{self._exported}"
            words = ["sshfs", "-f", "-p", str(port), "-o", f"reconnect,{options}", source, str(host)]
            until(lambda words=words, host=host: self._mounted(words, host), f"{host.name} is mounted")

    def _mounted(self, words: list[str], host: Path) -> bool:
        if host.is_mount():
            return True
        # The server may not listen yet.
        process = self._run(words)
        until(lambda: host.is_mount() or process.poll() is not None, "it is mounted or has given up")
        if host.is_mount():
            self._stack.callback(subprocess.run, ["fusermount3", "-u", "-z", str(host)], check=False)
        return host.is_mount()

    def _run(self, words: list[str]) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)
        return process


class SharedFolder(Rig):
    """Two collect hosts on such mounts; the submit hosts have disks of their own."""

    def __init__(self, folder: Path, setup: Setup, mounts: Mounts) -> None:
        self._mounts = mounts
        super().__init__(folder, setup)

    def _own(self, queue: str, number: int) -> dict[str, str]:
        if queue == "submit":
            return {"VTON_DATA_DIR": str(self.folder / f"disk-{number}")}
        host = self._mounts.hosts[number]
        return {"VTON_DATA_DIR": str(host / "data"), "VTON_OUTPUT_DIR": str(host / "out")}


@scenario("many hosts", "two collect hosts share their folders over SFTP, one of them is killed")
def share_folders(folder: Path, *, jobs: int = 300) -> Outcome:
    """The other one finishes the pictures and the files that both have begun."""
    setup = Setup(submit=2, collect=2, in_flight=20, latency_s=0.5)
    with Mounts(folder, setup.collect) as mounts, SharedFolder(folder, setup, mounts) as rig:
        batch = rig.enqueue("batch", range(jobs))
        rig.until(lambda: rig.arrived(jobs // 3), "submits have begun", step_s=0.05)
        victim = rig.processes.of("collect")[0]
        victim.restarted = False
        victim.kill()
        rig.finish(batch, within_s=600)
        return Outcome(verdict=judge(rig, batch), faults=1)
