"""Lets the product have each file in a process of its own, and measures what that costs.

`python -m tests.hostile.runner` reads names of cases from its input, a line each, and answers each with a line of JSON.
"""

import asyncio
import json
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from jobs.config.settings import HiDreamSettings, PictureSettings
from jobs.errors import VtonError
from jobs.manifest import open_manifest
from jobs.pictures.check import LocalPictures
from jobs.pictures.store import PictureStore
from jobs.producing.planning import Planner
from jobs.products.records import LeftOut, Product
from jobs.products.sources import Reading, open_source
from jobs.records import BadRow, Picture
from jobs.results.lines import image_path
from tests.hostile import feeds, manifests, pictures, workbooks
from tests.hostile.case import CASES, Case, Door
from worker.collect.collection import LOGGED
from worker.collect.download import Downloader
from worker.hidream.session import make_ssl_context

#: Their registering is all that is wanted of them.
LOADED = (manifests, pictures, workbooks, feeds)
PICTURE = Picture(name="x.jpg", url="", sha256="", width=1, height=1, bytes=1)
#: A process that has not ended by now, by the clock, hangs.
SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What became of one file, and what it cost."""

    key: str
    said: str
    #: Resident memory at its highest beyond what the process had before.
    megabytes: float
    #: Of the processor's time, all threads together: a busy machine makes nothing costlier.
    seconds: float


def through(case: Case, path: Path) -> str:
    """What the product says of a file."""
    match case.door:
        case Door.MANIFEST:
            return read_manifest(path)
        case Door.PRODUCTS:
            return read_products(path)
        case Door.LOCAL:
            return look_at(path)
        case Door.DOWNLOAD:
            with served(path.parent) as url:
                return asyncio.run(download(f"{url}/{path.name}", url, path.parent / "store"))


def read_manifest(path: Path) -> str:
    """Reads and plans all rows, as `vton enqueue` does."""
    good = bad = 0
    first, name = "", ""
    try:
        manifest = open_manifest(str(path))
        planner = Planner(LocalPictures(PictureSettings(), manifest.folder).source)
        for row in map(planner.plan, manifest.rows()):
            if isinstance(row, BadRow):
                bad += 1
                first = first or ": ".join(filter(None, (row.column, row.why)))
            else:
                good += 1
                name = name or image_path(row.row.number, row.row.sku, 0, PICTURE)
    except VtonError as error:
        return f"refused: {str(error).replace(str(path.parent), '.')}"
    return (
        f"{good} good, {bad} bad"
        + (f": {first}" if first else "")
        + (f", as {Path(name).with_suffix('')}" if name else "")
    )


def read_products(path: Path) -> str:
    """Reads all products, as `vton pairs` does."""
    good = left_out = 0
    try:
        for found in open_source(str(path), Reading(extracted=path.parent)).products():
            left_out += isinstance(found, LeftOut)
            good += isinstance(found, Product)
    except VtonError as error:
        return f"refused: {str(error).replace(str(path.parent), '.')}"
    return f"{good} good, {left_out} left out"


def look_at(path: Path) -> str:
    """Checks a local picture, as planning does."""
    try:
        LocalPictures(PictureSettings(), path.parent).source(path.name)
    except VtonError as error:
        return f"refused: {error}"
    return "taken"


async def download(address: str, host: str, folder: Path) -> str:
    """Fetches a picture, as a collect worker does."""
    downloader = Downloader(
        hidream=HiDreamSettings(base_url=host, download_timeout_s=30),
        pictures=PictureSettings(),
        store=PictureStore(folder),
        ssl_context=make_ssl_context(),
    )
    found = await downloader.fetch(address)
    await downloader.aclose()
    left = _files(folder)
    if isinstance(found, Picture):
        return f"kept {found.width}x{found.height}" if len(left) == 1 else f"kept, and {left}"
    return f"{LOGGED[type(found)]}: {found.reason}" + (f", but left {left}" if left else "")


def _files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


class _Handler(SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        if "packed" in self.path:
            self.send_header("Content-Encoding", "deflate")
        super().end_headers()

    def log_message(self, *words: object) -> None:
        """Says nothing."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, *words: object) -> None:
        """Who is refused hangs up: that is no error of the server's."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serves a folder from a process of its own: what it holds is not what the product holds."""
    server = _Server(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
    child = os.fork()
    if child == 0:
        server.serve_forever()
    server.server_close()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def _status(name: str) -> float:
    """A line of /proc/self/status, MB."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1000 if found else 0.0


def _play(case: Case, folder: Path) -> Measured:
    path = case.make(folder)
    threading.Timer(SECONDS, os._exit, [9]).start()
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    began = time.process_time()
    said = through(case, path)
    took = time.process_time() - began
    more = max(0.0, _status("VmHWM") - before)
    return Measured(key=f"{case.door}: {case.name}", said=said, megabytes=more, seconds=took)


def _made(key: str) -> str:
    """One case in a child; its line."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            # The file is made by a child of its own: what making it took must not hide what reading it takes.
            maker = os.fork()
            if maker == 0:
                CASES[key].make(Path(name))
                os._exit(0)
            os.waitpid(maker, 0)
            made = next(Path(name).iterdir())
            case = Case(name=CASES[key].name, door=CASES[key].door, make=lambda _: made, expected="")
            os.write(writer, json.dumps(asdict(_play(case, Path(name)))).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            line = pipe.read().decode()
        os.waitpid(child, 0)
        died = Measured(key=key, said="the process died", megabytes=0, seconds=SECONDS)
        return line or json.dumps(asdict(died))


def main() -> None:
    """Answers until the input ends."""
    for line in sys.stdin:
        sys.stdout.write(_made(line.rstrip("\n")) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
