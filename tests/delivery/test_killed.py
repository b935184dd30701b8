"""Killed in the middle again and again: nothing missing, nothing doubled, no half object."""

import csv
import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image

from jobs.delivery.journal import JOURNAL, TABLE

ROOT = Path(__file__).parents[2]
ROWS, KILLS, ADDED = 80, 10, 9
#: What is killed: a delivery as the command makes it, in a process of its own.
DELIVER = """
import sys
from pathlib import Path
from jobs.cli.delivering import Order, deliver_batch
from jobs.config.delivery import DeliverySettings
from jobs.delivery.profiles import BUILT_IN
from jobs.config.settings import Settings

folder, store, to = sys.argv[1:]
order = Order(batch=Path(folder).name, to=to, profile=("shopify", BUILT_IN["shopify"]))
settings = Settings(delivery=DeliverySettings(parallel=4))
summary, _ = deliver_batch(order, Path(folder), Path(store), settings, None)
print({str(outcome): number for outcome, number in summary.counts.items()})
"""


def killed_while_delivering(shop, to: str) -> str:
    """Kills it whenever the journal has grown, and then lets it end; returns what the last one has summary."""
    command = [sys.executable, "-c", DELIVER, str(shop.folder), str(shop.store), to]
    journal = shop.folder / JOURNAL
    for _ in range(KILLS):
        before = lines(journal)
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            while lines(journal) < before + ADDED:
                assert process.poll() is None, "it has ended before it was killed"
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    return done.stdout


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_ten_kills_leave_every_object_whole_and_once(shop, to, request):
    where, objects = to
    versioned = where.startswith("s3://")
    if versioned:
        bucket = request.getfixturevalue("bucket")
        bucket.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    shop.write([shop.line(row) for row in range(1, ROWS + 1)])
    assert "delivered" in killed_while_delivering(shop, where)
    found = objects()
    names = {f"S-{row}__ines__v1.jpg" for row in range(1, ROWS + 1)}
    assert set(found) == names | {f"{name}.json" for name in names}
    with (shop.folder / TABLE).open(newline="") as file:
        summary = {cells["address"].removeprefix(f"{where}/"): cells for cells in csv.DictReader(file)}
    assert set(summary) == names
    for name, cells in summary.items():
        assert hashlib.sha256(found[name]).hexdigest() == cells["sha256"]
    if versioned:
        # Not even the same content was stored twice.
        versions = [
            each["Key"]
            for page in bucket.client.get_paginator("list_object_versions").paginate(Bucket=bucket.name)
            for each in page["Versions"]
            if each["Key"].endswith(".jpg")
        ]
        assert len(versions) == len(set(versions)) == ROWS
    else:
        for name in names:
            with Image.open(Path(where, name)) as picture:
                picture.load()
        assert not [path for path in Path(where).iterdir() if path.is_dir()]
