"""The result picture: one real JPEG of about 20 KB, told apart by a comment that names the task."""

import io
import random
import re

from PIL import Image, ImageFilter

_COMMENT = re.compile(rb"stub-task:([0-9a-z-]+)")


def make_picture() -> bytes:
    """A 384 x 512 JPEG, the same bytes at every start with the same Pillow."""
    noise = random.Random(7)
    pixels = bytes(noise.getrandbits(8) for _ in range(96 * 128 * 3))
    image = Image.frombytes("RGB", (96, 128), pixels).resize((384, 512), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.filter(ImageFilter.GaussianBlur(2.2)).save(out, "JPEG", quality=42)
    return out.getvalue()


def with_task(picture: bytes, task_id: str) -> bytes:
    """The picture with a JPEG comment behind its first marker, so that no two tasks have the same bytes."""
    text = f"stub-task:{task_id}".encode()
    return b"".join((picture[:2], b"\xff\xfe", (len(text) + 2).to_bytes(2, "big"), text, picture[2:]))


def task_of(start: bytes) -> str | None:
    """The task that the first bytes of a file name; None when they are no picture of the stub's."""
    found = _COMMENT.search(start[:256])
    return found.group(1).decode() if found else None
