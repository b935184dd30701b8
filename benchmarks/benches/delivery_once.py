"""One way of delivering, in a process of its own with the product's Python: `WAY PICTURES FOLDER`; JSON on stdout."""

import contextlib
import hashlib
import io
import json
import os
import resource
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import obstore
from obstore.store import from_url
from PIL import Image as Pillow

from jobs.cli.delivering import Order, deliver_batch
from jobs.config.delivery import DeliverySettings
from jobs.config.settings import Settings
from jobs.delivery.profiles import BUILT_IN
from jobs.records import BatchId, Image, Inputs, ResultLine

PARALLEL = 16
ROUNDS = 20
TO = "s3://shop/spring"


def main(way: str, pictures: int, folder: Path) -> None:
    """Delivers with and without ours in turns, a part at a time: a slow minute of the machine meets both."""
    lines = [_line(folder / "pictures", row) for row in range(1, pictures + 1)]
    sidecar = way == "sidecars"
    seconds, cpu = {"ours": 0.0, "bare": 0.0}, {"ours": 0.0, "bare": 0.0}
    with _store():
        for number in range(ROUNDS):
            part = lines[number::ROUNDS]
            batch = folder / f"batch-{number}"
            batch.mkdir()
            (batch / "results.jsonl").write_bytes(
                b"".join(msgspec.json.encode(line) + b"\n" for line in part)
            )
            turns = {"ours": _ours, "bare": _bare}
            for name in sorted(turns, reverse=bool(number % 2)):
                began, spent = time.monotonic(), _cpu()
                turns[name](part, batch, folder / "pictures", sidecar=sidecar)
                seconds[name] += time.monotonic() - began
                cpu[name] += _cpu() - spent
        began = time.monotonic()
        _ours(part, batch, folder / "pictures", sidecar=sidecar)
        again = time.monotonic() - began
    numbers = {f"{name}_per_s": pictures / taken for name, taken in seconds.items()}
    numbers |= {f"{name}_cpu_ms": taken / pictures * 1000 for name, taken in cpu.items()}
    print(
        json.dumps(
            numbers
            | {"to_bare": seconds["bare"] / seconds["ours"], "again": again / seconds["ours"] * ROUNDS}
        )
    )


def _ours(lines: list[ResultLine], batch: Path, store: Path, *, sidecar: bool) -> None:
    settings = Settings(delivery=DeliverySettings(parallel=PARALLEL, sidecar=sidecar))
    order = Order(batch=BatchId("batch"), to=TO, profile=("original", BUILT_IN["original"]))
    summary, _ = deliver_batch(order, batch, store, settings, None)
    assert summary.counts.total() == len(lines)
    assert not summary.gaps


def _bare(lines: list[ResultLine], batch: Path, store: Path, *, sidecar: bool) -> None:
    del batch
    target = from_url(TO)

    def put(line: ResultLine) -> None:
        sha256 = line.images[0].sha256
        content = (store / sha256[:2] / f"{sha256}.jpg").read_bytes()
        obstore.put(target, f"bare/{line.sku}.jpg", content, mode="create")
        if sidecar:
            obstore.put(target, f"bare/{line.sku}.json", msgspec.json.encode(line))

    with ThreadPoolExecutor(PARALLEL) as threads:
        for _ in threads.map(put, lines):
            pass


def _line(store: Path, row: int) -> ResultLine:
    out = io.BytesIO()
    Pillow.effect_noise((240, 320), 60).convert("RGB").save(
        out, "JPEG", quality=90, comment=str(row).encode()
    )
    content = out.getvalue()
    sha256 = hashlib.sha256(content).hexdigest()
    path = store / sha256[:2] / f"{sha256}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    image = Image(path=f"images/{row}.jpg", url="", sha256=sha256, width=240, height=320, bytes=len(content))
    return ResultLine(
        batch="batch",
        row=row,
        sku=f"S-{row}",
        request_id=f"r{row}",
        status="succeeded",
        images=(image,),
        inputs=Inputs(person="people/ines.jpg"),
    )


@contextlib.contextmanager
def _store() -> Iterator[None]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    os.environ |= {
        "AWS_ENDPOINT_URL": address,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", address.rpartition(":")[2]]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(600):
                with contextlib.suppress(OSError):
                    request = urllib.request.Request(f"{address}/shop", method="PUT")
                    urllib.request.urlopen(request, timeout=10).close()
                    break
                time.sleep(0.1)
            yield
        finally:
            server.terminate()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
