"""Marks of AI origin: written without touching a pixel, read by another program, never over what was there."""

import io
import json

import pyexiv2
import pytest
from PIL import Image, ImageChops

from jobs.config.delivery import MarksSettings
from jobs.errors import ConfigError
from jobs.marks.found import marks_of
from jobs.marks.label import check_letters, labelled
from jobs.marks.metadata import marked, with_packet_of
from tests.marks.conftest import picture, pixels

KINDS = ("JPEG", "PNG", "WEBP")
AI = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
CHINA = MarksSettings(aigc_producer="91310000MA1FL0TEST", aigc_propagator="91310000MA1FL0SHOP")


def with_xmp(content, properties):
    pyexiv2.registerNs("http://www.tc260.org.cn/ns/AIGC/1.0/", "TC260")
    with pyexiv2.ImageData(content) as image:
        image.modify_xmp(properties)
        return bytes(image.get_bytes())


@pytest.mark.parametrize("kind", KINDS)
def test_the_mark_is_the_full_address_of_iptcs_term_and_no_pixel_has_changed(kind, exiftool):
    before = picture(kind)
    after = marked(before, MarksSettings(), produce_id="r1")
    assert pixels(after) == pixels(before)
    assert marks_of(after) == ("iptc:trainedAlgorithmicMedia",)
    told = exiftool(after)
    # exiftool tells the term by its English name; as it is stored it is the address.
    assert told["XMP-iptcExt:DigitalSourceType"]
    assert AI.encode() in after or kind == "PNG"
    with pyexiv2.ImageData(after) as image:
        assert image.read_xmp()["Xmp.iptcExt.DigitalSourceType"] == AI


@pytest.mark.parametrize("kind", KINDS)
def test_chinas_mark_has_its_fields_with_the_producers_data(kind, exiftool):
    after = marked(picture(kind), CHINA, produce_id="r-42 ä中")
    assert pixels(after) == pixels(picture(kind))
    assert marks_of(after) == ("iptc:trainedAlgorithmicMedia", "tc260")
    told = exiftool(after)
    key = next(name for name in told if name.lower() == "xmp-tc260:aigc")
    fields = told[key] if isinstance(told[key], dict) else json.loads(told[key])
    assert list(fields) == [
        "Label",
        "ContentProducer",
        "ProduceID",
        "ReservedCode1",
        "ContentPropagator",
        "PropagateID",
        "ReservedCode2",
    ]
    assert (str(fields["Label"]), fields["ContentProducer"]) == ("1", "91310000MA1FL0TEST")
    assert fields["ProduceID"] == fields["PropagateID"] == "r-42 ä中"


@pytest.mark.parametrize("kind", KINDS)
def test_marks_that_the_picture_brings_stay_as_they_are_and_nothing_is_written_over_them(kind):
    theirs = json.dumps({"Label": "1", "ContentProducer": "HiDream", "ProduceID": "7"})
    composite = AI.replace("trained", "compositeWithTrained").replace(
        "Trainedalgorithmic", "TrainedAlgorithmic"
    )
    brought = with_xmp(picture(kind), {"Xmp.TC260.AIGC": theirs, "Xmp.iptcExt.DigitalSourceType": composite})
    assert marked(brought, CHINA, produce_id="r1") == brought
    only_china = with_xmp(picture(kind), {"Xmp.TC260.AIGC": theirs, "Xmp.dc.title": "blue dress"})
    after = marked(only_china, CHINA, produce_id="r1")
    with pyexiv2.ImageData(after) as image:
        xmp = image.read_xmp()
    assert xmp["Xmp.TC260.AIGC"] == theirs
    assert xmp["Xmp.iptcExt.DigitalSourceType"] == AI
    assert "blue dress" in str(xmp["Xmp.dc.title"])


@pytest.mark.parametrize(
    "value", ["trainedAlgorithmicMedia", AI.replace("trainedAlgorithmicMedia", "digitalCapture")]
)
def test_a_bare_word_or_a_cameras_term_is_no_mark_of_ai_origin_and_is_put_right(value):
    wrong = with_xmp(picture("JPEG"), {"Xmp.iptcExt.DigitalSourceType": value})
    assert marks_of(wrong) == ()
    with pyexiv2.ImageData(marked(wrong, MarksSettings(), produce_id="r1")) as image:
        assert image.read_xmp()["Xmp.iptcExt.DigitalSourceType"] == AI


def test_without_any_mark_set_the_picture_stays_byte_for_byte():
    content = picture("JPEG")
    assert marked(content, MarksSettings(source_type=""), produce_id="r1") == content


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_picture_brings_goes_along_when_it_is_encoded_anew(kind):
    theirs = json.dumps({"Label": "1", "ContentProducer": "HiDream"})
    original = with_xmp(picture(kind), {"Xmp.TC260.AIGC": theirs})
    anew = with_packet_of(picture("JPEG", quality=80), original)
    assert marks_of(anew) == ("tc260",)
    assert pixels(anew) == pixels(picture("JPEG", quality=80))


def test_what_is_no_picture_has_no_marks():
    assert marks_of(b"") == marks_of(b"<html>") == ()
    assert marks_of(picture("PNG")[:40]) == ()


@pytest.mark.parametrize("corner", ["top_left", "top_right", "bottom_left", "bottom_right"])
def test_a_label_is_drawn_into_its_corner_and_nowhere_else(corner):
    plain = Image.new("RGB", (400, 600), "teal")
    drawn = labelled(plain, MarksSettings(label_text="AI-generated", label_corner=corner, label_size=0.06))
    assert drawn.size == plain.size
    changed = ImageChops.difference(plain, drawn).getbbox()
    assert changed
    left, top, right, bottom = changed
    assert (left == 0) == corner.endswith("left")
    assert (right == 400) == corner.endswith("right")
    assert (top == 0) == corner.startswith("top")
    assert (bottom == 600) == corner.startswith("bottom")
    assert 24 <= bottom - top <= 60


def test_a_label_whose_letters_the_font_lacks_is_refused():
    check_letters(MarksSettings(label_text="AI-generated"))
    with pytest.raises(ConfigError, match="the font has no"):
        check_letters(MarksSettings(label_text="AI生成"))


def test_a_broken_font_is_named(tmp_path):
    font = tmp_path / "font.ttf"
    font.write_bytes(b"no font")
    with pytest.raises(ConfigError, match=r"font\.ttf"):
        check_letters(MarksSettings(label_text="AI", label_font=font))


def test_a_picture_of_hundred_pixels_takes_a_label_that_is_wider():
    assert labelled(Image.new("RGB", (60, 60)), MarksSettings(label_text="generated by AI")).size == (60, 60)
    out = io.BytesIO()
    labelled(Image.new("RGBA", (60, 60)), MarksSettings(label_text="AI")).save(out, "PNG")
