"""Made pictures with known faults, from the examples: what flags must find, and what they must leave alone."""

import hashlib
import io
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from jobs.records import LocalFile, Pair, Picture

EXAMPLES = Path(__file__).parents[2] / "examples"
TOPS = ("breton-jersey", "cable-roll-neck", "dotted-blouse", "oxford-shirt", "pocket-tee", "sage-blazer")
BOTTOMS = ("check-skirt", "linen-shorts", "pleated-skirt", "straight-jeans", "wide-trousers")
DRESSES = ("floral-wrap", "gingham-tiers", "ribbed-column", "satin-slip", "striped-shirt-dress")
#: Kind → how many are made; the first is in order, and each other one has one fault.
COUNTS = {
    "fine": 150,
    "unchanged": 45,
    "garment": 22,
    "another row's": 22,
    "blank": 22,
    "dark": 15,
    "grey": 22,
    "blurred": 38,
    "recoloured": 45,
    "small": 15,
    "squeezed": 15,
}
#: Widths of results, pixels.
WIDTHS = (600, 690)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One made picture."""

    kind: str
    pair: Pair
    picture: Picture


class Wardrobe:
    """The inputs, as files of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.people: dict[str, tuple[Image.Image, LocalFile]] = {}
        self.garments: dict[str, tuple[Image.Image, LocalFile]] = {}
        for path in sorted((EXAMPLES / "people").glob("*.jpg")):
            for name, image in _both_ways(path):
                self.people[name] = image.convert("RGB"), self._file(f"{name}.jpg", image)
        for at, path in enumerate(sorted((EXAMPLES / "garments").glob("*.png"))):
            for name, image in _both_ways(path):
                cut = image.convert("RGBA")
                # Some shops have cut-outs, others photographs on white.
                shown = cut if at % 2 else _on(cut, "white")
                self.garments[name] = cut, self._file(f"{name}.{'png' if at % 2 else 'jpg'}", shown)

    def _file(self, name: str, image: Image.Image) -> LocalFile:
        path = self.folder / name
        image.save(path, quality=92)
        return LocalFile(path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())

    def pairs(self, chance: random.Random) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Every person in everything, each pair once, in a random order."""
        every = [
            (person, worn)
            for person in self.people
            for worn in (
                *((one,) for one in (*TOPS, *BOTTOMS, *DRESSES)),
                *((top, bottom) for top in TOPS for bottom in BOTTOMS),
            )
        ]
        chance.shuffle(every)
        return iter(every)

    def named(self, person: str, worn: Sequence[str]) -> list[str]:
        """The garments that lie as the person stands."""
        return [f"{one}-left" if person.endswith("-left") else one for one in worn]

    def pair(self, person: str, worn: Sequence[str]) -> Pair:
        """What would be bought."""
        files = [self.garments[one][1] for one in self.named(person, worn)]
        of = self.people[person][1]
        if worn[0] in DRESSES:
            return Pair(person=of, dress=files[0])
        if len(worn) > 1:
            return Pair(person=of, upper_clothes=files[0], lower_clothes=files[1])
        return (
            Pair(person=of, upper_clothes=files[0])
            if worn[0] in TOPS
            else Pair(person=of, lower_clothes=files[0])
        )

    def dressed(self, person: str, worn: Sequence[str], tint: str | None = None) -> Image.Image:
        """The person in the garments; `tint`: the first of these is of another colour."""
        image = self.people[person][0].copy()
        for at, one in reversed(list(enumerate(self.named(person, worn)))):
            cloth = self.garments[one][0]
            if tint and not at:
                shaded = ImageOps.colorize(cloth.convert("L"), "black", "white", mid=tint)
                other = Image.blend(Image.new("RGB", cloth.size, tint), shaded, 0.3).convert("RGBA")
                other.putalpha(cloth.getchannel("A"))
                cloth = other
            image.paste(cloth, mask=cloth.getchannel("A"))
        return image


def made(folder: Path, *, share: float = 1.0, seed: int = 20261128) -> list[Made]:
    """All pictures, in a store under the folder; `share`: of how many there are else."""
    chance = random.Random(seed)
    inputs = folder / "inputs"
    inputs.mkdir(parents=True)
    wardrobe = Wardrobe(inputs)
    pairs = wardrobe.pairs(chance)
    found: list[Made] = []
    shown: list[_Row] = []
    for kind, count in COUNTS.items():
        for number in range(max(2, round(count * share))):
            person, worn = next(pairs)
            row = _Row(wardrobe=wardrobe, person=person, worn=worn, number=number, chance=chance)
            if kind == "fine":
                shown.append(row)
            drawn = shown[number] if kind == "another row's" else row
            image = DRAWN.get(kind, _Row.dressed)(drawn)
            picture = _stored(folder, _compressed(image, kind, chance), image)
            found.append(Made(kind=kind, pair=wardrobe.pair(person, worn), picture=picture))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """What a picture is drawn of."""

    wardrobe: Wardrobe
    person: str
    worn: tuple[str, ...]
    #: Counts within its kind.
    number: int
    chance: random.Random

    def dressed(self, tint: str | None = None) -> Image.Image:
        return self.wardrobe.dressed(self.person, self.worn, tint)

    @property
    def cloth(self) -> Image.Image:
        return self.wardrobe.garments[self.wardrobe.named(self.person, self.worn)[0]][0]


def _unchanged(row: _Row) -> Image.Image:
    person = row.wardrobe.people[row.person][0]
    return _cut(person, row.chance) if row.number % 3 else person


def _garment(row: _Row) -> Image.Image:
    """On any ground when it was a cut-out; a photograph comes back as it was."""
    name = row.wardrobe.named(row.person, row.worn)[0]
    cut_out = row.wardrobe.garments[name][1].path.endswith(".png")
    return _on(row.cloth, row.chance.choice(["white", "#e8e8e8", "black"]) if cut_out else "white")


def _blank(row: _Row) -> Image.Image:
    flat = Image.new("RGB", (600, 800), row.chance.choice(["white", "black", "#808080", "#f4e9dd"]))
    return Image.blend(flat, Image.effect_noise(flat.size, 40).convert("RGB"), 0.01)


#: Kind → how it is drawn; all others are in order until they are compressed.
DRAWN: dict[str, Callable[[_Row], Image.Image]] = {
    "unchanged": _unchanged,
    "garment": _garment,
    "blank": _blank,
    "recoloured": lambda row: row.dressed(_far_colour(row)),
    "dark": lambda row: ImageEnhance.Brightness(row.dressed()).enhance(row.chance.uniform(0.02, 0.09)),
    "grey": lambda row: ImageEnhance.Color(row.dressed()).enhance(row.chance.uniform(0, 0.1)),
    "blurred": lambda row: row.dressed().filter(ImageFilter.GaussianBlur(row.chance.uniform(2, 5))),
}


def _far_colour(row: _Row) -> str:
    """A plain colour that the garment has not, whichever it is."""
    cloth, chance = row.cloth, row.chance
    shown = _on(cloth, "white").resize((1, 1), Image.Resampling.BOX, box=cloth.getchannel("A").getbbox())
    own = shown.getpixel((0, 0))
    assert isinstance(own, tuple)
    choices = ["#c02030", "#2040c0", "#20a040", "#e0c020", "#8020a0", "#202020"]
    chance.shuffle(choices)
    return max(choices[:3], key=lambda text: sum(abs(a - b) for a, b in zip(_levels(text), own, strict=True)))


def _levels(text: str) -> tuple[int, ...]:
    return tuple(int(text[at : at + 2], 16) for at in (1, 3, 5))


def _cut(image: Image.Image, chance: random.Random) -> Image.Image:
    """A little less of it at two sides, as a service does that wants other proportions."""
    width, height = image.size
    off = round(chance.uniform(0, 0.08) * width / 2)
    box = (off, 0, width - off, height) if chance.random() < 0.5 else (0, off, width, height - off)
    return image.crop(box)


def _compressed(image: Image.Image, kind: str, chance: random.Random) -> bytes:
    """As a service would answer it: of its own size, a little lighter or darker, not quite in place, compressed anew."""
    width = chance.choice(WIDTHS)
    height = round(width * image.height / image.width)
    if kind == "small":
        width, height = round(width * 0.4), round(height * 0.4)
    if kind == "squeezed":
        width = round(width * chance.uniform(0.8, 0.92))
    grown = chance.uniform(0, 0.006)
    box = (grown * image.width, grown * image.height, image.width * (1 - grown), image.height)
    again = image.resize((width, height), Image.Resampling.LANCZOS, box=box)
    again = ImageEnhance.Brightness(again).enhance(chance.uniform(0.97, 1.03))
    again = ImageEnhance.Color(again).enhance(chance.uniform(0.96, 1.06))
    out = io.BytesIO()
    again.save(out, "JPEG", quality=chance.randint(74, 95))
    return out.getvalue()


def _stored(folder: Path, content: bytes, image: Image.Image) -> Picture:
    sha256 = hashlib.sha256(content).hexdigest()
    target = folder / "pictures" / sha256[:2] / f"{sha256}.jpg"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    width, height = image.size
    return Picture(name=target.name, url="", sha256=sha256, width=width, height=height, bytes=len(content))


def _both_ways(path: Path) -> Iterator[tuple[str, Image.Image]]:
    image = Image.open(path)
    yield path.stem, image
    yield f"{path.stem}-left", ImageOps.mirror(image)


def _on(cut: Image.Image, ground: str) -> Image.Image:
    image = Image.new("RGB", cut.size, ground)
    image.paste(cut, mask=cut.getchannel("A"))
    return image
