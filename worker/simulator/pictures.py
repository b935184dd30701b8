"""The pictures that came in, kept by digest, and the ones that go out, drawn when somebody asks."""

import base64
import binascii
import hashlib
import io
import random
import struct
import warnings
import zlib
from collections import OrderedDict
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from worker.simulator.compose import compose
from worker.simulator.tasks import Task

_MEDIA = {"jpg": "JPEG", "png": "PNG"}
#: Signature and header of a PNG, in bytes.
_PNG_HEAD = 33
#: Slot → the outline of its sketch, x and y in turn.
_OUTLINES = {
    "upper_clothes": "200 120 400 120 540 300 460 360 420 300 420 680 180 680 180 300 140 360 60 300",
    "lower_clothes": "180 120 420 120 460 700 330 700 300 300 270 700 140 700",
    "dress": "240 80 360 80 380 320 500 740 100 740 220 320",
}
_PAPER, _SKIN, _INK = "#f3f1ee", "#d9b59b", "#3c3a38"


class Inputs:
    """Pictures by digest: files under a folder, or memory up to `most_bytes` (the oldest go first)."""

    def __init__(self, folder: Path | None = None, *, most_bytes: int = 256_000_000) -> None:
        self._folder = folder
        self._memory = Cache(most_bytes)
        #: Digests known to be pictures, so that a person in a thousand pairs is looked at once.
        self._proven: set[str] = set()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._proven.update(path.name for path in folder.iterdir() if not path.suffix)

    def add(self, text: str) -> str:
        """Keeps a picture.

        Args:
            text: base64 without a `data:` prefix.

        Returns:
            The digest that `read` takes.

        Raises:
            ValueError: not base64, or not a picture that can be opened.
        """
        digest = hashlib.sha256(text.encode()).hexdigest()
        if digest in self._proven:
            return digest
        try:
            content = base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise ValueError(f"not base64: {error}") from None
        _prove(content)
        if self._folder is None:
            self._memory.put(digest, content)
        else:
            temporary = self._folder / f"{digest}.part"
            temporary.write_bytes(content)
            temporary.replace(self._folder / digest)
        self._proven.add(digest)
        return digest

    def read(self, digest: str) -> bytes | None:
        """The picture's bytes; None when memory has let it go."""
        if self._folder is None:
            return self._memory.get(digest)
        path = self._folder / digest
        return path.read_bytes() if path.is_file() else None


class Cache:
    """Bytes by name, the least recently used thrown away beyond `most_bytes`."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0
        self._items: OrderedDict[str, bytes] = OrderedDict()

    def get(self, name: str) -> bytes | None:
        """The bytes, if they are still here."""
        content = self._items.get(name)
        if content is not None:
            self._items.move_to_end(name)
        return content

    def put(self, name: str, content: bytes) -> None:
        """Keeps the bytes, at the cost of the oldest ones."""
        self._held += len(content) - len(self._items.pop(name, b""))
        self._items[name] = content
        while self._held > self._most and len(self._items) > 1:
            self._held -= len(self._items.popitem(last=False)[1])


def draw(task: Task, index: int, inputs: Inputs) -> bytes:
    """The picture of one sub-task as a file, composed from what came in."""
    kind, name = _MEDIA[task.outcome.extension], task.sub_task_ids[index]
    opened = {slot: _open(slot, source, inputs) for slot, source in task.inputs.items()}
    caption = f"simulated  {(task.request_id or task.task_id)[:8]}" + (f"  {index + 1}" if index else "")
    garments = {slot: picture for slot, picture in opened.items() if slot != "person"}
    return _encode(compose(opened["person"], garments, caption), kind, comment=name)


def _encode(picture: Image.Image, kind: str, *, comment: str) -> bytes:
    file = io.BytesIO()
    picture = picture.convert("RGB")
    if kind == "JPEG":
        # The comment makes every picture its own file, even for equal inputs.
        picture.save(file, kind, quality=88, comment=comment)
    else:
        picture.save(file, kind)
    return file.getvalue()


def plain(name: str, extension: str) -> bytes:
    """One picture of about 20 KB for all, drawn once; a comment with the sub-task's id makes it its own file."""
    content, text = _plain(_MEDIA[extension]), name.encode()
    if extension == "jpg":
        return b"".join((content[:2], b"\xff\xfe", struct.pack(">H", len(text) + 2), text, content[2:]))
    chunk = b"tEXtComment\0" + text
    length, checksum = struct.pack(">I", len(chunk) - 4), struct.pack(">I", zlib.crc32(chunk))
    return b"".join((content[:_PNG_HEAD], length, chunk, checksum, content[_PNG_HEAD:]))


@cache
def _plain(kind: str) -> bytes:
    noise = random.Random(7)  # noqa: S311 dice, no secret
    pixels = bytes(noise.getrandbits(8) for _ in range(96 * 128 * 3))
    picture = Image.frombytes("RGB", (96, 128), pixels)
    if kind == "PNG":
        return _encode(picture.resize((48, 64)), kind, comment="")
    file = io.BytesIO()
    picture = picture.resize((384, 512), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(2.2))
    picture.save(file, kind, quality=42)
    return file.getvalue()


def _open(slot: str, source: str, inputs: Inputs) -> Image.Image:
    content = None if source.startswith(("http://", "https://")) else inputs.read(source)
    if content is None:
        return _placeholder(slot, source)
    return Image.open(io.BytesIO(content))


def _prove(content: bytes) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as picture:
                picture.verify()
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise ValueError("cannot be opened as a picture") from error


def _placeholder(slot: str, source: str) -> Image.Image:
    """A sketch in a colour of the address' own: addresses are never fetched."""
    red, green, blue = hashlib.sha256(source.encode()).digest()[:3]
    colour = (64 + red // 2, 64 + green // 2, 64 + blue // 2)
    picture = Image.new("RGB", (600, 800), _PAPER)
    pen = ImageDraw.Draw(picture)
    if slot == "person":
        pen.ellipse((240, 60, 360, 200), fill=_SKIN)
        pen.rounded_rectangle((200, 210, 400, 500), 40, fill=colour)
        pen.rectangle((215, 480, 290, 780), fill=_INK)
        pen.rectangle((310, 480, 385, 780), fill=_INK)
    else:
        pen.polygon([int(number) for number in _OUTLINES[slot].split()], fill=colour)
    pen.text(
        (20, 770), source.rpartition("/")[2][:60].encode("latin-1", "replace").decode("latin-1"), fill=_INK
    )
    return picture
