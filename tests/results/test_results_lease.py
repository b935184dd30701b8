"""One exporter at a time: one that was overtaken changes nothing any more, one that is merely slow goes on."""

import errno
import os
import shutil
from itertools import count

import pytest
from PIL import ImageOps

from jobs.errors import UnwrittenError
from jobs.pictures import stored
from jobs.records import BatchId
from jobs.results import at_once
from jobs.results.exporter import Exporter
from jobs.results.files import replacing, sweep
from jobs.results.lease import RENEW_S, Lease, LeaseLostError


class Standstill:
    """Calls `meanwhile` at the nth moment, once; a moment is a call of what it stands before, or a look at the clock."""

    def __init__(self, nth, meanwhile):
        self._left = nth
        self._meanwhile = meanwhile

    @property
    def over(self):
        return self._left <= 0

    def __call__(self):
        self._left -= 1
        if self._left == 0:
            self._meanwhile()
        return 0.0

    def before(self, function):
        def stopped(*args):
            self()
            return function(*args)

        return stopped


def feed(books, name="night", rows=3):
    lines = [f"s{n},https://a.example/p,https://a.example/{name}/{n}\n" for n in range(rows)]
    return books.feed("sku,person,upper\n" + "".join(lines), f"{name}.csv")


def exporter_of(books, clock):
    return Exporter(books.ledger, output_dir=books.out, picture_store=books.store, clock=clock)


def lease_key(books, batch):
    return books.ledger.key("exporting", batch)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("moment", ["clock", "fsync", "replace"])
def test_an_exporter_that_is_overtaken_at_any_moment_leaves_the_files_as_the_other_made_them(
    books, monkeypatch, moment
):
    for nth in count(1):
        batch = feed(books, f"night{nth}")
        books.finish(most=2)
        left = {}

        def overtake(batch=batch, left=left):
            books.ledger.client.delete(lease_key(books, batch))
            books.finish()
            assert books.exporter.export(batch) is not None
            left.update(contents(books.out / batch))

        standstill = Standstill(nth, overtake)
        with monkeypatch.context() as patched:
            if moment != "clock":
                patched.setattr(os, moment, standstill.before(getattr(os, moment)))
            late = exporter_of(books, standstill if moment == "clock" else lambda: 0.0)
            exported = late.export(batch, tables=True)
        if not standstill.over:
            assert exported is not None
            break
        assert exported is None, nth
        assert contents(books.out / batch) == left, nth
        assert [line["row"] for line in books.lines(batch)] == [1, 2, 3], nth
        assert books.summary(batch)["status"] == {"succeeded": 3}, nth
        assert not list(books.out.rglob("*.tmp")), nth
    assert nth > 5


def test_a_lease_that_expired_while_nobody_wanted_the_batch_is_taken_again(books):
    batch = feed(books)
    books.finish()
    looks = iter(range(0, 10**6, 10))

    def expire():
        books.ledger.client.delete(lease_key(books, batch))
        return float(next(looks))

    exported = exporter_of(books, expire).export(batch)
    assert exported is not None
    assert (exported.lines, exported.tables) == (3, True)
    assert not books.ledger.client.exists(lease_key(books, batch))


def shares_no_blocks(source, new):
    """As file systems do that copy byte by byte."""
    del source, new
    return False


@pytest.mark.parametrize(("module", "name"), [(shutil, "copyfile"), (ImageOps, "exif_transpose")])
def test_the_lease_is_renewed_by_time_however_slow_the_pictures_of_a_few_rows_are(
    books, monkeypatch, module, name
):
    batch = feed(books)
    books.finish()
    now, lasts = [0.0], []
    function = getattr(module, name)

    def slow(*args, **named):
        lasts.append(books.ledger.client.pttl(lease_key(books, batch)))
        books.ledger.client.pexpire(lease_key(books, batch), 1_000)
        now[0] += 29.0
        return function(*args, **named)

    monkeypatch.setattr(module, name, slow)
    monkeypatch.setattr(stored, "_cloned", shares_no_blocks)
    # One after the other: two at once would take each other's time from the lease of this test.
    monkeypatch.setattr(at_once, "AT_ONCE", 1)
    assert exporter_of(books, lambda: now[0]).export(batch) is not None
    assert len(lasts) == 3
    assert min(lasts) > 20_000


def test_a_lease_that_was_renewed_just_now_is_not_renewed_again_for_every_line(books):
    now, client = [0.0], books.ledger.client
    batch = feed(books)
    lease = Lease(books.ledger, batch, lambda: now[0])
    assert lease.take()
    client.pexpire(lease_key(books, batch), 20_000)
    now[0] += RENEW_S - 0.1
    for _line in "abc":
        lease.keep()
    assert client.pttl(lease_key(books, batch)) <= 20_000
    now[0] += 0.1
    lease.keep()
    assert client.pttl(lease_key(books, batch)) > 20_000


def _half(rest):
    yield "half"
    raise RuntimeError(f"half-{rest}")


def test_a_file_that_fails_half_way_leaves_the_former_one_and_nothing_else(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("former")
    with pytest.raises(RuntimeError, match="half-way"), replacing(path, lambda: None) as page:
        page.writelines(_half("way"))
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_a_lease_that_was_anothers_meanwhile_is_lost_even_when_the_other_is_done(books):
    batch = feed(books)
    first, second = (Lease(books.ledger, batch, lambda: 0.0) for _ in range(2))
    assert first.take()
    assert not second.take()
    books.ledger.client.delete(lease_key(books, batch))
    assert first.held()
    books.ledger.client.delete(lease_key(books, batch))
    assert second.take()
    assert not first.held()
    second.drop()
    assert not first.held()
    assert first.take(), "an export of its own it may begin"


def test_a_lease_of_a_batch_that_is_gone_is_not_taken_and_makes_no_batch(books):
    lease = Lease(books.ledger, BatchId("gone"), lambda: 0.0)
    assert not lease.take()
    assert not books.ledger.client.exists(books.ledger.key("batch", "gone"), lease_key(books, "gone"))


def test_what_killed_exporters_left_is_swept_by_the_next_export_and_nothing_else_is(books):
    batch = feed(books)
    books.finish(most=1)
    books.exporter.export(batch)
    folder = books.out / batch
    left = [folder / name for name in (".results.csv.0a1b2c3d.tmp", ".s0_0001.jpg.0a1b2c3d.tmp")]
    kept = [folder / "notes.tmp", folder / ".hidden"]
    for path in (*left, *kept):
        path.touch()
    books.exporter.export(batch)
    assert [path.exists() for path in (*left, *kept)] == [False, False, True, True]


def test_a_picture_half_copied_by_a_killed_exporter_is_swept_by_the_next_export(books, monkeypatch):
    batch = feed(books)
    books.finish()
    begun, copy = [], shutil.copyfile

    def watched(source, new):
        begun.append(new)
        return copy(source, new)

    monkeypatch.setattr(shutil, "copyfile", watched)
    monkeypatch.setattr(stored, "_cloned", shares_no_blocks)
    books.exporter.export(batch)
    assert len(begun) == 3
    for path in begun:
        path.write_bytes(b"half")
    books.exporter.export(batch)
    assert not any(path.exists() for path in begun)


def test_two_writers_of_one_file_never_write_into_each_others(tmp_path):
    path, lost = tmp_path / "results.csv", []

    def renew():
        if lost:
            raise LeaseLostError

    def overtaken():
        with replacing(path, renew) as late:
            late.write("old, ")
            late.flush()
            with replacing(path, lambda: None) as other:
                other.write("new")
            lost.append(path.read_text())
            late.write("and longer than what is new")

    with pytest.raises(LeaseLostError):
        overtaken()
    assert lost == ["new"]
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_sweeping_never_removes_what_a_later_exporter_writes(tmp_path):
    left, later = tmp_path / ".results.csv.0a.tmp", tmp_path / ".results.csv.0b.tmp"
    left.touch()

    def overtaken():
        later.touch()
        raise LeaseLostError

    with pytest.raises(LeaseLostError):
        sweep(tmp_path, overtaken)
    assert left.exists()
    later.unlink()
    sweep(tmp_path, later.touch)
    assert (left.exists(), later.exists()) == (False, True)


def test_a_disk_that_is_full_is_told_and_no_temporary_file_stays(books, monkeypatch):
    batch = feed(books)
    books.finish()

    def full(_fd):
        raise OSError(errno.ENOSPC, "no space left on device")

    for nth in range(1, 7):
        standstill = Standstill(nth, lambda: full(0))
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", standstill.before(os.fsync))
            with pytest.raises(UnwrittenError, match=r"out/.*: no space"):
                books.exporter.export(batch, tables=True)
        assert not list(books.out.rglob("*.tmp"))
        (books.out / batch / "results.jsonl").unlink(missing_ok=True)
    assert books.exporter.export(batch, tables=True) is not None


def test_a_temporary_file_that_somebody_else_removes_is_an_error_and_no_lost_lease(books, monkeypatch):
    batch = feed(books)
    books.finish()

    def remove():
        for path in (books.out / batch).glob(".*.tmp"):
            path.unlink()

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", Standstill(1, remove).before(os.replace))
        with pytest.raises(UnwrittenError, match=r"out/.*: No such file"):
            books.exporter.export(batch)
    assert books.exporter.export(batch) is not None
