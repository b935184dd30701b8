"""A producer that is killed in the middle, and the same command again: every row once, every pair once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from jobs.config.settings import RedisSettings
from jobs.ledger import Ledger
from jobs.producing.queue import SUBMIT, WAKE_UPS, Queue
from jobs.records import BatchId

ROWS, PAIRS = 30_000, 20_000


def _manifest(folder: Path) -> Path:
    path = folder / "night.csv"
    with path.open("w") as out:
        out.write("sku,person,dress\n")
        for number in range(ROWS):
            pair = number % PAIRS
            out.write(
                f"s{number},https://cdn.example/people/{pair % 40}.jpg,https://cdn.example/{pair}.jpg\n"
            )
    return path


def _enqueue(settings: RedisSettings, manifest: Path) -> "subprocess.Popen[str]":
    environment = {
        "PATH": os.environ["PATH"],
        "HIDREAM_TOKEN": "x",
        "VTON_REDIS__URL": settings.url.get_secret_value() if settings.url else "",
        "VTON_REDIS__PREFIX": settings.prefix,
    }
    command = [str(Path(sys.executable).with_name("vton")), "enqueue", str(manifest), "--batch", "night"]
    return subprocess.Popen(
        command,
        cwd=manifest.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _rows(ledger: Ledger) -> int:
    return int(ledger.client.hlen(ledger.key("rows", "night")))


def test_a_producer_killed_again_and_again_loses_and_doubles_nothing(
    ledger: Ledger, queue: Queue, redis_settings: RedisSettings, tmp_path: Path
) -> None:
    manifest = _manifest(tmp_path)
    for rows in (1, ROWS // 3, 2 * ROWS // 3):
        process = _enqueue(redis_settings, manifest)
        while _rows(ledger) < rows and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not ledger.batch(BatchId("night")).sealed, "killed before its end"
    said, errors = _enqueue(redis_settings, manifest).communicate()
    assert "30000 rows" in said.replace(",", ""), (said, errors)
    status = ledger.status(BatchId("night"))
    assert (status.sealed, status.rows, status.counts) == (True, ROWS, {"queued": ROWS})
    assert status.duplicate == ROWS - PAIRS
    line = ledger.client.lrange(ledger.key("queued", "night"), 0, -1)
    assert len(line) == len(set(line)) == PAIRS
    assert queue.waiting(SUBMIT) >= WAKE_UPS
    before = ledger.client.hlen(ledger.key("rows", "night")), ledger.batch(BatchId("night")).row_writes
    said, _ = _enqueue(redis_settings, manifest).communicate()
    assert "0 to submit" in said
    assert (_rows(ledger), ledger.batch(BatchId("night")).row_writes) == before
