"""Batches for the sheet: result lines, and pictures drawn for them."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from jobs.records import Image as ResultImage
from jobs.records import Inputs, ResultLine, RowError, Timings, Version
from jobs.report import Sheet, Thumbnails
from jobs.report.cards import FIELDS

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}</script></style>&amp;<!--"


def draw(path, size=(300, 400), colour="red", mode="RGB", **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **how)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def image(path, sha256=""):
    return ResultImage(path=path, url="https://h/x", sha256=sha256, width=1, height=1, bytes=1)


def line(row=1, status="succeeded", **changed):
    """A result line; pictures are named, not drawn."""
    whole = {
        "batch": "autumn",
        "row": row,
        "sku": f"SKU-{row}",
        "request_id": f"4f5c9ad2-{row}",
        "status": status,
        "task_id": "t-1",
        "attempts": 1,
        "images": (image(f"images/{row}.jpg"),) if status == "succeeded" else (),
        "timings": Timings(task_s=12.0),
        "source": "poll",
        "inputs": Inputs(dress="garment.png", person="person.jpg"),
        "extra": {"Title": "Wrap dress", "colour": "red"},
    }
    return ResultLine(**whole | changed)


def failed(row=1, status="failed", *, owner="vendor", retryable=True, message="No picture came."):
    error = RowError(kind="no_result", code=1004, message=message, retryable=retryable, owner=owner)
    return line(row, status, error=error)


@contextmanager
def opened(path: Path) -> Iterator:
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        yield file


class Batch:
    """A batch folder with local pictures beside it, and its sheet."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, root / "out" / "autumn"
        self.thumbnails = Thumbnails(root / "thumbnails")
        self.given = root / "in"
        draw(self.given / "person.jpg")
        draw(self.given / "garment.png", colour=(0, 0, 255, 0), mode="RGBA")

    def drawn(self, row=1, colour=None, size=(900, 1200), **changed) -> ResultLine:
        """A finished row, its picture really there."""
        colour = colour or (row * 37 % 256, row * 91 % 256, row // 256)
        path = draw(self.folder / "images" / f"{row}.jpg", size, colour)
        return line(row, **{"images": (image(f"images/{row}.jpg", digest(path)),), **changed})

    def several(self, row=1, count=2, **changed) -> ResultLine:
        """A finished row with versions, of which the newest counts as long as nobody has said anything."""
        made = [self.drawn(100 * row + number) for number in range(1, count + 1)]
        versions = tuple(
            Version(version=number, request_id=f"job-{row}-{number}", status="succeeded", images=each.images)
            for number, each in enumerate(made, 1)
        )
        newest = {"version": count, "images": made[-1].images, "request_id": f"job-{row}-{count}"}
        return line(row, **newest | {"versions": versions} | changed)

    def local(self, name: str) -> str:
        return str(self.given / name)

    def digest_of(self, source: str) -> str:
        path = Path(source)
        return digest(path) if path.is_absolute() and path.is_file() else ""

    def write(self, *lines, summary=None, **given):
        """The sheet of these lines, as its files say it."""
        inputs = Inputs(person=self.local("person.jpg"), dress=self.local("garment.png"))
        given = {"opened": opened, "digest": self.digest_of} | given
        sheet = Sheet(self.folder, self.thumbnails, **given)
        for each in lines:
            local = each.inputs == Inputs(dress="garment.png", person="person.jpg")
            changed = {"inputs": inputs} if local else {}
            sheet.add(type(each)(**{name: getattr(each, name) for name in each.__struct_fields__} | changed))
        sheet.finish(summary or {"batch": "autumn"})
        return self.read()

    def read(self) -> list[dict]:
        """Every card of the folder form, by its fields."""
        cards = []
        for path in sorted((self.folder / "report" / "rows").glob("*.js")):
            text = re.fullmatch(r"vtonRows\((.*)\);\n", path.read_text(encoding="utf-8"), re.DOTALL)
            assert text
            cards += [dict(zip(FIELDS, cells, strict=True)) for cells in json.loads(text[1])]
        return cards

    @property
    def page(self) -> Path:
        return self.folder / "report" / "index.html"

    @property
    def file(self) -> Path:
        return self.folder / "report.html"

    def small(self, key: str) -> Path:
        return self.folder / "report" / "thumbnails" / key[:2] / f"{key}.webp"
