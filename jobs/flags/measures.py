"""The measures of a bought picture beside what it was made of, kept in the data folder under the picture's content.

They are taken while pictures are collected and read when files are written. What needs a picture that is not at hand is
None.
"""

import hashlib
import io
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

import msgspec
from msgspec import Struct
from PIL import Image

from jobs.flags.compare import colour_distance, difference
from jobs.flags.traits import GRID, Look, NotMeasuredError, Traits, cells_of, traits_of
from jobs.planned_files import read_planned
from jobs.records import LocalFile, Pair, Slot, Source, Url
from jobs.signed_addresses import unsigned
from jobs.whole_files import keep_whole, sweep

#: Counts changes of what is measured, or how: older measures are taken anew.
_VERSION: Final = 1
#: Persons and garments whose traits are remembered, about 50 KB each.
_REMEMBERED: Final = 200
#: Of the small copy's JPEG: about 4 KB.
_QUALITY: Final = 85
#: What came back may have been cropped, or drawn anew, by so many hundredths of its width.
_MOVED: Final = 2
#: A person whose most colourful cells are nearer to grey than these levels of 255 was put in without colours.
_GREY: Final = 16
#: A picture of a manifest's address that is kept here, if any: `jobs.report` has them small.
Kept = Callable[[Url], Path | None]


class Measured(Struct, frozen=True, kw_only=True):
    """What was measured of one picture that one pair has brought."""

    version: int = _VERSION
    #: A flag's id → what it is about, in the unit of its limit; None: an input was not at hand, or shows too little.
    values: Mapping[str, float | None] = {}
    #: See `Traits`.
    sharpness: float | None = None
    #: The small copy as a JPEG; empty when the picture could not be read.
    small: bytes = b""
    #: Its place along six directions: equal pictures have nearly equal ones.
    place: tuple[float, ...] = ()
    #: How badly it fits its own person and garments; None when these were not at hand.
    misfit: float | None = None
    #: Pixels, upright.
    width: int = 0
    height: int = 0


class Measures:
    """A folder of measures, `<2 hex>/<hash of picture and pair>.json`; any number of processes may add to it."""

    def __init__(self, data_dir: Path, kept: Kept = lambda _url: None) -> None:
        self._root = data_dir / "measures"
        self._kept = kept
        self._traits: OrderedDict[str, Traits] = OrderedDict()

    def known(self, key: str) -> Measured | None:
        """What was measured before, by its `key_of`."""
        try:
            found = msgspec.json.decode(self._file(key).read_bytes(), type=Measured)
        except (OSError, ValueError):
            return None
        return found if found.version == _VERSION else None

    def take(self, key: str, picture: Path, pair: Pair) -> Measured:
        """Measures a picture and keeps that under its `key_of`; of one that cannot be read nothing is known for good.

        Raises:
            OSError: it is not there, or what was measured cannot be kept.
        """
        content = picture.read_bytes()
        try:
            found = self._measured(traits_of(content), pair)
        except NotMeasuredError:
            found = Measured()
        keep_whole(self._root, self._file(key), msgspec.json.encode(found))
        return found

    def _measured(self, traits: Traits, pair: Pair) -> Measured:
        person = self._of(pair.person)
        garments = [self._of(source) for slot, source in pair.slots() if slot is not Slot.PERSON]
        whole = [each for each in garments if each is not None]
        values, misfit = measured(traits, person, whole if len(whole) == len(garments) else None)
        small = io.BytesIO()
        traits.look.small.save(small, "JPEG", quality=_QUALITY)
        levels = bytes(level for cell in cells_of(traits.look.small) for level in cell)
        return Measured(
            values=values,
            sharpness=traits.sharpness,
            small=small.getvalue(),
            place=tuple(float(sum(map(int.__mul__, levels, each))) for each in _directions()),
            misfit=misfit,
            width=traits.width,
            height=traits.height,
        )

    def _of(self, source: Source) -> Traits | None:
        """The traits of a person or a garment, None when its picture is not at hand as it was when it was bought."""
        key = _key(source)
        found = self._traits.pop(key, None) or self._looked_at(source)
        if found is not None:
            self._traits[key] = found
            if len(self._traits) > _REMEMBERED:
                self._traits.popitem(last=False)
        return found

    def _looked_at(self, source: Source) -> Traits | None:
        path = Path(source.path) if isinstance(source, LocalFile) else self._kept(source)
        with suppress(OSError, NotMeasuredError):
            content = read_planned(path) if path else None
            if content is None:
                return None
            same = not isinstance(source, LocalFile) or hashlib.sha256(content).hexdigest() == source.sha256
            return traits_of(content, sharpness=False) if same else None
        return None

    def _file(self, key: str) -> Path:
        return self._root / key[:2] / f"{key}.json"

    def sweep(self) -> None:
        """Removes what killed processes left under way."""
        sweep(self._root)


def key_of(sha256: str, pair: Pair) -> str:
    """What the measures of a picture beside its pair are kept under; `sha256`: the picture's."""
    keys = [sha256, *(f"{slot}:{_key(source)}" for slot, source in pair.slots())]
    return hashlib.sha256("\n".join(keys).encode("utf-8", "surrogatepass")).hexdigest()


def measured(
    traits: Traits, person: Traits | None, garments: Sequence[Traits] | None
) -> tuple[dict[str, float | None], float | None]:
    """The values of the flags of one picture, and how badly it fits. Pure.

    Args:
        traits: the picture's.
        person: the person's, if at hand.
        garments: those of every garment; None unless all are at hand.
    """
    changed = None if person is None else difference(traits.look, person.look, moved=0)
    distances = (
        None
        if changed is None or garments is None
        else [colour_distance(garment.look, changed.cells) for garment in garments]
    )
    told = [each for each in distances or () if each is not None]
    colour = max(told) if told and distances and len(told) == len(distances) else None
    values = {
        "unchanged": None if person is None else difference(traits.look, person.look, moved=_MOVED).share,
        "is_garment": None
        if garments is None
        else min(difference(traits.look, garment.look, moved=_MOVED).share for garment in garments),
        "blank": traits.contrast,
        "dark": traits.light,
        "grey": None if person is None or person.chroma < _GREY else traits.chroma / person.chroma,
        "small": float(min(traits.width, traits.height)),
        "aspect": None if person is None else _off(traits.look.aspect, person.look.aspect),
        "colour": colour,
    }
    misfit = None if changed is None else 100 * changed.share + (colour or 0.0)
    return {name: _short(value) for name, value in values.items()}, misfit


def look_of(found: Measured) -> Look:
    """A measured picture as it is compared."""
    with Image.open(io.BytesIO(found.small)) as small:
        return Look(small=small.convert("RGB"), aspect=found.width / found.height)


@cache
def _directions() -> list[list[int]]:
    """Six directions in the space of all cells, the same for ever, in none of which a picture moves by being lighter."""
    half = GRID[0] * GRID[1] * 3 // 2
    return [Random(seed).sample([-1, 1], counts=[half, half], k=2 * half) for seed in range(6)]  # noqa: S311 no secret


def _key(source: Source) -> str:
    return source.sha256 if isinstance(source, LocalFile) else f"address:{unsigned(source.url)}"


def _off(one: float, other: float) -> float:
    """By which share the bigger is above the smaller."""
    return max(one, other) / min(one, other) - 1


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
