import io
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw

from worker.simulator.compose import STRIP, compose

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
RED, BLUE, GREEN = (200, 30, 30), (30, 30, 200), (30, 160, 30)

MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "HSV",
    "LAB",
    "I",
    "F",
    "I;16",
    "I;16B",
]


def _person(size=(300, 400), colour=(240, 240, 240)):
    return Image.new("RGB", size, colour)


def _cut_out(colour, box, size=(300, 400)):
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    ImageDraw.Draw(picture).rectangle(box, fill=(*colour, 255))
    return picture


def _count(picture, colour, slack=6):
    """Pixels of nearly that colour."""
    difference = ImageChops.difference(picture, Image.new("RGB", picture.size, colour))
    bands = [
        band.point([255 if level <= slack else 0 for level in range(256)]) for band in difference.split()
    ]
    return ImageChops.multiply(ImageChops.multiply(bands[0], bands[1]), bands[2]).histogram()[255]


def test_a_cut_out_of_the_persons_shape_is_worn_and_needs_no_card():
    result = compose(_person(), {"dress": _cut_out(RED, (100, 100, 199, 299))}, "task 1")
    assert result.mode == "RGB"
    assert result.width == 384
    assert result.height == 512 + STRIP
    assert result.getpixel((192, 256)) == RED
    assert result.getpixel((20, 20)) == (240, 240, 240)


def test_a_cut_out_at_another_scale_is_worn_at_the_persons_size():
    result = compose(_person((600, 800)), {"dress": _cut_out(RED, (100, 100, 199, 299))}, "")
    assert result.size == (600, 800 + STRIP)
    assert result.getpixel((300, 400)) == RED


def test_the_top_lies_over_the_trousers_whatever_order_they_come_in():
    top, trousers = _cut_out(RED, (100, 100, 199, 219)), _cut_out(BLUE, (100, 180, 199, 379))
    one = compose(_person(), {"upper_clothes": top, "lower_clothes": trousers}, "x")
    other = compose(_person(), {"lower_clothes": trousers, "upper_clothes": top}, "x")
    assert one.getpixel((192, 256)) == RED
    assert one.getpixel((192, 400)) == BLUE
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    "garment",
    [
        Image.new("RGB", (300, 400), GREEN),
        Image.new("RGBA", (300, 400), (*GREEN, 255)),
        _cut_out(GREEN, (20, 20, 380, 280), (400, 300)),
    ],
    ids=["a photograph", "an opaque picture with an alpha channel", "a cut-out of another shape"],
)
def test_what_cannot_be_worn_stands_on_a_card_beside_the_untouched_person(garment):
    result = compose(_person(), {"upper_clothes": garment}, "task 2")
    assert result.width > 384
    assert _count(result.crop((0, 0, 384, 512)), GREEN) == 0
    assert _count(result.crop((384, 0, result.width, 512)), GREEN) > 5000


def test_three_cards_stand_below_each_other():
    photos = {"upper_clothes": RED, "lower_clothes": BLUE, "dress": GREEN}
    result = compose(
        _person((900, 1200)), {slot: Image.new("RGB", (500, 900), c) for slot, c in photos.items()}, "c"
    )
    assert max(result.size) <= 1024
    assert all(_count(result, colour) > 5000 for colour in photos.values())


def test_a_fully_transparent_garment_is_shown_empty_and_not_worn():
    result = compose(_person(), {"dress": Image.new("RGBA", (300, 400))}, "nothing")
    assert result.width > 384


def test_the_mark_and_the_caption_are_written_below_the_picture():
    plain, named = (compose(_person(), {}, caption) for caption in ("", "task 42"))
    strip = (0, 512, 384, 512 + STRIP)
    assert plain.crop((0, 0, 384, 512)).tobytes() == named.crop((0, 0, 384, 512)).tobytes()
    assert plain.crop(strip).tobytes() != named.crop(strip).tobytes()
    assert _count(plain.crop(strip), (61, 58, 56)) > 500


@pytest.mark.parametrize(
    "caption", ["", "x" * 100_000, "上衣 · 连衣裙", "two\nlines\tand \x00 more", "\ud800"]
)
def test_any_caption_is_one_line(caption):
    assert compose(_person(), {}, caption).size == (384, 512 + STRIP)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_taken_as_person_and_as_garment(mode):
    odd = Image.new(mode, (300, 400))
    for result in (
        compose(odd, {"dress": _cut_out(RED, (50, 50, 250, 350))}, mode),
        compose(_person(), {"dress": odd}, mode),
    ):
        assert result.mode == "RGB"
        assert max(result.size) <= 1024


@pytest.mark.parametrize("size", [(1, 1), (1, 6000), (6000, 1), (64, 64), (1023, 1025), (6000, 6000)])
@pytest.mark.parametrize("mode", ["L", "P"])
def test_every_size_is_taken_as_person_and_as_garment(mode, size):
    odd = Image.new(mode, size)
    for result in (
        compose(odd, {"upper_clothes": _cut_out(RED, (5, 5, 60, 60), (64, 64))}, "s"),
        compose(_person(), {"dress": odd}, "s"),
    ):
        assert max(result.size) <= 1024
        assert min(result.size) >= 256


def test_an_empty_picture_is_taken_too():
    assert compose(Image.new("RGB", (0, 0)), {"dress": Image.new("RGBA", (0, 5))}, "void").mode == "RGB"


def test_sixteen_bit_greys_keep_their_levels():
    deep = Image.new("I;16", (300, 400), 32768)
    assert compose(deep, {}, "deep").getpixel((100, 100)) == pytest.approx((127, 127, 127), abs=1)


@pytest.mark.parametrize("level", [float("nan"), float("inf"), -5.0, 0.5, 1e30])
def test_odd_floating_levels_do_not_stop_it(level):
    assert compose(Image.new("F", (300, 400), level), {}, "odd").mode == "RGB"


def test_a_palettes_own_transparency_makes_it_a_cut_out():
    paletted = _cut_out(RED, (100, 100, 199, 299)).quantize(8)
    result = compose(_person(), {"dress": paletted}, "p")
    assert result.width == 384
    assert result.getpixel((192, 256)) == pytest.approx(RED, abs=4)


def _lying(size):
    """A photograph whose EXIF says that it lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGB", size, BLUE).save(file, "JPEG", exif=exif)
    return Image.open(file)


@pytest.mark.parametrize(("size", "upright"), [((400, 300), (384, 512)), ((5000, 2500), (494, 988))])
def test_a_photograph_lying_on_its_side_is_turned_upright_by_its_exif(size, upright):
    with _lying(size) as photograph:
        assert compose(photograph, {}, "turned").size == (upright[0], upright[1] + STRIP)


@pytest.mark.parametrize(
    "exif", [b"", b"Exif\x00\x00", b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01", b"Exif\x00\x00garbage" * 9]
)
def test_a_broken_exif_block_is_passed_over(exif):
    odd = _person()
    odd.info["exif"] = exif
    assert compose(odd, {}, "exif").size == (384, 512 + STRIP)


def test_the_inputs_are_left_as_they_were():
    person, garment = _person(), _cut_out(RED, (100, 100, 199, 299)).quantize(8)
    before = person.tobytes(), garment.tobytes(), garment.mode, dict(garment.info)
    compose(person, {"dress": garment}, "pure")
    assert (person.tobytes(), garment.tobytes(), garment.mode, dict(garment.info)) == before


def test_the_example_dress_is_worn_where_the_example_person_stands():
    with (
        Image.open(EXAMPLES / "people/mei.jpg") as person,
        Image.open(EXAMPLES / "garments/ribbed-column.png") as dress,
    ):
        result = compose(person, {"dress": dress}, "AW-DRS")
    assert result.size == (600, 800 + STRIP)
    red, green, blue = result.getpixel((296, 500))
    assert red > blue > green
