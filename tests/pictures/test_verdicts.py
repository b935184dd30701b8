"""What was found of a picture is remembered from command to command, and no longer than the file stays the same."""

import errno
import os
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from PIL import Image

from jobs.config.settings import PictureSettings
from jobs.pictures.check import LocalPictures, PictureError
from jobs.pictures.verdict import Remark, Verdict
from jobs.pictures.verdicts import Stamp, Verdicts
from jobs.records import Row

OLD_NS = 1_600_000_000 * 10**9
STAMP = Stamp(1, 2, 3, OLD_NS, OLD_NS)
VERDICT = Verdict(sha256="a" * 64, jpeg="3x4", remarks=(Remark("blank", "all of it has one colour"),))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data" / "pictures.sqlite"


def kept(file, path="/p/a.jpg", stamp=STAMP, rules="1"):
    verdicts = Verdicts(file, rules)
    verdicts.keep(path, stamp, VERDICT, time.time_ns())
    verdicts.write()
    verdicts.close()


def known(file, path="/p/a.jpg", stamp=STAMP, rules="1"):
    verdicts = Verdicts(file, rules)
    try:
        return verdicts.get(path, stamp)
    finally:
        verdicts.close()


def test_a_later_command_knows_what_an_earlier_one_found(file):
    kept(file)
    assert known(file) == VERDICT


@pytest.mark.parametrize(
    "moved", [{"inode": 9}, {"size": 9}, {"modified_ns": OLD_NS + 1}, {"changed_ns": OLD_NS + 1}], ids=str
)
def test_a_file_of_which_anything_moved_is_looked_at_again(file, moved):
    kept(file)
    assert known(file, stamp=STAMP._replace(**moved)) is None


def test_another_path_or_other_rules_are_looked_at_again(file):
    kept(file)
    assert known(file, path="/p/b.jpg") is None
    assert known(file, rules="2") is None


def test_a_device_may_have_another_number_after_a_restart(file):
    kept(file)
    assert known(file, stamp=STAMP._replace(device=9)) == VERDICT


def test_a_name_that_is_no_utf_8_is_remembered_too(file):
    path = os.fsdecode(b"/p/\xe9.jpg")
    kept(file, path=path)
    assert known(file, path=path) == VERDICT


def test_a_file_that_may_change_again_without_a_new_time_is_not_remembered(file):
    now = time.time_ns()
    verdicts = Verdicts(file, "1")
    for name, stamp in (
        ("just now", Stamp(1, 2, 3, now, now)),
        ("from the future", Stamp(1, 2, 3, now + 10**15, OLD_NS)),
        ("renamed just now", Stamp(1, 2, 3, OLD_NS, now - 10**9)),
    ):
        verdicts.keep(name, stamp, VERDICT, now)
        # This command may trust it: so it has always been.
        assert verdicts.get(name, stamp) == VERDICT
        verdicts.write()
        assert known(file, path=name, stamp=stamp) is None
    verdicts.close()


@pytest.mark.parametrize("content", [b"", b"no database" * 1000, b"SQLite format 3\0" + bytes(5000)], ids=len)
def test_a_damaged_file_is_as_good_as_none_and_the_next_command_makes_a_new_one(file, content):
    file.parent.mkdir()
    file.write_bytes(content)
    assert known(file) is None
    kept(file)
    kept(file)
    assert known(file) == VERDICT


def test_a_verdict_that_cannot_be_read_is_looked_at_again(file):
    kept(file)
    with sqlite3.connect(file) as database:
        database.execute("UPDATE verdicts SET verdict = ?", (b"{half",))
    database.close()
    assert known(file) is None


def test_a_folder_that_takes_no_file_costs_the_memory_only(tmp_path):
    (tmp_path / "data").write_bytes(b"a file where the folder should be")
    verdicts = Verdicts(tmp_path / "data" / "pictures.sqlite", "1")
    verdicts.keep("/p/a.jpg", STAMP, VERDICT, time.time_ns())
    verdicts.write()
    assert verdicts.get("/p/a.jpg", STAMP) == VERDICT
    assert (tmp_path / "data").read_bytes() == b"a file where the folder should be"
    verdicts.close()


def test_commands_at_once_lose_nothing(file):
    code = """
import sys, time
from pathlib import Path
from tests.pictures.test_verdicts import STAMP, VERDICT
from jobs.pictures.verdicts import Verdicts
verdicts = Verdicts(Path(sys.argv[1]), "1")
for number in range(600):
    verdicts.keep(f"/{sys.argv[2]}/{number}.jpg", STAMP, VERDICT, time.time_ns())
    if number % 20 == 0:
        verdicts.write()
verdicts.write()
verdicts.close()
"""
    commands = [subprocess.Popen([sys.executable, "-c", code, str(file), str(number)]) for number in range(3)]
    assert [command.wait(120) for command in commands] == [0, 0, 0]
    for number in range(3):
        assert all(known(file, path=f"/{number}/{each}.jpg") == VERDICT for each in (0, 299, 599))


def aged(path):
    """As a picture that was saved yesterday: only the time of change cannot be set back."""
    os.utime(path, ns=(OLD_NS, OLD_NS))


def patient(pictures, *texts):
    """Looked at once no file is so young that it would not be remembered."""
    threading.Event().wait(2.2)
    for text in texts:
        try:
            pictures.source(text)
        except PictureError as error:
            yield error.why
        else:
            yield ""
    list(pictures.ahead([]))


def test_the_next_command_reads_no_picture_again_neither_good_nor_bad(tmp_path, file):
    Image.new("RGB", (80, 100), "red").save(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(b"<html>")
    first = LocalPictures(PictureSettings(), tmp_path, verdicts=file)
    whys = list(patient(first, "a.jpg", "b.jpg"))
    assert first.looked_at == 2
    second = LocalPictures(PictureSettings(), tmp_path, verdicts=file)
    assert list(patient(second, "a.jpg", "b.jpg")) == whys
    assert second.looked_at == 0
    assert second.remarks("a.jpg") == first.remarks("a.jpg") == (Remark("blank", "all of it has one colour"),)
    strict = LocalPictures(PictureSettings(min_side=90), tmp_path, verdicts=file)
    assert "at least 90" in next(patient(strict, "a.jpg"))
    strict._verdicts.close()


@pytest.mark.parametrize("failing", ["disk", "memory"])
def test_a_picture_that_could_not_be_read_is_looked_at_again_though_it_stays_the_same(
    tmp_path, file, monkeypatch, failing
):
    Image.new("RGB", (80, 100), "red").save(tmp_path / "a.jpg")
    broken = LocalPictures(PictureSettings(), tmp_path, verdicts=file)

    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO)) if failing == "disk" else MemoryError

    with monkeypatch.context() as patch:
        if failing == "disk":
            patch.setattr("jobs.pictures.check.os.open", fail)
        else:
            patch.setattr("jobs.pictures.inspection.is_whole", fail)
        (why,) = patient(broken, "a.jpg")
    assert "damaged" not in why
    assert "cannot be read: Input/output error" in why or "no memory" in why
    healed = LocalPictures(PictureSettings(), tmp_path, verdicts=file)
    assert list(patient(healed, "a.jpg")) == [""]


def test_a_change_of_the_same_size_whose_time_was_set_back_is_seen(tmp_path, file):
    path = tmp_path / "a.bmp.png"
    Image.new("RGB", (80, 100), "red").save(path, compress_level=0)
    aged(path)
    first = LocalPictures(PictureSettings(), tmp_path, verdicts=file)
    list(patient(first, path.name))
    with path.open("r+b") as old:
        Image.new("RGB", (80, 100), "blue").save(old, "PNG", compress_level=0)
    aged(path)
    second = LocalPictures(PictureSettings(), tmp_path, verdicts=file)
    list(patient(second, path.name))
    assert second.looked_at == 1
    assert second.source(path.name) != first.source(path.name)


def test_what_memory_lets_go_before_it_is_written_is_written_then(file, monkeypatch):
    monkeypatch.setattr("jobs.pictures.verdicts._RECENT", 2)
    verdicts = Verdicts(file, "1", clock=lambda: 0)
    for name in "abc":
        verdicts.keep(name, STAMP, VERDICT, time.time_ns())
    assert [verdicts.get(name, STAMP) for name in "abc"] == [VERDICT] * 3
    verdicts.close()


def test_more_pictures_than_memory_holds_are_read_once_in_whatever_order(tmp_path, file, monkeypatch):
    monkeypatch.setattr("jobs.pictures.verdicts._RECENT", 10)
    monkeypatch.setattr("jobs.pictures.verdicts._WRITTEN_AT_ONCE", 5)
    monkeypatch.setattr("jobs.pictures.check._REMEMBERED", 10)
    names = [f"{number}.jpg" for number in range(30)]
    for number, name in enumerate(names):
        Image.new("RGB", (80, 100), (number, 0, 0)).save(tmp_path / name)
    threading.Event().wait(2.2)
    rows = [
        Row(number=n, line=n, sku="", inputs={"dress": name}, fields={}) for n, name in enumerate(names * 2)
    ]
    read = []
    for verdicts in (file, None, file):
        pictures = LocalPictures(PictureSettings(), tmp_path, verdicts=verdicts)
        assert len({pictures.source(row.inputs["dress"]) for row in pictures.ahead(rows)}) == 30
        read.append(pictures.looked_at)
    assert read == [30, 30, 0]
