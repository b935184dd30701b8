"""Pictures are made small and measured by a process of its own, which collecting does not notice, whatever becomes of it."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from jobs.flags.measures import Measures, key_of
from jobs.records import Pair, Url
from jobs.report import Thumbnails
from tests.flags.drawn import Folder, dressed
from worker.collect.picture_process import PictureProcess


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture
def process(folder):
    made = PictureProcess(folder.root, flags=True)
    yield made
    made.close()


def wait_for(what):
    for _ in range(30_000):
        if found := what():
            return found
        time.sleep(0.01)
    pytest.fail("it never came")


def changed(file):
    return file.stat().st_mtime_ns


def child_of(parent, folder):
    """The process that works for a folder."""
    (found,) = [
        each for each in psutil.Process(parent).children() if str(folder.root) in " ".join(each.cmdline())
    ]
    return found


def test_what_was_offered_is_made_small_and_measured(folder, process):
    picture = folder.stored(dressed())
    other = Pair(person=folder.pair.person, upper_clothes=folder.pair.dress)
    for pair in (folder.pair, other):
        assert process.offer(pair, [picture])
    measures = Measures(folder.root)
    for pair in (folder.pair, other):
        assert wait_for(lambda pair=pair: measures.known(key_of(picture.sha256, pair)))
    thumbnails = Thumbnails(folder.root / "thumbnails")
    keys = [picture.sha256, *(source.sha256 for _, source in folder.pair.slots())]
    assert all(thumbnails.has(key) for key in keys)


def test_thumbnails_that_wait_are_made_before_measures(folder, process):
    first, *others = [folder.stored(dressed(colour)) for colour in ("#c02030", "#2040c0", "#20c040")]
    process.offer(folder.pair, [first])
    child = child_of(os.getpid(), folder)
    child.suspend()
    for picture in others:
        process.offer(folder.pair, [picture])
    child.resume()
    measures = Measures(folder.root)
    for picture in others:
        wait_for(lambda picture=picture: measures.known(key_of(picture.sha256, folder.pair)))
    thumbnails = [Thumbnails(folder.root / "thumbnails").place(picture.sha256) for picture in others]
    measured = [measures._file(key_of(picture.sha256, folder.pair)) for picture in others]
    assert max(map(changed, thumbnails)) <= min(map(changed, measured))


def test_a_picture_that_is_none_is_passed_over_and_the_next_one_is_measured(folder, process):
    broken, fine = folder.stored(dressed()), folder.stored(dressed("#2040c0"))
    (folder.store / broken.name[:2] / broken.name).write_bytes(b"no picture")
    process.offer(folder.pair, [broken])
    process.offer(folder.pair, [fine])
    assert wait_for(lambda: Measures(folder.root).known(key_of(fine.sha256, folder.pair)))


def test_whoever_offers_to_one_that_is_stuck_does_not_wait(folder, process):
    picture = folder.stored(dressed())
    process.offer(folder.pair, [picture])
    child = child_of(os.getpid(), folder)
    child.suspend()
    taken = [
        process.offer(Pair(person=Url(url=f"https://cdn.example/{at}{'x' * 900}")), [picture])
        for at in range(5000)
    ]
    assert taken[0]
    assert not taken[-1]


def test_more_than_a_pipe_takes_at_once_is_left_to_the_export(folder, process):
    picture = folder.stored(dressed())
    assert not process.offer(Pair(person=Url(url="https://cdn.example/" + "x" * 5000)), [picture])


def test_one_that_was_killed_is_started_again_after_a_while(folder):
    now = [0.0]
    process = PictureProcess(folder.root, flags=True, clock=lambda: now[0])
    picture = folder.stored(dressed())
    try:
        assert process.offer(folder.pair, [picture])
        child = child_of(os.getpid(), folder)
        child.kill()
        wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
        assert not process.offer(folder.pair, [picture])
        now[0] = 60.0
        assert process.offer(folder.pair, [picture])
        assert wait_for(lambda: Measures(folder.root).known(key_of(picture.sha256, folder.pair)))
    finally:
        process.close()


def test_it_ends_with_the_process_that_started_it(folder):
    code = (
        "import sys, time; from pathlib import Path; from worker.collect.picture_process import PictureProcess;"
        "p = PictureProcess(Path(sys.argv[1]), flags=False); p.offer_file('k', Path('none')); print('on', flush=True);"
        "time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(folder.root)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"on\n"
    child = child_of(parent.pid, folder)
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_what_a_killed_one_left_under_way_is_removed_by_a_later_one(folder):
    left = [folder.root / cache / ".tmp" / "left" for cache in ("measures", "thumbnails")]
    for path in left:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half")
        os.utime(path, (0, 0))
    Measures(folder.root, lambda _url: folder.root).sweep()
    Thumbnails(folder.root / "thumbnails").sweep()
    assert not any(path.exists() for path in left)
