"""A picture as a channel wants it."""

import io

import pytest
from PIL import Image, ImageCms

from jobs.config.delivery import ProfileSettings
from jobs.delivery.profiles import BUILT_IN
from jobs.delivery.rendition import UnfitError, extension_of, render
from tests.delivery.conftest import drawn


def opened(rendition):
    return Image.open(io.BytesIO(rendition.content))


def noise(size):
    out = io.BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(out, "PNG")
    return out.getvalue()


def test_what_asks_for_nothing_gets_the_very_bytes():
    for kind, extension in (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")):
        content = drawn("a", kind=kind)
        rendition = render(content, extension, ProfileSettings())
        assert rendition.content == content
        assert not rendition.anew


def test_a_picture_that_fits_already_is_not_encoded_again():
    content = drawn("a", (800, 1000))
    assert render(content, "jpg", BUILT_IN["google"]).content == content


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_format_and_longest_side(kind):
    profile = ProfileSettings(format=kind, longest_side=300)
    made = opened(render(drawn("a", (400, 600)), extension_of(profile, "jpg"), profile))
    assert (made.format, made.size) == (kind.upper(), (200, 300))


def test_a_size_is_filled_with_the_background_and_nothing_is_scaled_up():
    profile = ProfileSettings(format="png", size=(200, 200), background="#ff0000")
    made = opened(render(drawn("a", (100, 50)), "png", profile))
    assert made.size == (200, 200)
    assert made.getpixel((5, 5)) == (255, 0, 0)
    source = Image.open(io.BytesIO(drawn("a", (100, 50)))).convert("RGB")
    assert made.crop((50, 75, 150, 125)).tobytes() == source.tobytes()


def test_what_shines_through_is_put_on_the_background():
    out = io.BytesIO()
    Image.new("RGBA", (50, 50), (0, 0, 0, 0)).save(out, "PNG")
    made = opened(render(out.getvalue(), "jpg", ProfileSettings(format="jpeg", background="#00ff00")))
    assert made.mode == "RGB"
    assert made.getpixel((20, 20))[1] > 240


def test_quality_is_lowered_as_far_as_the_limit_of_bytes_wants():
    content = noise((400, 400))
    most = len(render(content, "jpg", ProfileSettings(format="jpeg")).content) * 2 // 3
    made = render(content, "jpg", ProfileSettings(format="jpeg", max_bytes=most))
    assert most * 0.9 < len(made.content) <= most


@pytest.mark.parametrize(
    "profile", [ProfileSettings(max_bytes=1000), ProfileSettings(format="jpeg", max_bytes=1000)]
)
def test_what_cannot_be_made_so_small_is_refused(profile):
    with pytest.raises(UnfitError, match="at most"):
        render(noise((400, 400)), extension_of(profile, "png"), profile)


def test_a_picture_too_small_for_the_channel_is_refused():
    with pytest.raises(UnfitError, match="250 at least"):
        render(drawn("a", (200, 300)), "jpg", BUILT_IN["google"])


def test_what_is_no_picture_is_refused():
    with pytest.raises(UnfitError, match="cannot be read"):
        render(b"<html>", "jpg", ProfileSettings())


def test_the_colour_profile_goes_along():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    out = io.BytesIO()
    Image.new("RGB", (600, 700), "teal").save(out, "JPEG", icc_profile=profile)
    made = opened(render(out.getvalue(), "webp", ProfileSettings(format="webp")))
    assert made.info["icc_profile"] == profile


def test_a_picture_on_its_side_is_put_upright_once():
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.new("RGB", (60, 40), "teal").save(out, "JPEG", exif=exif)
    made = opened(render(out.getvalue(), "png", ProfileSettings(format="png")))
    assert made.size == (40, 60)
    assert made.getexif().get(0x0112, 1) == 1
