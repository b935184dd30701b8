"""Which local files may be sent, and what is said of the others."""

import hashlib
import io
import os
import struct
import threading
import zlib
from pathlib import Path

import pytest
from PIL import Image

from jobs.config.settings import PictureSettings
from jobs.pictures.check import LocalPictures, PictureError
from jobs.records import LocalFile, Row, Url


def picture(form="JPEG", size=(80, 100), color="red"):
    out = io.BytesIO()
    Image.effect_noise(size, 50).convert("RGB").save(out, form) if color == "noise" else Image.new(
        "RGB", size, color
    ).save(out, form)
    return out.getvalue()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "shop").mkdir()
    return tmp_path / "shop"


@pytest.fixture
def pictures(folder):
    return LocalPictures(PictureSettings(max_bytes=200_000, max_pixels=1_000_000, convert="off"), folder)


def why(pictures, text):
    with pytest.raises(PictureError) as error:
        pictures.source(text)
    assert str(error.value) == error.value.why
    return error.value.why


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_picture_becomes_its_resolved_path_and_its_digest(folder, pictures, form):
    content = picture(form)
    (folder / "a b.pic").write_bytes(content)
    assert pictures.source("./a b.pic") == LocalFile(
        path=str((folder / "a b.pic").resolve()), sha256=hashlib.sha256(content).hexdigest()
    )


@pytest.mark.parametrize("text", ["https://x.example/a.jpg", "HTTP://x.example/a.jpg"])
def test_an_address_is_left_to_hidream(pictures, text):
    assert pictures.source(text) == Url(url=text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("none.jpg", "no such file"),
        ("sub\\none.jpg", "write / instead"),
        ("", "empty"),
        ("a\0b", "NUL"),
        ("~/a.jpg", "~"),
        ("~root/a.jpg", "~"),
        ("file:///etc/hostname", "file:"),
        ("ftp://x/y.jpg", "ftp://"),
        (".", "folder"),
        ("x" * 300, "cannot be read"),
        ("/dev/null", "not an ordinary file"),
    ],
)
def test_a_path_that_leads_to_no_file_is_told(pictures, text, words):
    assert words in why(pictures, text)


def test_what_lies_outside_is_refused_by_whatever_way(folder, pictures):
    outside = folder.parent / "secret.jpg"
    outside.write_bytes(picture())
    (folder / "link.jpg").symlink_to(outside)
    (folder / "dir").symlink_to(folder.parent)
    (folder.parent / "shop-two").mkdir()
    (folder.parent / "shop-two" / "a.jpg").write_bytes(picture())
    for text in ("../secret.jpg", str(outside), "link.jpg", "dir/secret.jpg", "../shop-two/a.jpg"):
        assert "outside the folders" in why(pictures, text)


def test_links_that_stay_inside_are_followed(folder, pictures):
    (folder / "real.jpg").write_bytes(picture())
    (folder / "link.jpg").symlink_to("real.jpg")
    assert pictures.source("link.jpg") == pictures.source("real.jpg")


def test_links_in_a_circle_are_refused(folder, pictures):
    (folder / "a.jpg").symlink_to("b.jpg")
    (folder / "b.jpg").symlink_to("a.jpg")
    assert "cannot be read" in why(pictures, "a.jpg")


def test_roots_replace_the_manifests_folder(folder, tmp_path):
    root = tmp_path / "studio"
    root.mkdir()
    (root / "a.jpg").write_bytes(picture())
    (folder / "b.jpg").write_bytes(picture())
    pictures = LocalPictures(PictureSettings(roots=(root,)), folder)
    assert isinstance(pictures.source("../studio/a.jpg"), LocalFile)
    assert isinstance(pictures.source(str(root / "a.jpg")), LocalFile)
    assert "outside" in why(pictures, "b.jpg")


def test_a_pipe_is_refused_without_waiting_for_a_writer(folder, pictures):
    os.mkfifo(folder / "pipe.jpg")
    assert "not an ordinary file" in why(pictures, "pipe.jpg")


def png_header(width, height):
    """A PNG of a few bytes that says to be huge."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"x" * 300_000, "300,000 bytes; at most 200,000"),
        (b"<html>not found</html>", "no JPEG, PNG or WEBP"),
        (picture("GIF"), "no JPEG, PNG or WEBP"),
        (picture(size=(63, 900)), "63 x 900 pixels; each side needs at least 64"),
        (picture("PNG", size=(2000, 600)), "2000 x 600 pixels; at most 1,000,000"),
        (png_header(10_000, 10_000), "10000 x 10000 pixels"),
        (png_header(60_000, 60_000), "more than 1,000,000 pixels"),
        (picture(color="noise")[:-900], "damaged or cut off"),
        (picture("PNG", color="noise")[:-900], "damaged or cut off"),
        (picture("WEBP", color="noise")[:-900], "damaged or cut off"),
        (picture()[:12], "damaged or cut off"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_no_sound_picture_is_told_each_time(folder, pictures, content, words):
    (folder / "a.jpg").write_bytes(content)
    assert words in why(pictures, "a.jpg")
    assert words in why(pictures, "a.jpg")


def test_a_changed_picture_is_looked_at_again(folder, pictures):
    (folder / "a.jpg").write_bytes(picture(color="red"))
    before = pictures.source("a.jpg")
    (folder / "new.jpg").write_bytes(picture(color="blue"))
    (folder / "new.jpg").replace(folder / "a.jpg")
    after = pictures.source("a.jpg")
    assert before.path == after.path
    assert before.sha256 != after.sha256


def test_a_picture_named_again_is_not_opened_again(folder, pictures):
    (folder / "a.jpg").write_bytes(picture())
    first = pictures.source("a.jpg")
    (folder / "a.jpg").chmod(0)
    assert pictures.source("a.jpg") is first


def test_a_link_turned_outside_is_refused_though_its_text_is_known(folder, pictures):
    (folder / "a.jpg").write_bytes(picture())
    (folder.parent / "secret.jpg").write_bytes(picture(color="blue"))
    (folder / "link.jpg").symlink_to("a.jpg")
    pictures.source("link.jpg")
    (folder / "link.jpg").unlink()
    (folder / "link.jpg").symlink_to(folder.parent / "secret.jpg")
    assert "outside" in why(pictures, "link.jpg")


def rows(*texts):
    return [
        Row(number=n, line=n, sku="", inputs={"person": text}, fields={}) for n, text in enumerate(texts, 1)
    ]


def test_pictures_are_looked_at_ahead_of_their_rows_and_each_once(folder):
    for number in range(60):
        (folder / f"{number}.jpg").write_bytes(picture(color=(number, 0, 0)))
    texts = [f"{number}.jpg" for number in range(60)] * 2
    pictures = LocalPictures(PictureSettings(), folder)
    found = [pictures.source(row.inputs["person"]) for row in pictures.ahead(rows(*texts))]
    assert [Path(each.path).name for each in found] == texts
    assert pictures.looked_at == 60


def test_rows_keep_their_order_and_tell_of_their_pictures_whatever_is_ahead(folder):
    (folder / "a.jpg").write_bytes(picture())
    (folder / "cut.jpg").write_bytes(picture(color="noise")[:-900])
    texts = [
        "a.jpg",
        "https://x.example/a.jpg",
        "none.jpg",
        "cut.jpg",
        "~/a.jpg",
        "../a.jpg",
        "cut.jpg",
        "a.jpg",
    ] * 5
    pictures = LocalPictures(PictureSettings(), folder)

    def told(text):
        try:
            return type(pictures.source(text)).__name__
        except PictureError as error:
            return error.why.partition(" ")[0]

    ahead = [told(row.inputs["person"]) for row in pictures.ahead(rows(*texts))]
    pictures = LocalPictures(PictureSettings(), folder)
    assert ahead == [told(text) for text in texts]
    assert pictures.looked_at == 2


def test_a_picture_that_changes_after_it_was_begun_is_looked_at_again(folder):
    (folder / "a.jpg").write_bytes(picture(color="red"))
    pictures = LocalPictures(PictureSettings(), folder)
    for row in pictures.ahead(rows("a.jpg")):
        (folder / "new.jpg").write_bytes(picture(color="blue"))
        (folder / "new.jpg").replace(folder / "a.jpg")
        found = pictures.source(row.inputs["person"])
    assert found.sha256 == hashlib.sha256((folder / "a.jpg").read_bytes()).hexdigest()


def test_who_stops_in_the_middle_leaves_no_thread(folder):
    for number in range(60):
        (folder / f"{number}.jpg").write_bytes(picture(color="noise", size=(500, 500)))
    ahead = LocalPictures(PictureSettings(), folder).ahead(rows(*(f"{number}.jpg" for number in range(60))))
    next(ahead)
    ahead.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pictures")]
