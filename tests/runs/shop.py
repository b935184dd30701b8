"""A shop with a folder of its own and the `vton` command as people start it; what it must never say is looked for."""

import base64
import csv
import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.runs.vendor import Vendor, picture_of

ROOT = Path(__file__).parents[2]
#: Made of what tokens are made of, and nowhere else in the tree.
TOKEN = "sk-canary-7f3e9b1c5d8a2046"
SECRET = "callback-canary-51e0c7d29f"
#: What one child of a run may take until its first answer, on a busy machine.
PATIENCE_S = 90


@dataclass
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]


@dataclass
class Batch:
    """A batch's files as a reader meets them."""

    folder: Path

    @property
    def lines(self) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in (self.folder / "results.jsonl").read_text().splitlines()]
        assert [line["row"] for line in found] == list(range(1, len(found) + 1)), "one a row, in order"
        return found

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.folder / "summary.json").read_text())

    def table(self, name: str = "results.csv") -> list[dict[str, str]]:
        with (self.folder / name).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    def statuses(self) -> list[str]:
        return [row["vton_status"] for row in self.table()]


@dataclass
class Shop:
    """One shop: its folder, its account at the vendor, its environment."""

    folder: Path
    vendor: Vendor
    env: dict[str, str]
    said: list[str] = field(default_factory=list)
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def urls(self, count: int, *, prefix: str = "g", name: str = "batch.csv") -> str:
        """Writes a manifest of `count` different pairs by URL and returns its name."""
        rows = [f"S{n},https://cdn.example/p.jpg,https://cdn.example/{prefix}{n}.png" for n in range(count)]
        self.write(name, "sku,person,upper\n" + "\n".join(rows) + "\n")
        return name

    def start(self, *words: str, stdin: Path | None = None, **env: str) -> "subprocess.Popen[str]":
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # Tests that were started in the background would hand this on, and Ctrl-C would be nothing.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        with ExitStack() as stack:
            source = stack.enter_context(stdin.open("rb")) if stdin else subprocess.DEVNULL
            process = subprocess.Popen(
                [str(Path(sys.executable).with_name("vton")), *words],
                cwd=self.folder,
                env=self.env | env,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        self.running.append(process)
        return process

    def start_worker(self, queue: str) -> "subprocess.Popen[str]":
        """A worker of one queue, as a service manager starts it; its log is `<queue>.log`."""
        argv = [sys.executable, "-m", "dramatiq", "worker.app", "-Q", queue, "-p", "1", "-t", "4"]
        with (self.folder / f"{queue}.log").open("wb") as out:
            process: subprocess.Popen[str] = subprocess.Popen(
                argv, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        self.running.append(process)
        return process

    def end(self, process: "subprocess.Popen[str]") -> Ended:
        out, err = process.communicate(timeout=PATIENCE_S)
        self.said += [out, err]
        assert "Traceback" not in err, err
        return Ended(process.returncode, out, err)

    def vton(self, *words: str, stdin: Path | None = None, **env: str) -> Ended:
        return self.end(self.start(*words, stdin=stdin, **env))

    def run(self, manifest: str, *words: str, code: int = 0, **env: str) -> Batch:
        ended = self.vton("run", manifest, "-o", "out", *words, **env)
        assert ended.code == code, (ended.code, ended.out, ended.err, self.logs())
        return self.only_batch() if len(list((self.folder / "out").iterdir())) == 1 else self.batch(ended)

    def batch(self, ended: Ended) -> Batch:
        (report,) = [line for line in ended.out.splitlines() if line.startswith("report: ")]
        return Batch(self.folder / Path(report.removeprefix("report: ")).parent)

    def only_batch(self) -> Batch:
        (folder,) = (self.folder / "out").iterdir()
        return Batch(folder)

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.folder.glob(".vton/logs/*.log*")))

    def agree(self, batch: Batch) -> None:
        """Files, and the vendor's own books, one to one: each row's picture is its task's, bought once."""
        tasks = self.vendor.tasks
        for line in batch.lines:
            if line["status"] != "succeeded":
                assert line["images"] == []
                continue
            task = tasks[line["task_id"]]
            assert task.request_id == line["request_id"]
            (image,) = line["images"]
            assert (batch.folder / image["path"]).read_bytes() == picture_of(task)
        done = {line["task_id"] for line in batch.lines if line["status"] == "succeeded"}
        pictures = {image["path"] for line in batch.lines for image in line["images"]}
        assert {f"images/{path.name}" for path in (batch.folder / "images").iterdir()} == pictures
        assert done <= tasks.keys()
        counts = batch.summary["status"]
        assert sum(counts.values()) == batch.summary["rows"] == len(batch.table())
        assert len(batch.lines) == sum(counts.values())
        assert not [path for path in self.folder.rglob("*.tmp*") if path.is_file()]
        assert not self.vendor.strangers

    def leaks(self) -> list[str]:
        """Where a secret or a picture's base64 stands; also in Redis, whose append-only file is among the files."""
        needles = [TOKEN.encode(), SECRET.encode()]
        for path in self.folder.glob("*.jpg"):
            encoded = base64.b64encode(path.read_bytes())
            needles += [encoded[200:260]]
        found = [f"said: {text}" for text in self.said if any(needle in text.encode() for needle in needles)]
        for path in self.folder.rglob("*"):
            if path.is_file() and not path.is_socket():
                content = path.read_bytes()
                found += [f"{path}: {needle[:12]!r}" for needle in needles if needle in content]
        return found

    def close(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=PATIENCE_S)


def open_shop(folder: Path, vendor: Vendor) -> Shop:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    env = inherited | {
        "HIDREAM_TOKEN": TOKEN,
        "VTON_HIDREAM__BASE_URL": vendor.url,
        "VTON_LIMITS__IN_FLIGHT": "10",
        "VTON_LIMITS__IMAGES_PER_MINUTE": "60000",
        "VTON_TASKS__LATENCY_S": "0.06",
        "VTON_WORKERS__PATIENCE_S": "0.5",
        "VTON_WORKERS__RECONCILE_S": "0.3",
        "VTON_WORKERS__EXPORT_S": "0.3",
        "VTON_WORKERS__SUBMIT_THREADS": "4",
    }
    return Shop(folder=folder, vendor=vendor, env=env)
