"""Pictures as they come: what HiDream takes goes out byte for byte, of the others a JPEG is made."""

import hashlib
import io
import resource
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageOps

from jobs.config.settings import PictureSettings
from jobs.heic import open_heic
from jobs.pictures.check import LocalPictures, PictureError
from jobs.pictures.conversion import to_jpeg
from jobs.pictures.converted import ConvertedPictures, SourceChangedError
from jobs.records import LocalFile

open_heic()
TURNED = 6
FORMATS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "AVIF": "avif", "HEIF": "heic"}


def halves(size=(120, 80)):
    """Red on the left, blue on the right: one sees how it lies."""
    picture = Image.new("RGB", size, "red")
    picture.paste("blue", (size[0] // 2, 0, *size))
    return picture


def saved(picture, form, **options):
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def exif(orientation):
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def png_with_late_exif(picture):
    """Some cameras' programs write the metadata behind the pixels."""
    content = saved(picture, "PNG")
    body = exif(TURNED).tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(body)) + b"eXIf" + body + struct.pack(">I", zlib.crc32(b"eXIf" + body))
    return content[:-12] + chunk + content[-12:]


def png_16_bits(size=(80, 100)):
    """Three channels of 16 bits, which Pillow does not write."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    line = b"\0" + struct.pack(">HHH", 0xC000, 0x4000, 0x2000) * size[0]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(line * size[1])) + chunk(b"IEND", b"")


def looked_at(tmp_path, content, name="a.jpg", **limits):
    (tmp_path / name).write_bytes(content)
    pictures = LocalPictures(PictureSettings(**limits), tmp_path)
    return pictures.source(name), {remark.kind: remark.words for remark in pictures.remarks(name)}


def sent(tmp_path, source, **limits):
    if not source.jpeg:
        return Image.open(source.path)
    made = ConvertedPictures(tmp_path / "converted", **limits).of(source)
    content = Path(made.path).read_bytes()
    assert hashlib.sha256(content).hexdigest() == made.sha256
    picture = Image.open(io.BytesIO(content))
    assert (picture.format, picture.mode) == ("JPEG", "RGB")
    assert f"{picture.width}x{picture.height}" == source.jpeg
    assert picture.getexif().get(0x0112, 1) == 1
    return picture


def colours(picture):
    """The names of its left, right, upper and lower part."""
    width, height = picture.size
    places = ((5, height // 2), (width - 5, height // 2), (width // 2, 5), (width // 2, height - 5))
    found = [picture.convert("RGB").getpixel(place) for place in places]
    return [
        "red" if red > 150 and blue < 100 else "blue" if blue > 150 and red < 100 else "?"
        for red, _, blue in found
    ]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.heic"])
def test_what_hidream_takes_goes_out_as_it_is_whatever_it_is_called(tmp_path, form, name):
    source, remarks = looked_at(tmp_path, saved(halves(), form), name)
    assert (source.jpeg, remarks) == ("", {})


def test_an_hdr_photograph_goes_out_as_it_is(tmp_path):
    content = saved(halves(), "MPO", save_all=True, append_images=[Image.new("L", (60, 40), "gray")])
    assert Image.open(io.BytesIO(content)).format == "MPO"
    source, remarks = looked_at(tmp_path, content)
    assert (source.jpeg, remarks) == ("", {})
    assert source.sha256 == hashlib.sha256(content).hexdigest()


def test_a_motion_photograph_goes_out_as_it_is(tmp_path):
    video = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 400
    source, remarks = looked_at(tmp_path, saved(halves(), "JPEG") + video)
    assert (source.jpeg, remarks) == ("", {})


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("orientation", [3, TURNED, 8])
def test_a_picture_that_lies_on_its_side_is_turned_upright(tmp_path, form, orientation):
    content = saved(halves(), form, exif=exif(orientation))
    source, remarks = looked_at(tmp_path, content)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    assert source.jpeg == f"{upright.width}x{upright.height}"
    assert colours(sent(tmp_path, source)) == colours(upright)
    assert source.jpeg.replace("x", " x ") in remarks["converted"]


def test_a_png_whose_metadata_stand_behind_its_pixels_is_turned_too(tmp_path):
    source, remarks = looked_at(tmp_path, png_with_late_exif(halves()))
    assert source.jpeg == "80x120"
    assert remarks["converted"] == "turned upright: sent as a JPEG of 80 x 120"
    assert colours(sent(tmp_path, source))[2:] == ["red", "blue"]


@pytest.mark.parametrize(("form", "word"), [("HEIF", "HEIC picture"), ("AVIF", "AVIF picture")])
def test_a_picture_of_a_phone_becomes_a_jpeg(tmp_path, form, word):
    content = saved(halves(), form)
    source, remarks = looked_at(tmp_path, content, "IMG_0001.HEIC")
    assert source == LocalFile(
        path=str(tmp_path / "IMG_0001.HEIC"), sha256=hashlib.sha256(content).hexdigest(), jpeg="120x80"
    )
    assert remarks["converted"] == f"{word}: sent as a JPEG of 120 x 80"
    assert colours(sent(tmp_path, source))[:2] == ["red", "blue"]


@pytest.mark.parametrize("form", ["HEIF", "AVIF"])
def test_a_picture_of_a_phone_that_is_cut_off_is_refused(tmp_path, form):
    content = saved(Image.effect_noise((300, 300), 90).convert("RGB"), form)
    with pytest.raises(PictureError, match="damaged or cut off"):
        looked_at(tmp_path, content[:-3000])


@pytest.mark.parametrize("form", ["HEIF", "AVIF"])
def test_without_conversion_a_picture_of_a_phone_is_refused_and_the_rest_goes_out_as_it_is(tmp_path, form):
    with pytest.raises(PictureError, match=r"save it as JPEG \(or pictures.convert: auto\)"):
        looked_at(tmp_path, saved(halves(), form), convert="off")
    turned, remarks = looked_at(tmp_path, saved(halves(), "JPEG", exif=exif(TURNED)), convert="off")
    assert (turned.jpeg, remarks) == ("", {})


def test_cmyk_and_16_bits_become_what_every_viewer_shows(tmp_path):
    source, remarks = looked_at(tmp_path, saved(halves().convert("CMYK"), "JPEG"))
    assert remarks["converted"].startswith("CMYK colours: ")
    assert colours(sent(tmp_path, source))[:2] == ["red", "blue"]
    source, remarks = looked_at(tmp_path, png_16_bits())
    assert remarks["converted"].startswith("16 bits a channel: ")
    assert (
        max(abs(a - b) for a, b in zip(sent(tmp_path, source).getpixel((9, 9)), (192, 64, 32), strict=True))
        < 6
    )
    gray = Image.new("I;16", (80, 100), 0xC000)
    source, _ = looked_at(tmp_path, saved(gray, "PNG"))
    assert abs(sent(tmp_path, source).getpixel((9, 9))[0] - 192) < 3


def test_a_profile_is_heeded(tmp_path):
    wide = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    broken = saved(halves(), "JPEG", exif=exif(3), icc_profile=b"no profile")
    source, _ = looked_at(tmp_path, broken)
    assert colours(sent(tmp_path, source))[:2] == ["blue", "red"]
    # Of another kind than the picture: passed over, too.
    source, _ = looked_at(tmp_path, saved(halves(), "JPEG", exif=exif(3), icc_profile=wide.tobytes()))
    picture = sent(tmp_path, source)
    assert colours(picture)[:2] == ["blue", "red"]
    assert "icc_profile" not in picture.info


def test_too_large_a_picture_is_scaled_down_and_keeps_its_aspect(tmp_path):
    content = saved(halves((1200, 800)), "JPEG")
    source, remarks = looked_at(tmp_path, content, max_side=300)
    assert source.jpeg == "300x200"
    assert remarks["converted"] == "scaled down from 1200 x 800: sent as a JPEG of 300 x 200"
    assert colours(sent(tmp_path, source))[:2] == ["red", "blue"]
    source, _ = looked_at(tmp_path, content, max_pixels=600_000)
    width, height = map(int, source.jpeg.split("x"))
    assert width * height <= 600_000
    assert abs(width / height - 1.5) < 0.01
    assert sent(tmp_path, source)
    with pytest.raises(PictureError, match="1200 x 800 pixels; at most 600,000"):
        looked_at(tmp_path, content, max_pixels=600_000, convert="off")


@pytest.mark.parametrize("orientation", [1, TURNED])
def test_a_photograph_of_more_pixels_than_memory_has_room_for_is_decoded_smaller(tmp_path, orientation):
    content = saved(halves((12_000, 8_000)), "JPEG", exif=exif(orientation))
    source, _ = looked_at(tmp_path, content)
    width, height = map(int, source.jpeg.split("x"))
    assert width * height <= 40_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    picture = sent(tmp_path, source)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000
    red = 0 if orientation == 1 else 2
    assert colours(picture)[red] == "red"
    assert colours(picture)[red ^ 1] == "blue"


def test_a_picture_of_too_many_bytes_is_saved_with_fewer(tmp_path):
    content = saved(Image.effect_noise((400, 400), 90).convert("RGB"), "PNG")
    source, remarks = looked_at(tmp_path, content, max_bytes=150_000)
    assert source.jpeg == "400x400"
    assert f"{len(content):,} bytes" in remarks["converted"]
    sent(tmp_path, source, max_bytes=150_000)
    with pytest.raises(PictureError, match="bytes; at most 150,000 are sent"):
        looked_at(tmp_path, content, max_bytes=150_000, convert="off")
    with pytest.raises(PictureError, match="bytes; at most 150,000 are sent"):
        looked_at(tmp_path, b"<html>" * 50_000, max_bytes=150_000)


def test_a_narrow_picture_is_not_scaled_down_below_the_least_side(tmp_path):
    with pytest.raises(PictureError, match="at most 100,000 altogether"):
        looked_at(tmp_path, saved(halves((4000, 70)), "JPEG"), max_pixels=100_000)


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_moving_pictures_go_out_as_they_are_and_are_remarked(tmp_path, form):
    frames = [Image.effect_noise((80, 80), 50 + each).convert("RGB") for each in range(3)]
    content = saved(frames[0], form, save_all=True, append_images=frames[1:])
    source, remarks = looked_at(tmp_path, content)
    assert (source.jpeg, list(remarks)) == ("", ["moving"])
    assert "3 frames" in remarks["moving"]


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_transparent_pictures_go_out_as_they_are_and_are_remarked(tmp_path, form):
    picture = halves().convert("RGBA")
    assert looked_at(tmp_path, saved(picture, form))[1] == {}
    picture.paste((0, 0, 0, 0), (0, 0, 40, 40))
    source, remarks = looked_at(tmp_path, saved(picture, form))
    assert (source.jpeg, list(remarks)) == ("", ["transparent"])
    source, _ = looked_at(tmp_path, saved(picture, form), max_side=100)
    assert sent(tmp_path, source).getpixel((5, 5)) > (240, 240, 240)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_blank_picture_is_remarked(tmp_path, form):
    _, remarks = looked_at(tmp_path, saved(Image.new("RGB", (900, 900), "white"), form))
    assert list(remarks) == ["blank"]


@pytest.mark.parametrize(
    ("size", "kinds"), [((1000, 70), ["strip"]), ((80, 400), ["strip"]), ((80, 390), [])]
)
def test_a_strip_is_remarked(tmp_path, size, kinds):
    source, remarks = looked_at(tmp_path, saved(halves(size), "JPEG"))
    assert (source.jpeg, list(remarks)) == ("", kinds)


def test_a_jpeg_is_made_once_and_again_when_it_is_damaged_or_gone(tmp_path):
    source, _ = looked_at(tmp_path, saved(halves(), "JPEG", exif=exif(TURNED)))
    converted = ConvertedPictures(tmp_path / "converted")
    made = converted.of(source)
    whole = Path(made.path).read_bytes()
    # What was made of exactly this content stays what was planned.
    (tmp_path / "a.jpg").rename(tmp_path / "b.jpg")
    assert converted.of(source) == made
    (tmp_path / "b.jpg").rename(tmp_path / "a.jpg")
    Path(made.path).write_bytes(b"damaged" + whole[7:])
    assert converted.of(source) == made
    assert Path(made.path).read_bytes() == whole
    assert [path.name for path in (tmp_path / "converted").rglob("*.*")] == [made.path.rpartition("/")[2]]


def test_no_jpeg_is_made_of_a_file_that_has_changed(tmp_path):
    source, _ = looked_at(tmp_path, saved(halves(), "JPEG", exif=exif(TURNED)))
    (tmp_path / "a.jpg").write_bytes(saved(halves(), "JPEG"))
    with pytest.raises(SourceChangedError):
        ConvertedPictures(tmp_path / "converted").of(source)
    assert not list((tmp_path / "converted").rglob("*.*"))


def test_what_no_jpeg_can_be_made_of_is_told(tmp_path):
    with pytest.raises(ValueError, match="no JPEG can be made of it: UnidentifiedImageError"):
        to_jpeg(b"<html>", (80, 80), 1_000_000)
    with pytest.raises(ValueError, match="more than 100 bytes"):
        to_jpeg(saved(halves(), "PNG"), (80, 80), 100)
