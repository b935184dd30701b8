"""Photographs for the benches: real JPEGs of which no two are the same, made in no time."""

import io
import os
import random
from pathlib import Path

from PIL import Image

#: 12 megapixels whose JPEG is as large as a camera's.
_SIZE = (4000, 3000)
_BYTES = 3_600_000


def photograph(megabytes: float = _BYTES / 1e6) -> bytes:
    """A JPEG of 12 megapixels and about 3.6 MB; with fewer megabytes one of fewer pixels."""
    share = (megabytes * 1e6 / _BYTES) ** 0.5
    width, height = (int(side * share) for side in _SIZE)
    noise = Image.frombytes(
        "RGB", (width // 2, height // 2), random.Random(1).randbytes(width // 2 * (height // 2) * 3)
    )
    content = io.BytesIO()
    noise.resize((width, height), Image.Resampling.BICUBIC).save(content, "JPEG", quality=50)
    return content.getvalue()


def write_photographs(folder: Path, count: int, content: bytes) -> list[Path]:
    """So many files of that picture, each with a comment of its own, as old as if they had been there for a while."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        comment = f"{number:012}".encode()
        path = folder / f"{number}.jpg"
        path.write_bytes(
            content[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + content[2:]
        )
        paths.append(path)
    os.sync()
    return paths


def write_pairs(manifest: Path, people: list[Path], garments: list[Path]) -> Path:
    """Each person in each garment, one person after the other."""
    rows = [
        f"{number}-{garment.stem},{person},{garment}"
        for number, person in enumerate(people)
        for garment in garments
    ]
    manifest.write_text("\n".join(["sku,person,dress", *rows, ""]))
    return manifest
