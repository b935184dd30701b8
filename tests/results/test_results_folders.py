"""Which folder a batch's files belong to, and what happens when they cannot be written there."""

import errno
import os

import pytest
from structlog.testing import capture_logs

from jobs.errors import UnwrittenError
from jobs.results.jsonl import ResultsFile

MANIFEST = (
    "sku,person,upper\na,https://a.example/p,https://a.example/1\nb,https://a.example/p,https://a.example/2\n"
)


def held():
    """The lease of a writer that is alone."""


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_worker_leaves_a_batch_alone_whose_files_belong_to_another_folder(books):
    batch = books.feed(MANIFEST, output=books.folder / "first")
    books.finish()
    books.exporting(books.folder / "second").follow(batch)
    assert not (books.folder / "second").exists()
    assert books.ledger.active_batches() == [batch], "its own exporter must still find it"
    books.exporting(books.folder / "first").follow(batch)
    assert (books.folder / "first" / batch / "summary.json").is_file()
    assert books.ledger.active_batches() == []


def test_one_folder_by_two_names_is_one_folder(books):
    (books.folder / "real").mkdir()
    (books.folder / "name").symlink_to("real")
    batch = books.feed(MANIFEST, output=books.folder / "name" / ".." / "name")
    books.finish()
    books.exporting(books.folder / "real").follow(batch)
    assert (books.folder / "real" / batch / "summary.json").is_file()


def test_a_batch_that_was_enqueued_is_written_by_whichever_worker_comes(books):
    batch = books.feed(MANIFEST)
    books.finish()
    books.exporting(books.folder / "anywhere").follow(batch)
    assert (books.folder / "anywhere" / batch / "summary.json").is_file()
    assert books.ledger.active_batches() == []


def test_whoever_feeds_a_batch_last_says_where_its_files_belong(books):
    first, second = books.folder / "first", books.folder / "second"
    batch = books.feed(MANIFEST, output=first)
    books.feed(MANIFEST, output=second)
    books.finish()
    books.exporting(first).follow(batch)
    assert not first.exists()
    books.feed(MANIFEST)
    books.exporting(first).follow(batch)
    assert (first / batch / "summary.json").is_file()


def test_files_written_elsewhere_for_a_person_do_not_put_the_batch_to_rest(books):
    batch = books.feed(MANIFEST, output=books.out)
    books.finish(most=1)
    books.exporter.follow(batch)
    books.finish()
    elsewhere = books.folder / "for-a-person"
    exported = books.exporting(elsewhere).export(batch, tables=True, rest=False)
    assert exported.folder == elsewhere / batch
    assert books.ledger.active_batches() == [batch]
    assert not (books.out / batch / "summary.json").exists()
    books.exporter.follow(batch)
    assert files(books.out / batch) == files(elsewhere / batch)
    assert books.ledger.active_batches() == []


def test_a_refusal_and_a_full_disk_are_logged_once_and_again_after_they_were_put_right(books, monkeypatch):
    batch = books.feed(MANIFEST)
    books.finish()
    folder = books.out / batch
    folder.mkdir(parents=True)
    ResultsFile(folder, "b" * 32).begin(held)
    with capture_logs() as logged:
        for _ in range(3):
            books.exporter.follow(batch)
        follower = books.exporter
        for _ in range(3):
            follower.follow(batch)
    assert [each["event"] for each in logged] == ["export.refused"] * 4, "each process says it once"
    (folder / ".vton-export.json").unlink()

    def full(_fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched, capture_logs() as logged:
        patched.setattr(os, "fsync", full)
        follower = books.exporter
        for _ in range(3):
            follower.follow(batch)
    (once,) = logged
    assert once["event"] == "export.failed"
    assert once["why"].startswith(f"{folder}: No space left on device")
    follower.follow(batch)
    assert books.summary(batch)["status"] == {"succeeded": 2}
    with monkeypatch.context() as patched, capture_logs() as logged:
        patched.setattr(os, "fsync", full)
        follower.follow(batch)
    assert [each["event"] for each in logged] == ["export.failed"]


def test_a_file_that_cannot_be_replaced_is_named_with_the_cause_and_what_to_do(books):
    batch = books.feed(MANIFEST)
    books.finish()
    (books.out / batch / "results.csv" / "mine").mkdir(parents=True)
    with pytest.raises(
        UnwrittenError, match=rf"{batch}/results\.csv: Is a directory; .*vton results {batch}"
    ) as raised:
        books.exporter.export(batch)
    assert raised.value.exit_code == 7
    assert not list(books.out.rglob("*.tmp"))
    (books.out / batch / "results.csv" / "mine").rmdir()
    (books.out / batch / "results.csv").rmdir()
    books.exporter.export(batch)
    assert books.summary(batch)["status"] == {"succeeded": 2}


def test_results_of_a_simulated_shop_make_room_for_real_ones_with_their_drawn_pictures(books):
    batch = books.feed(MANIFEST)
    books.finish()
    folder = books.out / batch
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a_0001.jpg").write_bytes(b"drawn")
    file = ResultsFile(folder, "b" * 32, "vton-simulated")
    file.append(['{"row": 99}'], "9999999999999-0", held, after=file.begin(held))
    books.exporter.export(batch)
    assert [line["row"] for line in books.lines(batch)] == [1, 2]
    assert (folder / "images" / "a_0001.jpg").read_bytes() != b"drawn"
    assert (folder / "images.bbbbbbbb" / "a_0001.jpg").read_bytes() == b"drawn"
    assert (folder / "results.bbbbbbbb.jsonl").read_text() == '{"row": 99}\n'


def test_a_local_picture_in_a_closed_folder_keeps_no_report_from_being_written(books, monkeypatch):
    batch = books.feed(MANIFEST)
    books.finish()
    real = os.stat

    def closed(path, *args, **kwargs):
        if str(path).startswith("https:"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", closed)
    assert books.exporter.export(batch, tables=True) is not None
