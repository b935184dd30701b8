"""Ours as contenders: the documented processes and settings, nothing else."""

import json
import threading
import urllib.request
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import ClassVar

from benchmarks.frame.contenders import Contender, product_python
from benchmarks.frame.processes import ROOT, environment, run
from benchmarks.frame.services import free_port

#: No limit, in words that a setting can hold.
UNLIMITED = 1_000_000


class Ours(Contender):
    """Submit and collect workers started as docs and `vton run` start them; manifests come by `vton enqueue`."""

    name = "ours, polling"
    callbacks = False
    #: Collect processes.
    collects = 1
    #: The tree whose build is measured; its own `.venv` runs it, if it is not this one.
    checkout: ClassVar[Path] = ROOT

    @classmethod
    def python(cls) -> str:
        """The Python that has the build."""
        return product_python() if cls.checkout == ROOT else str(cls.checkout / ".venv" / "bin" / "python")

    @classmethod
    def vton(cls) -> list[str]:
        """The command of the build."""
        return [cls.python(), "-c", "from jobs.cli import main; main()"]

    def start(self) -> None:
        load, env = self.ground.load, self.env()
        if self.callbacks:
            self.launch("serve", [*self.vton(), "serve"], env)
        for number in range(self.collects):
            self.launch(f"collect{number}", self._dramatiq("collect", 2), env)
        for number in range(load.processes):
            self.launch(f"submit{number}", self._dramatiq("submit", self.threads()), env)

    def threads(self) -> int:
        """Submit threads in each process; a thread is needed while a POST is under way, not while a task runs."""
        load = self.ground.load
        if load.rate:
            return 8  # the default of config.yaml
        wanted = load.slots or load.concurrency
        return max(2, wanted // load.processes)

    def feed(self, manifest: Path) -> None:
        log = self.ground.folder / "enqueue.log"
        run(
            [*self.vton(), "enqueue", str(manifest)],
            env=environment(self.env()),
            cwd=self.ground.folder,
            log=log,
            timeout_s=self.ground.load.timeout_s,
        )

    def recorded(self) -> int:
        """Rows in the files that people get; an older build has a checkpoint among them."""
        files = list(self.ground.out.glob("*/results.jsonl"))
        return sum(file.read_bytes().count(b'"request_id":') for file in files)

    def _dramatiq(self, queue: str, threads: int) -> list[str]:
        return [self.python(), "-m", "dramatiq", "worker.app", "-Q", queue, "-p", "1", "-t", str(threads)]

    def env(self) -> dict[str, str]:
        """Everything that differs from config.yaml's defaults."""
        return self._site() | self._by_hand() | self._callbacks()

    def _site(self) -> dict[str, str]:
        """What every shop sets: where things are, and the account's limits."""
        ground, load = self.ground, self.ground.load
        return {
            "PYTHONPATH": str(self.checkout),
            "HIDREAM_TOKEN": "sk-bench",
            "VTON_HIDREAM__BASE_URL": ground.vendor_url,
            "VTON_REDIS__URL": ground.redis_url,
            "VTON_OUTPUT_DIR": str(ground.out),
            "VTON_DATA_DIR": str(ground.out / ".vton"),
            "VTON_LIMITS__IN_FLIGHT": str(load.slots or UNLIMITED),
            "VTON_LIMITS__IMAGES_PER_MINUTE": str(load.rate * 60 or UNLIMITED),
        }

    def _by_hand(self) -> dict[str, str]:
        """What only a bench sets."""
        load = self.ground.load
        return {
            # config.yaml's 50 are for tasks of 12 s; those of the bench are six times as short.
            "VTON_LIMITS__POLLS_PER_SECOND": "300" if load.slots else str(UNLIMITED),
            "VTON_TASKS__LATENCY_S": str(load.latency_s),
            "VTON_WORKERS__SUBMIT_THREADS": str(self.threads()),
            "VTON_LOGS__LEVEL": "info",
            # As `vton run` sets them for its children.
            "dramatiq_queue_prefetch": str(self.threads()),
            "dramatiq_worker_timeout": "100",
        }

    def _callbacks(self) -> dict[str, str]:
        if not self.callbacks:
            return {}
        if not hasattr(self, "_port"):
            self._port = free_port()
        return {
            "VTON_CALLBACKS__PUBLIC_URL": f"http://127.0.0.1:{self._port}",
            "VTON_CALLBACKS__PORT": str(self._port),
            "VTON_CALLBACKS__SECRET": "bench-secret-of-thirty-two-bytes-or-more",
        }


class OursTwoCollect(Ours):
    """The same with a second collect process."""

    name = "ours, two collect processes"
    collects = 2


class OursWithProgress(Ours):
    """The same while the vendor says how far each task is; the others could not make use of it."""

    name = "ours, polling, vendor says progress"
    progress = True


class OursWithCallbacks(Ours):
    """The same with `vton serve` beside it."""

    name = "ours, callbacks"
    callbacks = True


class OursScraped(Ours):
    """The same with metrics on, and the one page of the host asked for every five seconds."""

    name = "ours, scraped every 5 s"

    def start(self) -> None:
        self._all_port, self._over = free_port(), threading.Event()
        super().start()
        self.launch("metrics", [*self.vton(), "metrics", "--serve"], self.env())
        self._thread = threading.Thread(target=self._scrape, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        super().stop()

    def env(self) -> dict[str, str]:
        return super().env() | {"VTON_METRICS__PORT": "9600", "VTON_METRICS__ALL_PORT": str(self._all_port)}

    def _scrape(self) -> None:
        while not self._over.wait(5):
            with (
                suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{self._all_port}/metrics", timeout=5) as page,
            ):
                page.read()


class OursWatched(OursScraped):
    """Scraped likewise, and three people look at the dashboard."""

    name = "ours, 3 viewers and scraped every 5 s"
    viewers = 3
    _token = "letters-of-a-benchmark"

    def start(self) -> None:
        self._port, self._heard = free_port(), [0] * self.viewers
        super().start()
        self.launch("dashboard", [*self.vton(), "serve", "--dashboard"], self.env())
        self._watching = [
            threading.Thread(target=self._watch, args=(number,), daemon=True)
            for number in range(self.viewers)
        ]
        for each in self._watching:
            each.start()

    def stop(self) -> None:
        self._over.set()
        for each in self._watching:
            each.join()
        super().stop()
        if not all(self._heard):
            raise RuntimeError(f"not every viewer has heard of anything: {self._heard}")

    def env(self) -> dict[str, str]:
        own = {"VTON_DASHBOARD__PORT": str(self._port), "VTON_DASHBOARD__TOKEN": self._token}
        return super().env() | own

    def _watch(self, number: int) -> None:
        """Looks as a browser does, until it is over; before the server is there it tries again."""
        while not self._over.is_set():
            with suppress(OSError, HTTPException):
                connection = HTTPConnection("127.0.0.1", self._port, timeout=10)
                same = {"sec-fetch-site": "same-origin", "x-vton-review": "enter"}
                connection.request("POST", "/enter", json.dumps({"token": self._token}), same)
                entered = connection.getresponse()
                entered.read()
                cookie = (entered.getheader("set-cookie") or "").partition(";")[0]
                connection.request("GET", "/events", headers={"cookie": cookie})
                stream = connection.getresponse()
                while not self._over.is_set() and stream.readline():
                    self._heard[number] += 1
                connection.close()
            self._over.wait(0.2)


class OursRun(Ours):
    """`vton run` with nothing set but the account's limits: threads, polls and downloads follow from them."""

    name = "ours: vton run, default settings"
    words: tuple[str, ...] = ()

    def start(self) -> None:
        """Every run starts its own workers."""

    def feed(self, manifest: Path) -> None:
        run(
            [*self.vton(), "run", str(manifest), *self.words],
            env=environment(self._site()),
            cwd=self.ground.folder,
            log=self.ground.folder / "run.log",
            timeout_s=self.ground.load.timeout_s,
        )


class OursRunFour(OursRun):
    """The same with four submit processes, on a machine that may have fewer cores."""

    name = "ours: vton run --workers 4"
    words = ("--workers", "4")


def before(kind: type[Ours], checkout: Path) -> type[Ours]:
    """The same contender from another tree's build."""
    return type(f"Before{kind.__name__}", (kind,), {"name": f"before: {kind.name}", "checkout": checkout})
