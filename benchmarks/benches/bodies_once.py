"""One way of building bodies, in a process of its own with the product's Python: `WAY SUBMITS FOLDER`; JSON on stdout."""

import base64
import hashlib
import json
import os
import random
import socket
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from jobs.records import LocalFile, Pair
from worker.submit.bodies import Bodies

PICTURE_BYTES = 2_000_000
PEOPLE = 4


def main(way: str, submits: int, folder: Path) -> None:
    """Builds every body once without and once with a socket behind it."""
    pairs = _pairs(folder, submits, fresh=way == "ours-cold")
    numbers: dict[str, float] = {}
    for key, sink in (("build_ms", _drop), ("send_ms", _Drain())):
        build = _naive if way == "naive" else _ours(Bodies())
        size = 0
        began = time.process_time()
        for number, pair in enumerate(pairs):
            size += sink(build(pair, f"id-{number}"))
        numbers[key] = (time.process_time() - began) / submits * 1000
        numbers["mb"] = size / submits / 1e6
    print(json.dumps(numbers))


def _naive(pair: Pair, request_id: str) -> Iterable[bytes]:
    body = {"request_id": request_id}
    for slot, source in pair.slots():
        if isinstance(source, LocalFile):
            body[str(slot)] = base64.b64encode(Path(source.path).read_bytes()).decode()
    return (json.dumps(body).encode(),)


def _ours(bodies: Bodies) -> Callable[[Pair, str], Iterable[bytes]]:
    return lambda pair, request_id: bodies.build(pair, request_id).pieces()


def _drop(pieces: Iterable[bytes]) -> int:
    return sum(map(len, pieces))


class _Drain:
    """Writes to a socket that another process empties, so that only our side of it is counted."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        if os.fork() == 0:
            self._ours.close()
            while theirs.recv(1 << 20):
                pass
            os._exit(0)
        theirs.close()

    def __call__(self, pieces: Iterable[bytes]) -> int:
        size = 0
        for piece in pieces:
            self._ours.sendall(piece)
            size += len(piece)
        return size


def _pairs(folder: Path, submits: int, *, fresh: bool) -> list[Pair]:
    """Each dress on each of 4 people; `fresh`: no picture twice, what a cache cannot help."""
    if fresh:
        return [
            Pair(person=_picture(folder, 2 * n), dress=_picture(folder, 2 * n + 1)) for n in range(submits)
        ]
    people = [_picture(folder, number) for number in range(PEOPLE)]
    dresses = [_picture(folder, PEOPLE + number) for number in range(-(-submits // PEOPLE))]
    return [Pair(person=person, dress=dress) for dress in dresses for person in people][:submits]


def _picture(folder: Path, number: int) -> LocalFile:
    """Bytes that do not compress; nothing here looks inside them."""
    content = random.Random(number).randbytes(PICTURE_BYTES)
    path = folder / f"{number}.jpg"
    path.write_bytes(content)
    return LocalFile(path=str(path), sha256=hashlib.sha256(content).hexdigest())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
