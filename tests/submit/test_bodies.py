import base64
import hashlib
import io
import json
import os
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image

from jobs.pictures.converted import ConvertedPictures
from jobs.records import LocalFile, Owner, Pair, Url
from worker.submit.bodies import (
    BLOCK_BYTES,
    Bodies,
    PictureChangedError,
    PictureMissingError,
    PictureUnreadableError,
)


def local(path, content):
    path.write_bytes(content)
    return LocalFile(path=str(path), sha256=hashlib.sha256(content).hexdigest())


def told(body):
    return json.loads(b"".join(body.pieces()))


def test_a_body_carries_addresses_as_they_are_and_files_as_base64(tmp_path):
    pair = Pair(person=local(tmp_path / "p.jpg", b"person"), dress=Url(url="https://a/d?x=1&y=2"))
    assert told(Bodies().build(pair, "r-1", "https://cb")) == {
        "person": base64.b64encode(b"person").decode(),
        "dress": "https://a/d?x=1&y=2",
        "request_id": "r-1",
        "notify_url": "https://cb",
    }


def test_a_body_without_a_callback_has_no_notify_url():
    pair = Pair(person=Url(url="https://a"), upper_clothes=Url(url="https://b"))
    assert list(told(Bodies().build(pair, "r-1"))) == ["person", "upper_clothes", "request_id"]


def sent(bodies, *files):
    """What is sent of each, one body after the other."""
    return [told(bodies.build(Pair(person=file), "r"))["person"] for file in files]


@pytest.mark.parametrize(
    "size", [1, 2, 3, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 2]
)
def test_a_file_is_read_block_by_block_while_it_is_sent(tmp_path, size):
    content = os.urandom(size)
    body = Bodies(max_cached_bytes=0).build(Pair(person=local(tmp_path / "p.jpg", content)), "r-1")
    blocks = list(body.blocks())
    assert base64.b64decode(told(body)["person"]) == content
    assert body.length == sum(map(len, blocks))
    assert max(map(len, blocks)) <= BLOCK_BYTES // 3 * 4


@pytest.mark.parametrize(
    "now", [b"another" * 200_000, b"planned" * 10, b""], ids=["other", "shorter", "empty"]
)
def test_of_a_picture_that_changes_before_it_is_sent_the_last_block_never_leaves(tmp_path, now):
    person = local(tmp_path / "p.jpg", b"planned" * 200_000)
    body = Bodies().build(Pair(person=person), "r-1")
    (tmp_path / "p.jpg").write_bytes(now)
    left = []
    with pytest.raises(PictureChangedError):
        left.extend(body.blocks())
    assert sum(map(len, left)) < body.length - 2


def test_of_a_picture_that_grows_before_it_is_sent_what_was_planned_is_sent(tmp_path):
    person = local(tmp_path / "p.jpg", b"planned" * 200_000)
    body = Bodies().build(Pair(person=person), "r-1")
    (tmp_path / "p.jpg").write_bytes(b"planned" * 200_001)
    assert base64.b64decode(told(body)["person"]) == b"planned" * 200_000


def test_a_picture_that_goes_before_it_is_sent_is_named(tmp_path):
    body = Bodies().build(Pair(person=local(tmp_path / "p.jpg", b"person")), "r-1")
    (tmp_path / "p.jpg").unlink()
    with pytest.raises(PictureMissingError, match=r"p\.jpg: no such file"):
        list(body.blocks())


def test_a_picture_that_is_sent_a_second_time_is_read_no_third_time(tmp_path):
    person = local(tmp_path / "p.jpg", b"person" * 1000)
    bodies = Bodies()
    first, second = sent(bodies, person, person)
    assert bodies.has(Pair(person=person, dress=Url(url="https://a")))
    (tmp_path / "p.jpg").unlink()
    assert sent(bodies, person) == [first] == [second]


def test_a_picture_that_comes_once_is_not_kept(tmp_path):
    bodies = Bodies()
    sent(bodies, *(local(tmp_path / f"{number}", b"%d" % number * 300) for number in range(3)))
    assert bodies.cached_bytes == 0


def test_a_picture_that_changed_is_not_sent_though_it_was_proven_before(tmp_path):
    person = local(tmp_path / "p.jpg", b"person")
    bodies = Bodies(max_cached_bytes=0)
    sent(bodies, person, person)
    (tmp_path / "new.jpg").write_bytes(b"nosrep")
    (tmp_path / "new.jpg").replace(tmp_path / "p.jpg")
    with pytest.raises(PictureChangedError):
        bodies.build(Pair(person=person), "r")


def test_a_picture_that_broke_a_post_off_is_read_before_the_next_one(tmp_path, monkeypatch):
    person = local(tmp_path / "p.jpg", b"planned")
    bodies = Bodies()
    body = bodies.build(Pair(person=person), "r")
    # A file system whose clock stands still while it is written to.
    monkeypatch.setattr("worker.submit.bodies._stamp", lambda _file: (1, 7, 3, 4))
    bodies.build(Pair(person=person), "r")
    (tmp_path / "p.jpg").write_bytes(b"another")
    with pytest.raises(PictureChangedError):
        list(body.blocks())
    with pytest.raises(PictureChangedError):
        bodies.build(Pair(person=person), "r")


def test_a_changed_picture_is_not_sent(tmp_path):
    person = local(tmp_path / "p.jpg", b"person")
    (tmp_path / "p.jpg").write_bytes(b"another")
    with pytest.raises(PictureChangedError, match=r"p\.jpg: changed") as caught:
        Bodies().build(Pair(person=person), "r-1")
    failure = caught.value.failure
    assert (failure.kind, failure.owner, failure.retryable) == ("picture_changed", Owner.MERCH, False)


def test_a_file_that_grew_beyond_the_bound_is_not_read_to_its_end(tmp_path):
    person = local(tmp_path / "p.jpg", b"p" * 2000)
    with pytest.raises(PictureChangedError):
        Bodies(max_picture_bytes=1000).build(Pair(person=person), "r-1")


@pytest.mark.parametrize("path", ["gone.jpg", "file/gone.jpg"])
def test_a_missing_picture_is_named(tmp_path, path):
    (tmp_path / "file").write_bytes(b"")
    missing = LocalFile(path=str(tmp_path / path), sha256="0" * 64)
    with pytest.raises(PictureMissingError, match=r"gone\.jpg: no such file") as caught:
        Bodies().build(Pair(person=missing), "r-1")
    failure = caught.value.failure
    assert (failure.kind, failure.owner, failure.retryable) == ("picture_missing", Owner.MERCH, True)


def test_a_picture_that_cannot_be_read_is_of_ops(tmp_path):
    with pytest.raises(PictureUnreadableError) as caught:
        Bodies().build(Pair(person=LocalFile(path=str(tmp_path), sha256="0" * 64)), "r-1")
    assert (caught.value.failure.kind, caught.value.failure.owner) == ("picture_unreadable", Owner.OPS)


def test_the_least_recently_used_picture_leaves_the_full_cache(tmp_path):
    files = [local(tmp_path / f"{number}", b"%d" % number * 300) for number in range(3)]
    bodies = Bodies(max_cached_bytes=800)
    for file in (files[0], files[1], files[0], files[2]):
        sent(bodies, file, file)
    assert bodies.cached_bytes == 800
    for file in files:
        Path(file.path).unlink()
    sent(bodies, files[0], files[2])
    with pytest.raises(PictureMissingError):
        bodies.build(Pair(person=files[1]), "r")


def test_a_picture_larger_than_the_cache_is_sent_and_not_kept(tmp_path):
    bodies = Bodies(max_cached_bytes=10)
    person = local(tmp_path / "p", b"p" * 100)
    assert all(sent(bodies, person, person, person))
    assert bodies.cached_bytes == 0


def in_threads(count, work):
    gate = threading.Barrier(count, timeout=10)

    def run(number):
        gate.wait()
        work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_send_the_same_picture_at_once_and_keep_it_once(tmp_path):
    person = local(tmp_path / "p.jpg", b"person" * 100_000)
    bodies = Bodies()
    found = []
    in_threads(8, lambda _number: found.extend(sent(bodies, person, person)))
    assert set(found) == {base64.b64encode(b"person" * 100_000).decode()}
    assert len(found) == 16
    assert bodies.cached_bytes == 800_000


def test_a_missing_path_does_not_spoil_the_same_content_elsewhere(tmp_path):
    there = local(tmp_path / "there", b"content")
    gone = LocalFile(path=str(tmp_path / "gone"), sha256=there.sha256)
    found = []

    def work(number):
        bodies = shared[number // 2]
        try:
            found.append(bool(bodies.build(Pair(person=gone if number % 2 else there), "r")))
        except PictureMissingError:
            assert number % 2

    shared = [Bodies() for _ in range(8)]
    in_threads(16, work)
    assert len(found) >= 8


def lying(path):
    """A photograph on its side, and its source as planned."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (120, 80), "red").save(path, exif=exif)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return LocalFile(path=str(path), sha256=digest, jpeg="80x120")


def test_the_jpeg_that_was_planned_is_sent_instead_of_the_picture(tmp_path):
    person = lying(tmp_path / "p.jpg")
    bodies = Bodies(converted=ConvertedPictures(tmp_path / "converted"))
    first, second, third = sent(bodies, person, person, person)
    assert first == second == third
    with Image.open(io.BytesIO(base64.b64decode(first))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (80, 120))


def test_no_jpeg_is_sent_of_a_picture_that_changed_or_went_or_cannot_be_made_one(tmp_path):
    person = lying(tmp_path / "p.jpg")
    bodies = Bodies(converted=ConvertedPictures(tmp_path / "converted"))
    no_picture = local(tmp_path / "q.jpg", b"no picture")
    with pytest.raises(PictureUnreadableError, match=r"q\.jpg: cannot be read: no JPEG can be made of it"):
        bodies.build(Pair(person=replace(no_picture, jpeg="80x120")), "r")
    (tmp_path / "p.jpg").write_bytes(b"another")
    with pytest.raises(PictureChangedError, match=r"p\.jpg: changed"):
        bodies.build(Pair(person=person), "r")
    (tmp_path / "p.jpg").unlink()
    with pytest.raises(PictureMissingError, match=r"p\.jpg: no such file"):
        bodies.build(Pair(person=person), "r")


@pytest.mark.parametrize("jpeg", ["", "80x120"], ids=["as it is", "as a JPEG"])
@pytest.mark.parametrize("now", ["pipe", "huge"])
def test_what_took_a_pictures_place_is_neither_waited_for_nor_read_to_its_end(tmp_path, jpeg, now):
    path = tmp_path / "p.jpg"
    person = replace(lying(path), jpeg=jpeg)
    path.unlink()
    if now == "pipe":
        os.mkfifo(path)
    else:
        path.touch()
        os.truncate(path, 1 << 42)  # holes: whoever reads it is out of memory
    with pytest.raises(PictureChangedError):
        Bodies(converted=ConvertedPictures(tmp_path / "converted")).build(Pair(person=person), "r")


def test_a_jpeg_that_is_larger_than_may_be_sent_by_now_is_made_smaller(tmp_path):
    source = tmp_path / "p.png"
    Image.effect_noise((400, 300), 90).convert("RGB").save(source)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    person = LocalFile(path=str(source), sha256=digest, jpeg="400x300")
    folder = tmp_path / "converted"
    large = Path(ConvertedPictures(folder).of(person).path).stat().st_size
    most = large - 1
    bodies = Bodies(converted=ConvertedPictures(folder, max_bytes=most), max_picture_bytes=most)
    assert len(base64.b64decode(sent(bodies, person)[0])) <= most


def test_a_disk_that_takes_no_jpeg_is_of_ops(tmp_path):
    (tmp_path / "converted").write_bytes(b"a file where the folder should be")
    person = lying(tmp_path / "p.jpg")
    with pytest.raises(PictureUnreadableError):
        Bodies(converted=ConvertedPictures(tmp_path / "converted")).build(Pair(person=person), "r")
