"""The checkpoint of a batch folder, `.vton-export.json`: how far results.jsonl has got, and from which ledger.

It is replaced as a whole after each write of results.jsonl. A crash in between leaves a file that is longer than its
checkpoint says, and the rest is cut off and written again; a file that is shorter or another one is made anew.
"""

import json
import os
import zlib
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct
from msgspec.structs import asdict

from jobs.ledger.codec import decode
from jobs.results.files import Renew, replacing

RESULTS = "results.jsonl"
CHECKPOINT = ".vton-export.json"
#: Bytes before the end of what is covered that the checksum is made of.
TAIL = 4096
#: What the prefix of a simulated shop's keys ends with: its pictures are drawn, and never to be taken for bought ones.
SIMULATED = "-simulated"
#: Before the first entry of an outbox.
NOTHING = "0"


class Checkpoint(Struct, frozen=True, kw_only=True):
    """How far a batch's results.jsonl has got."""

    #: Id of the ledger it was made from.
    ledger: str
    #: Prefix of its keys; that of a simulated shop ends with SIMULATED.
    prefix: str
    #: Orders that it had counted then.
    orders: int
    #: The last entry of the batch's outbox that the file has; NOTHING before the first.
    entry: str
    #: Bytes of the file that it covers, and the CRC-32 of the last TAIL of them.
    length: int
    crc: int


def is_drawn(checkpoint: Checkpoint) -> bool:
    """Whether a simulated shop's drawings are in the batch folder, for which nothing was bought."""
    return checkpoint.prefix.endswith(SIMULATED)


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """A batch folder's checkpoint, whichever ledger it names; None when there is none that can be read."""
    try:
        return decode((folder / CHECKPOINT).read_bytes(), Checkpoint)
    except FileNotFoundError:
        return _within_results(folder / RESULTS)
    except ValueError:
        return None


def write_checkpoint(folder: Path, checkpoint: Checkpoint, renew: Renew) -> None:
    """Replaces the checkpoint, once it is on disk and while the lease is held."""
    with replacing(folder / CHECKPOINT, renew) as file:
        json.dump(asdict(checkpoint), file)
        file.write("\n")


def tail_crc(file: BinaryIO, length: int) -> int | None:
    """CRC-32 of the last TAIL of a file's first `length` bytes; None for a shorter file."""
    if file.seek(0, os.SEEK_END) < length:
        return None
    file.seek(max(0, length - TAIL))
    return zlib.crc32(file.read(length - file.tell()))


class _LastLine(Struct, frozen=True, kw_only=True):
    ledger: str
    checkpoint: str
    check: int


def _within_results(path: Path) -> Checkpoint | None:
    """The checkpoint that versions up to 0.1 wrote as the last line of results.jsonl."""
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - TAIL)
            file.seek(start)
            tail = file.read()
            begin = tail.rfind(b"\n", 0, -1) + 1
            last = decode(tail[begin:], _LastLine)
            # One torn while it overwrote another is half of each, and yet JSON.
            if not tail.endswith(b"\n") or last.check != zlib.crc32(last.checkpoint.encode()):
                return None
            length = start + begin
            crc = tail_crc(file, length) or 0
            return Checkpoint(
                ledger=last.ledger, prefix="", orders=0, entry=last.checkpoint, length=length, crc=crc
            )
    except (FileNotFoundError, ValueError):
        return None
