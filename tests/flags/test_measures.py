"""What is measured of a picture beside its person and garments, and what is kept of it."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance, ImageFilter

from jobs.config.settings import FlagSettings
from jobs.flags.measures import Measured, Measures, key_of
from jobs.flags.rules import RULES, raised
from jobs.flags.traits import NotMeasuredError, traits_of
from jobs.records import FlagValues, Pair, Url
from tests.flags.drawn import SIZE, Folder, dressed, garment, person


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def take(folder, image, pair=None, kept=lambda _url: None, **how) -> Measured:
    picture = folder.stored(image, **how)
    pair = pair or folder.pair
    return Measures(folder.root, kept).take(key_of(picture.sha256, pair), folder.place(picture.sha256), pair)


def flags(found: Measured) -> set[str]:
    return {flag.id for flag in raised(found.values, FlagSettings())}


def on(ground, image):
    flat = Image.new("RGB", image.size, ground)
    flat.paste(image, mask=image.getchannel("A"))
    return flat


@pytest.mark.parametrize("quality", [70, 95])
@pytest.mark.parametrize("size", [SIZE, (768, 1024), (900, 1200)])
def test_a_picture_in_order_has_no_flag(folder, size, quality):
    assert flags(take(folder, dressed().resize(size), quality=quality)) == set()


@pytest.mark.parametrize(
    "again",
    [
        lambda image: image,
        lambda image: image.resize((768, 1024)),
        lambda image: ImageEnhance.Brightness(image).enhance(1.03),
        lambda image: image.crop((15, 0, 585, 800)),
        lambda image: image.crop((0, 20, 600, 780)),
    ],
    ids=["the same", "larger", "lighter", "narrower", "lower"],
)
def test_the_person_who_came_back_unchanged(folder, again):
    assert "unchanged" in flags(take(folder, again(person())))


@pytest.mark.parametrize("ground", ["white", "black", "#d0d0d0"])
def test_the_garment_that_came_back(folder, ground):
    assert "is_garment" in flags(take(folder, on(ground, garment())))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("RGB", SIZE, "white"), "blank"),
        (Image.new("RGB", SIZE, "#808080"), "blank"),
        (ImageEnhance.Brightness(dressed()).enhance(0.05), "dark"),
        (ImageEnhance.Color(dressed()).enhance(0.05), "grey"),
        (dressed().resize((240, 320)), "small"),
        (dressed().resize((500, 800)), "aspect"),
        (dressed("#2040c0"), "colour"),
    ],
    ids=["white", "flat", "dark", "grey", "small", "squeezed", "another colour"],
)
def test_each_fault_has_its_flag(folder, image, expected):
    assert expected in flags(take(folder, image))


def test_a_flag_says_what_was_measured_and_its_limit(folder):
    found = take(folder, dressed("#2040c0"))
    (flag,) = raised(found.values, FlagSettings(grey=0))
    assert (flag.id, flag.limit) == ("colour", 10)
    assert flag.value == found.values["colour"] > 30
    assert flag.evidence == f"the garment's colour is {flag.value:.1f} (CIEDE2000) away from what has changed"


def test_a_blurred_picture_is_less_sharp(folder):
    sharp, blurred = (
        take(folder, image).sharpness for image in (dressed(), dressed().filter(ImageFilter.GaussianBlur(2)))
    )
    assert blurred < 0.7 * sharp


def test_what_needs_a_picture_that_is_not_at_hand_is_not_measured(folder):
    pair = Pair(person=Url(url="https://cdn.example/p.jpg"), dress=folder.pair.dress)
    values = take(folder, person(), pair).values
    assert {name for name, value in values.items() if value is None} == {
        "unchanged",
        "grey",
        "aspect",
        "colour",
    }


def test_an_address_whose_picture_is_kept_here_is_looked_at(folder):
    kept = folder.root / "person.jpg"
    pair = Pair(person=Url(url="https://cdn.example/p.jpg"), dress=folder.pair.dress)
    assert "unchanged" in flags(take(folder, person(), pair, kept=lambda _url: kept))


def test_a_file_that_was_changed_since_it_was_bought_is_not_looked_at(folder):
    person(wall="#223344").save(folder.root / "person.jpg")
    assert take(folder, dressed()).values["unchanged"] is None
    (folder.root / "dress.png").unlink()
    assert take(folder, dressed()).values["colour"] is None


def test_a_picture_that_is_not_there_may_come_back(folder):
    picture = folder.stored(dressed())
    key, measures = key_of(picture.sha256, folder.pair), Measures(folder.root)
    with pytest.raises(FileNotFoundError):
        measures.take(key, folder.root / "gone.jpg", folder.pair)
    assert measures.known(key) is None


def test_a_picture_that_cannot_be_read_is_not_tried_again(folder):
    picture = folder.stored(dressed())
    key, place = key_of(picture.sha256, folder.pair), folder.place(picture.sha256)
    place.write_bytes(place.read_bytes()[:3000])
    measures = Measures(folder.root)
    assert measures.known(key) is None
    assert measures.take(key, place, folder.pair) == measures.known(key) == Measured()


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"version": 0, "sharpness": 1}'], ids=["empty", "torn", "older"]
)
def test_measures_that_say_nothing_are_taken_anew(folder, content):
    take(folder, dressed())
    (file,) = (folder.root / "measures").glob("*/*.json")
    file.write_bytes(content)
    assert Measures(folder.root).known(file.stem) is None
    assert take(folder, dressed()) == Measures(folder.root).known(file.stem)


def test_the_same_picture_of_another_pair_is_measured_beside_that(folder):
    other = Pair(person=folder.pair.person, dress=folder.local(garment("#2040c0"), "other.png"))
    assert "colour" not in flags(take(folder, dressed()))
    assert "colour" in flags(take(folder, dressed(), other))


def test_two_garments_are_both_looked_for(folder):
    blue = folder.local(garment("#2040c0"), "blue.png")
    pair = Pair(person=folder.pair.person, upper_clothes=folder.pair.dress, lower_clothes=blue)
    both = dressed()
    both.paste(Image.new("RGB", (200, 160), "#2040c0"), (200, 400))
    assert "colour" not in flags(take(folder, both, pair))
    assert "colour" in flags(take(folder, dressed(), pair))


def test_a_photograph_that_lies_on_its_side_is_turned(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    person().rotate(90, expand=True).save(out, "JPEG", exif=exif)
    traits = traits_of(out.getvalue())
    assert (traits.width, traits.height) == SIZE


def test_a_picture_of_many_pixels_is_looked_at_in_part_and_keeps_its_size():
    out = io.BytesIO()
    dressed().resize((3000, 4000)).save(out, "JPEG")
    traits = traits_of(out.getvalue())
    assert (traits.width, traits.height) == (3000, 4000)


def test_what_is_too_heavy_to_decode_is_left_alone():
    out = io.BytesIO()
    Image.new("RGB", (5000, 5000)).save(out, "PNG")
    with pytest.raises(NotMeasuredError):
        traits_of(out.getvalue())


def test_every_flag_has_its_limit_and_its_place_in_the_documents():
    assert list(RULES) == [name for name in FlagSettings.model_fields if name != "enabled"]
    assert list(RULES) == list(FlagValues.__struct_fields__)
    page = (Path(__file__).parents[2] / "docs" / "flags.md").read_text(encoding="utf-8")
    told = page.split("## The flags")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE) == list(RULES)
