"""Pictures in the batch folder: named by their row, never outside it, never over another one."""

import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.pictures.stored import Hashes
from jobs.records import Picture
from jobs.results.lines import image_path

PICTURE = Picture(name="ab.jpg", url="u", sha256="ab", width=1, height=1, bytes=1)
HOSTILE = [
    *("", ".", "..", "../../etc/passwd", "/etc/passwd", "a/../b", "..\\..\\x", ".hidden", "-rf", "images"),
    *("CON", "nul.jpg", "a\0b", "\x1b[2J", "\u202egpj.exe", "a b\tc\nd", "%2e%2e%2f", "x_0002", "x_0001-2"),
    *("日本語" * 80, "é" * 300, "a" * 5000, "🦊" * 90),
]


def test_hostile_skus_all_get_their_own_file_inside_the_batch_folder(books):
    skus = [sku for sku in HOSTILE if "\0" not in sku]
    header = "sku,person,upper\n"
    rows = [f'"{sku}",https://a.example/p,https://a.example/{n}' for n, sku in enumerate(skus)]
    batch = books.feed(header + "\n".join(rows) + "\n")
    books.finish()
    books.exporter.export(batch)
    folder = books.out / batch
    lines = books.lines(batch)
    assert [line["status"] for line in lines] == ["succeeded"] * len(skus)
    paths = [image["path"] for line in lines for image in line["images"]]
    assert len({path.casefold() for path in paths}) == len(skus)
    for path in paths:
        assert (folder / path).resolve().parent == (folder / "images").resolve()
        assert (folder / path).is_file()
    assert {path.name for path in books.out.iterdir()} == {batch}
    assert len(list((folder / "images").iterdir())) == len(skus)


@given(
    st.lists(
        st.tuples(st.integers(1, 10**7), st.text(max_size=40) | st.sampled_from(HOSTILE), st.integers(0, 3)),
        unique_by=lambda each: (each[0], each[2]),
        max_size=30,
    )
)
def test_no_two_rows_ever_share_a_name_whatever_their_skus_are(rows):
    paths = [image_path(number, sku, index, PICTURE) for number, sku, index in rows]
    assert len({path.casefold() for path in paths}) == len(rows)
    for path in paths:
        folder, _, name = path.partition("/")
        assert folder == "images"
        assert "/" not in name
        assert "\0" not in name
        assert not name.startswith((".", "-"))
        assert len(os.fsencode(name)) <= 120
        assert Path(path).suffix == ".jpg"


def test_a_sku_as_long_as_a_line_may_be_is_shortened_at_once():
    started = time.process_time()
    assert len(image_path(1, "ü" * 900_000, 0, PICTURE)) < 100
    assert time.process_time() - started < 1


def test_two_rows_that_share_a_job_both_have_their_picture_and_it_is_bought_once(books):
    batch = books.feed(
        "sku,person,upper\na,https://a.example/p,https://a.example/g\nb,https://a.example/p,https://a.example/g\n"
    )
    assert books.finish() == 1
    books.exporter.export(batch)
    first, second = books.lines(batch)
    assert first["request_id"] == second["request_id"]
    assert [line["images"][0]["path"] for line in (first, second)] == [
        "images/a_0001.jpg",
        "images/b_0002.jpg",
    ]
    folder = books.out / batch / "images"
    assert (folder / "a_0001.jpg").read_bytes() == (folder / "b_0002.jpg").read_bytes()
    assert books.summary(batch)["ordered"] == 1
    assert books.summary(batch)["duplicate_rows"] == 1


def test_a_batch_whose_pairs_are_bought_already_has_its_pictures_and_says_reused(books):
    books.feed("sku,person,upper\na,https://a.example/p,https://a.example/g\n")
    books.finish()
    batch = books.feed("sku,person,upper\nz,https://a.example/p,https://a.example/g\n", "tomorrow.csv")
    assert books.finish() == 0
    books.exporter.export(batch)
    (line,) = books.lines(batch)
    assert line["source"] == "reused"
    assert (books.out / batch / line["images"][0]["path"]).is_file()
    summary = books.summary(batch)
    assert (summary["reused_rows"], summary["ordered"], summary["pictures_by_source"]) == (
        1,
        0,
        {"reused": 1},
    )


def test_a_file_of_somebody_else_under_a_rows_name_is_kept_and_the_picture_stands_beside_it(books):
    batch = books.feed("sku,person,upper\na,https://a.example/p,https://a.example/g\n")
    books.finish()
    images = books.out / batch / "images"
    images.mkdir(parents=True)
    (images / "a_0001.jpg").write_bytes(b"retouched by hand")
    books.exporter.export(batch)
    (image,) = books.lines(batch)[0]["images"]
    assert (images / "a_0001.jpg").read_bytes() == b"retouched by hand"
    told = (books.out / batch / image["path"]).read_bytes()
    assert told == (books.store / image["sha256"][:2] / f"{image['sha256']}.jpg").read_bytes()
    (images / Path(image["path"]).name).unlink()
    (images / Path(image["path"]).name).write_bytes(b"that one too")
    (books.out / batch / "results.jsonl").unlink()
    books.exporter.export(batch)
    (image,) = books.lines(batch)[0]["images"]
    told = (books.out / batch / image["path"]).read_bytes()
    assert told == (books.store / image["sha256"][:2] / f"{image['sha256']}.jpg").read_bytes()


def placed(books, batch, row=1):
    """A row's picture: in the batch folder, and in the store."""
    (image,) = books.lines(batch)[row - 1]["images"]
    return books.out / batch / image["path"], books.store / image["sha256"][:2] / f"{image['sha256']}.jpg"


def one_row(books):
    batch = books.feed("sku,person,upper\na,https://a.example/p,https://a.example/g\n")
    books.finish()
    return batch


def test_a_picture_edited_in_the_batch_folder_changes_neither_the_store_nor_another_batch(books):
    batch = one_row(books)
    books.exporter.export(batch)
    target, stored = placed(books, batch)
    before = stored.read_bytes()
    assert not target.samefile(stored)
    with target.open("r+b") as file:
        file.write(b"retouched")
    edited = target.read_bytes()
    assert stored.read_bytes() == before
    second = books.feed("sku,person,upper\nz,https://a.example/p,https://a.example/g\n", "tomorrow.csv")
    books.exporter.export(second)
    assert placed(books, second)[0].read_bytes() == before
    books.exporter.export(batch, tables=True)
    assert target.read_bytes() == edited
    again, _stored = placed(books, batch)
    assert again != target
    assert again.read_bytes() == before


def test_a_hard_link_of_an_earlier_version_becomes_a_file_of_its_own(books):
    batch = one_row(books)
    books.exporter.export(batch)
    target, stored = placed(books, batch)
    target.unlink()
    os.link(stored, target)
    books.exporter.export(batch, tables=True)
    assert placed(books, batch) == (target, stored)
    assert not target.samefile(stored)
    assert target.read_bytes() == stored.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def emptied(path):
    path.write_bytes(b"")


def halved(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def edited(path):
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)


def dangling(path):
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def a_folder(path):
    path.unlink()
    path.mkdir()


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (emptied, "picture_damaged"),
        (halved, "picture_damaged"),
        (edited, "picture_damaged"),
        (a_folder, "picture_damaged"),
        (a_pipe, "picture_damaged"),
        (dangling, "picture_missing"),
        (Path.unlink, "picture_missing"),
    ],
)
def test_a_stored_picture_that_is_not_whole_is_told_as_a_gap_of_operations(books, harm, kind):
    batch = books.feed(
        "sku,person,upper\na,https://a.example/p,https://a.example/1\nb,https://a.example/p,https://a.example/2\n"
    )
    books.finish()
    first = books.ledger.rows_at(batch, [1])[1].job
    (picture,) = books.ledger.jobs([first])[first].pictures
    stored = books.store / picture.name[:2] / picture.name
    whole = stored.read_bytes()
    harm(stored)
    books.exporter.export(batch)
    gap, good = books.lines(batch)
    assert (gap["status"], gap["images"], gap["source"]) == ("failed", [], None)
    assert (gap["error"]["class"], gap["error"]["owner"]) == (kind, "ops")
    assert "restore it" in gap["error"]["message"]
    assert gap["task_id"], "it was bought"
    assert good["status"] == "succeeded"
    assert books.summary(batch)["status"] == {"failed": 1, "succeeded": 1}
    assert [row[3] for row in books.table(batch)[1:]] == ["failed", "succeeded"]
    # Restored, it is told as what it is.
    if stored.is_dir():
        stored.rmdir()
    stored.unlink(missing_ok=True)
    stored.write_bytes(whole)
    books.exporter.export(batch, tables=True)
    assert books.summary(batch)["status"] == {"succeeded": 2}
    assert placed(books, batch)[0].read_bytes() == whole


@pytest.mark.parametrize("harm", [emptied, halved, edited, dangling, Path.unlink])
def test_a_store_gets_back_from_a_batchs_own_copy_what_it_has_lost(books, harm):
    batch = one_row(books)
    books.exporter.export(batch)
    target, stored = placed(books, batch)
    whole = stored.read_bytes()
    harm(stored)
    books.exporter.export(batch, tables=True)
    assert books.summary(batch)["status"] == {"succeeded": 1}
    assert target.read_bytes() == whole
    assert stored.read_bytes() == whole
    assert not stored.is_symlink()
    assert not target.samefile(stored)
    assert [path for path in books.store.rglob("*") if path.is_file()] == [stored]


def test_an_empty_file_under_a_rows_name_is_what_a_power_cut_left_and_is_filled(books):
    batch = one_row(books)
    (books.out / batch / "images").mkdir(parents=True)
    (books.out / batch / "images/a_0001.jpg").touch()
    books.exporter.export(batch)
    target, stored = placed(books, batch)
    assert target.name == "a_0001.jpg"
    assert target.read_bytes() == stored.read_bytes()


def test_a_file_is_hashed_once_and_again_when_it_has_changed(tmp_path, monkeypatch):
    path, hashed = tmp_path / "a.jpg", []
    path.write_bytes(b"one")
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, name: hashed.append(name) or digest(file, name))
    hashes = Hashes()
    assert hashes.of(path) == hashes.of(path) == hashlib.sha256(b"one").hexdigest()
    assert len(hashed) == 1
    path.write_bytes(b"other")
    assert hashes.of(path) == hashlib.sha256(b"other").hexdigest()


def test_deleting_the_folder_and_exporting_rebuilds_every_byte(books):
    rows = [f"s{n},https://a.example/p,https://a.example/{n % 3}" for n in range(5)]
    batch = books.feed("sku,person,upper\n" + "\n".join([*rows, "bad,,"]) + "\n")
    while books.finish(most=1):
        books.exporter.export(batch)
    books.exporter.export(batch, tables=True)
    folder = books.out / batch
    before = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    folder.rename(books.folder / "taken-away")
    books.exporter.export(batch, tables=True)
    after = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert after == before
    assert Path("report.html") in after
    assert not list(folder.rglob("*.tmp"))


def test_the_report_shows_every_picture_of_the_batch(books):
    batch = books.feed(
        "sku,person,upper\na,https://a.example/p,https://a.example/g\nb,https://a.example/p,https://a.example/h\n"
    )
    books.finish()
    books.exporter.export(batch)
    page = (books.out / batch / "report.html").read_text()
    assert "a_0001.jpg" in page
    assert "b_0002.jpg" in page
