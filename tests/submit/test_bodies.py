import base64
import hashlib
import json
import os
import threading
from pathlib import Path

import pytest

from jobs.records import LocalFile, Owner, Pair, Url
from worker.submit.bodies import Bodies, PictureChangedError, PictureMissingError, PictureUnreadableError


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


def test_a_picture_is_read_once_for_many_jobs(tmp_path):
    person = local(tmp_path / "p.jpg", b"person" * 1000)
    bodies = Bodies()
    first = bodies.build(Pair(person=person, dress=Url(url="https://a")), "r-1")
    (tmp_path / "p.jpg").unlink()
    second = bodies.build(Pair(person=person, dress=Url(url="https://b")), "r-2")
    assert first.chunks[1] is second.chunks[1]


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
        bodies.build(Pair(person=file), "r")
    assert bodies.cached_bytes == 800
    for file in files:
        Path(file.path).unlink()
    bodies.build(Pair(person=files[0]), "r")
    bodies.build(Pair(person=files[2]), "r")
    with pytest.raises(PictureMissingError):
        bodies.build(Pair(person=files[1]), "r")


def test_a_picture_larger_than_the_cache_is_sent_and_not_kept(tmp_path):
    bodies = Bodies(max_cached_bytes=10)
    assert told(bodies.build(Pair(person=local(tmp_path / "p", b"p" * 100)), "r"))["person"]
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


def test_threads_that_want_the_same_picture_read_it_once(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    content = b"only once"
    person = LocalFile(path=str(fifo), sha256=hashlib.sha256(content).hexdigest())
    bodies = Bodies()
    chunks = []

    def work(number):
        if number == 0:
            # A pipe gives its content to one reader only.
            fifo.write_bytes(content)
        else:
            chunks.append(bodies.build(Pair(person=person), "r").chunks[1])

    in_threads(6, work)
    assert len(chunks) == 5
    assert len(set(map(id, chunks))) == 1


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
