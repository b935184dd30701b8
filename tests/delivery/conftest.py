"""A batch folder with stored pictures, and a store of objects: moto's server, a process of its own on loopback."""

import hashlib
import io
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote
from uuid import uuid4

import msgspec
import pytest
from PIL import Image as Pillow

from jobs.records import Image, Inputs, ResultLine
from tests.ports import free_port


@dataclass
class Shop:
    """One batch, as an export leaves it."""

    root: Path
    batch: str = "spring-1234abcd"

    @property
    def folder(self) -> Path:
        return self.root / "out" / self.batch

    @property
    def store(self) -> Path:
        return self.root / "data" / "pictures"

    def stored(self, content: bytes, extension: str = "jpg") -> str:
        digest = hashlib.sha256(content).hexdigest()
        target = self.store / digest[:2] / f"{digest}.{extension}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return digest

    def line(self, row: int, *, sku: str = "", content: bytes | None = None, **other: object) -> ResultLine:
        content = content or drawn(f"{self.batch} {row}")
        image = Image(
            path=f"images/s_{row:04d}.jpg",
            url=f"https://cdn.example/{row}",
            sha256=self.stored(content),
            width=64,
            height=96,
            bytes=len(content),
        )
        values = {
            "batch": self.batch,
            "row": row,
            "sku": sku or f"S-{row}",
            "status": "succeeded",
            "request_id": f"r{row}",
            "task_id": f"t{row}",
            "images": (image,),
            "inputs": Inputs(person="people/ines.jpg", dress="https://a.example/d.jpg?sig=secret"),
        } | other
        return msgspec.convert(values, ResultLine)

    def write(self, lines: list[ResultLine]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "results.jsonl").write_bytes(
            b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        )


def drawn(text: str, size: tuple[int, int] = (64, 96), kind: str = "JPEG") -> bytes:
    """A picture whose pixels no other text has."""
    out = io.BytesIO()
    seed = hashlib.sha256(text.encode()).digest()
    picture = Pillow.frombytes("RGB", (4, 2), seed[:24]).resize(size, Pillow.Resampling.BICUBIC)
    picture.save(out, kind, quality=95)
    return out.getvalue()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The address of a running server."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"{address}/moto-api/data.json", timeout=5).close()
                    break
                except (urllib.error.URLError, OSError):
                    assert server.poll() is None, "moto's server has ended"
                    time.sleep(0.1)
            yield address
        finally:
            server.terminate()


@dataclass
class Bucket:
    """A bucket of its own."""

    endpoint: str
    name: str

    @property
    def url(self) -> str:
        return f"s3://{self.name}/shop"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }

    @property
    def client(self):
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            region_name="us-east-1",
        )

    def objects(self) -> dict[str, bytes]:
        client, found = self.client, {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.name):
            for each in page.get("Contents", ()):
                found[each["Key"]] = client.get_object(Bucket=self.name, Key=each["Key"])["Body"].read()
        return found


@pytest.fixture
def bucket(moto: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    made = Bucket(moto, f"b{uuid4().hex[:12]}")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    made.client.create_bucket(Bucket=made.name)
    return made


@dataclass
class Answering:
    """A server that says the same to every request."""

    address: str
    #: Path without its query, and headers by lower-case name, of each request.
    seen: list[tuple[str, dict[str, str]]]


@pytest.fixture
def store_answering() -> Iterator[Callable[[int], Answering]]:
    """Starts one by the status that it answers with."""
    with ExitStack() as servers:
        yield lambda status: servers.enter_context(_answering(status))


@contextmanager
def _answering(status: int) -> Iterator[Answering]:
    seen: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            seen.append(
                (unquote(self.path.partition("?")[0]), {k.lower(): v for k, v in self.headers.items()})
            )
            self.send_response(status)
            self.send_header("ETag", '"1"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", free_port()), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Answering(f"http://127.0.0.1:{server.server_port}", seen)
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(params=["folder", "s3"])
def to(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Callable[[], dict[str, bytes]]]:
    """A target, and what lies in it by name."""
    if request.param == "s3":
        bucket = request.getfixturevalue("bucket")
        return bucket.url, lambda: {k.removeprefix("shop/"): v for k, v in bucket.objects().items()}
    root = tmp_path / "delivered"

    def objects() -> dict[str, bytes]:
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    return str(root), objects


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("VTON_")]:
        monkeypatch.delenv(name)
