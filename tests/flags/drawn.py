"""A person, a garment and what may come of them, drawn here, and a place for them."""

import hashlib
from pathlib import Path

from PIL import Image, ImageDraw

from jobs.records import LocalFile, Pair, Picture

SIZE = (600, 800)
BODY = (220, 120, 380, 760)
CLOTH = (200, 200, 400, 560)


def person(wall="#cfd8dc", skin="#b67b54"):
    image = Image.new("RGB", SIZE, wall)
    pen = ImageDraw.Draw(image)
    pen.ellipse((250, 30, 350, 150), fill=skin)
    pen.rectangle(BODY, fill=skin)
    for at in range(130, 760, 14):
        pen.line((225, at, 375, at), fill="#8a5638", width=2)
    return image


def garment(colour="#c02030"):
    image = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    pen.rectangle(CLOTH, fill=colour)
    for at in range(210, 560, 20):
        pen.line((CLOTH[0], at, CLOTH[2] - 1, at), fill="#ffffff")
    return image


def dressed(colour="#c02030", **of):
    image = person(**of)
    cloth = garment(colour)
    image.paste(cloth, mask=cloth.getchannel("A"))
    return image


class Folder:
    """Inputs, a picture store and a data folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = root / "pictures"
        self.pair = Pair(person=self.local(person(), "person.jpg"), dress=self.local(garment(), "dress.png"))

    def local(self, image, name) -> LocalFile:
        path = self.root / name
        image.save(path)
        return LocalFile(path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())

    def stored(self, image, quality=88) -> Picture:
        path = self.root / "new.jpg"
        image.convert("RGB").save(path, quality=quality)
        content = path.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        target = self.place(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        width, height = image.size
        return Picture(
            name=target.name, url="", sha256=sha256, width=width, height=height, bytes=len(content)
        )

    def place(self, sha256) -> Path:
        return self.store / sha256[:2] / f"{sha256}.jpg"
