"""A JPEG is followed to its own end: what lies behind it counts for nothing, and what is cut off has none."""

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from jobs.config.settings import PictureSettings
from jobs.pictures.check import LocalPictures, PictureError
from jobs.pictures.verify import BrokenPictureError, prove
from jobs.pictures.weight import MAX_SCANS, jpeg_structure
from jobs.records import LocalFile


def jpeg(kind: str = "JPEG", size: tuple[int, int] = (160, 120), **options: object) -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(out, kind, **options)
    return out.getvalue()


def video(seed: int = 0, size: int = 60_000) -> bytes:
    """What a telephone puts behind a photograph: a box, and bytes in which every marker occurs."""
    head = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"
    return head + random.Random(seed).randbytes(size)


BASELINE = jpeg()
PROGRESSIVE = jpeg(progressive=True)
RESTARTS = jpeg(restart_marker_blocks=1)
FRAMES = jpeg("MPO", save_all=True, append_images=[Image.new("RGB", (64, 64))])
WHOLE = {
    "baseline": BASELINE,
    "progressive": PROGRESSIVE,
    "restarts": RESTARTS,
    "with a video": BASELINE + video(),
    "with a long video": BASELINE + video(3, 8_000_000),
    "progressive with a video": PROGRESSIVE + video(1),
    "with a second picture": FRAMES,
    "with zeros": BASELINE + b"\0" * 4096,
    "filled markers": BASELINE[:2] + b"\xff\xff" + BASELINE[2:],
}
CUT = {
    "half": BASELINE[: len(BASELINE) // 2],
    "without its end": BASELINE[:-2],
    "half of a progressive one": PROGRESSIVE[: len(PROGRESSIVE) // 2],
    "half and a whole one": BASELINE[: len(BASELINE) // 2] + BASELINE,
    "half and zeros": BASELINE[: len(BASELINE) // 2] + b"\0" * 9000,
    "half and a video": BASELINE[: len(BASELINE) // 2] + video(2),
    "half and text": BASELINE[: len(BASELINE) // 2] + b"HTTP/1.1 200 OK\r\n" * 99,
}


def taken(folder, content: bytes) -> tuple[bool, bool]:
    """Whether it may be sent, and whether it would be kept."""
    path = folder / "p.jpg"
    path.write_bytes(content)
    try:
        sent = isinstance(LocalPictures(PictureSettings(), folder).source("p.jpg"), LocalFile)
    except PictureError as error:
        assert error.why == "the picture is damaged or cut off"  # noqa: PT017
        sent = False
    try:
        kept = prove(path, max_pixels=1_000_000).extension == "jpg"
    except BrokenPictureError:
        kept = False
    return sent, kept


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_photograph_is_taken_whatever_lies_behind_it(tmp_path, name):
    assert jpeg_structure(WHOLE[name]).whole
    assert taken(tmp_path, WHOLE[name]) == (True, True)


@pytest.mark.parametrize("name", CUT)
def test_a_photograph_that_is_cut_off_is_refused_whatever_lies_behind_it(tmp_path, name):
    assert not jpeg_structure(CUT[name]).whole
    assert taken(tmp_path, CUT[name]) == (False, False)


def test_scans_are_those_of_the_picture_itself():
    assert jpeg_structure(BASELINE + b"\xff\xda" * 500).scans == 1
    assert jpeg_structure(PROGRESSIVE).scans == 10
    last = PROGRESSIVE.rindex(b"\xff\xda")
    many = PROGRESSIVE[:last] + PROGRESSIVE[last:-2] * 500 + PROGRESSIVE[-2:]
    assert jpeg_structure(many).scans == MAX_SCANS + 1


@given(st.binary(max_size=400))
def test_any_bytes_may_be_asked(content):
    found = jpeg_structure(b"\xff\xd8" + content)
    assert found.scans >= 0
    assert not found.whole or b"\xff\xd9" in content
