"""What every version of the job shares: requests, the proof of a picture, the record in Redis."""

import csv
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

SUBMIT_PATH = "/api-pub/ec/v3/image/vton/async"
HEADERS = {"Authorization": "Bearer bench"}
#: Counter of recorded jobs that the harness waits for.
DONE_KEY = "bench:done"

Row = dict[str, str]


class TaskFailedError(Exception):
    """The vendor's reply is not a success."""


def read_rows(manifest: str) -> Iterator[Row]:
    """The manifest's rows."""
    with Path(manifest).open(newline="") as file:
        yield from csv.DictReader(file)


def body_of(row: Row) -> dict[str, str]:
    """The request body."""
    return {"person": row["person"], "dress": row["dress"], "request_id": row["sku"]}


def task_id_of(reply: dict[str, Any]) -> str:
    """The accepted task."""
    if reply["code"] != 0:
        raise TaskFailedError(reply)
    return str(reply["result"]["task_id"])


def picture_url_of(reply: dict[str, Any]) -> str | None:
    """The picture's address; None while the task runs."""
    for sub in reply["result"]["sub_task_results"]:
        if sub["task_status"] == 1 and sub["image"]:
            return str(sub["image"])
        if sub["task_status"] not in {0, 1, 2}:
            raise TaskFailedError(reply)
    return None


def save_picture(content: bytes, out: str, sku: str) -> Row:
    """Decodes the picture to prove it whole, hashes it, writes it durably; what the record says of it."""
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        width, height = image.size
    path = Path(out) / f"{sku}.jpg"
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    return {
        "path": str(path),
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": f"{width}x{height}",
        "state": "succeeded",
    }
