"""Files made to break the reader: refused by name or by line, with bounded memory and time."""

import gzip
import hashlib
import io
import os
import sys
import threading
import tracemalloc
import zlib
from contextlib import contextmanager

import pytest

from jobs.errors import ManifestError, NotFoundError
from jobs.manifest import open_manifest
from jobs.records import BadRow, Row

HEAD = "sku,person,dress\n"
GOOD = "A,p.jpg,d.jpg\n"


@contextmanager
def memory_below(limit):
    """Fails when the block holds more than so many bytes at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        (b"", "a.csv", "is empty"),
        (b"\xef\xbb\xbf \n\r\n", "a.csv", "is empty"),
        (b"", "a.yaml", "is empty"),
        (b"# only a remark\n", "a.yaml", "is empty"),
        (b"PK\x03\x04" + b"x" * 99, "a.csv", "the workbook is broken or cut off"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 99, "a.csv", "old Office file"),
        (b"%PDF-1.7", "a.txt", "PDF"),
        (b"\xff\xd8\xff\xe0", "a.csv", "picture"),
        (bytes(range(256)) * 9, "a.csv", "binary"),
        (b"\0" * 4096, "a.csv", "binary"),
        (b"sku,person\0,dress\n", "a.csv", "binary"),
        (HEAD.encode("utf-32"), "a.csv", "binary"),
        (HEAD.encode("utf-16")[:-1], "a.csv", "is no utf-16-le text"),
        (b"sku,person,dress\rA,p,d\r", "a.csv", "old Macintosh"),
        (HEAD.encode(), "a.docx", "suffix is not known"),
        (HEAD.encode(), "a", "suffix is not known"),
        (b"x,y\n1,2\n", "a.csv", "no known column"),
        (b"https://a.example/1.jpg,https://a.example/2.jpg\n", "a.csv", "no known column"),
        (b"sku,dress\n", "a.csv", "no column for the person"),
        (b"sku,person\n", "a.csv", "no column for a garment"),
        (b"sku,person,dress,dress\n", "a.csv", "“dress” is there twice"),
        (b"sku,person,note,dress,note\n", "a.csv", "“note” is there twice"),
        (b"sku,person,top,upper_clothes\n", "a.csv", "“top” and “upper_clothes” both mean upper_clothes"),
        (b'sku,person,"dress\n' + GOOD.encode(), "a.csv", "quotation mark"),
        (b"sku,person,dress," + b"x" * 300 + b"\n", "a.csv", "longer than 200"),
        (gzip.compress(HEAD.encode() * 999, mtime=0)[:-20], "a.csv.gz", "broken or cut off"),
        (gzip.compress(gzip.compress(HEAD.encode(), mtime=0), mtime=0), "a.csv.gz", "packed twice"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused_when_opened(opened, content, name, why):
    with pytest.raises(ManifestError, match=why) as error:
        opened(content, name)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_not_found_and_a_folder_is_no_manifest(tmp_path):
    with pytest.raises(NotFoundError, match="no such file"):
        open_manifest(str(tmp_path / "none.csv"))
    with pytest.raises(ManifestError, match="is a folder"):
        open_manifest(str(tmp_path))
    with pytest.raises(ManifestError, match="cannot be read"):
        open_manifest("a\0b.csv")


def test_gzip_of_anything_is_read_and_named_without_its_suffixes(opened):
    manifest = opened(gzip.compress((HEAD + GOOD).encode()), "catalog.csv.gz")
    assert manifest.name == "catalog"
    assert [row.sku for row in manifest.rows()] == ["A"]
    jsonl = opened(gzip.compress(b'{"person": "p.jpg", "dress": "d.jpg"}'), "catalog.jsonl.GZ")
    assert [type(row) for row in jsonl.rows()] == [Row]


def test_the_digest_is_that_of_the_bytes_on_disk_before_and_after_reading(opened):
    content = gzip.compress((HEAD + GOOD).encode())
    manifest = opened(content, "catalog.csv.gz")
    before = manifest.digest
    list(manifest.rows())
    assert before == manifest.digest == hashlib.sha256(content).hexdigest()


def test_a_file_written_to_while_it_is_read_is_refused(write):
    path = write(HEAD + GOOD)
    manifest = open_manifest(str(path))
    found = manifest.rows()
    next(found)
    with path.open("a") as file:
        file.write(GOOD)
    with pytest.raises(ManifestError, match="was changed"):
        list(found)


def test_a_file_replaced_while_it_is_read_stays_what_it_was(write):
    path = write(HEAD + GOOD)
    manifest = open_manifest(str(path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    write("other", "other.csv").replace(path)
    assert [row.sku for row in manifest.rows()] == ["A"]
    assert manifest.digest == digest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD + GOOD, Row),
        ("- {sku: A, person: p.jpg, dress: d.jpg}\n", Row),
        ("# a remark\njobs:\n- {sku: A, person: p.jpg, dress: d.jpg}\n", Row),
        ('[{"sku": "A", "person": "p.jpg", "dress": "d.jpg"}]', Row),
        ('{"sku": "A", "person": "p.jpg", "dress": "d.jpg"}\n', Row),
    ],
)
def test_the_first_line_of_stdin_shows_its_format(monkeypatch, text, expected):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    manifest = open_manifest("-")
    assert manifest.name == "stdin"
    assert [(type(row), row.sku) for row in manifest.rows()] == [(expected, "A")]
    assert len(manifest.digest) == 64


def test_a_pipe_is_read_like_a_file(tmp_path):
    path = tmp_path / "pipe.csv"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(HEAD + GOOD,))
    writer.start()
    manifest = open_manifest(str(path))
    writer.join()
    assert [row.sku for row in manifest.rows()] == ["A"]
    assert [row.sku for row in manifest.rows()] == ["A"]


def packed_with_a_long_line(before, unit, count, after):
    """A gzip of a line of `count` times `unit`, made without ever holding it."""
    packer = zlib.compressobj(1, wbits=31)
    parts = [packer.compress(before), *(packer.compress(unit) for _ in range(count)), packer.compress(after)]
    return b"".join([*parts, packer.flush()])


def test_a_line_of_400_mb_is_one_bad_row_and_the_next_is_read(opened):
    content = packed_with_a_long_line(HEAD.encode(), b"x" * (1 << 20), 400, b"\n" + GOOD.encode())
    with memory_below(24 << 20):
        bad, good = opened(content, "long.csv.gz").rows()
    assert (bad.line, bad.why) == (2, "the line is longer than 1 MB")
    assert (good.line, good.sku) == (3, "A")


def test_a_quote_never_closed_costs_one_row_and_the_next_lines_are_read(rows):
    found = rows(HEAD + GOOD + '"B,p.jpg,d.jpg\n' + GOOD * 3000)
    bad = [row for row in found if isinstance(row, BadRow)]
    assert [(row.line, row.number) for row in bad] == [(3, 2)]
    assert "quotation mark is opened here" in bad[0].why
    assert [row.line for row in found] == list(range(2, 3004))


def test_a_quote_open_at_the_files_end_costs_one_row(rows):
    found = rows(HEAD + '"B,p.jpg,d.jpg\n' + GOOD)
    assert [(type(row), row.line) for row in found] == [(BadRow, 2), (Row, 3)]


def test_a_quote_before_a_giant_line_loses_neither_of_them(rows):
    found = rows(HEAD + '"B,p.jpg,d.jpg\n' + "x" * 1_500_000 + "\n" + GOOD)
    assert [(type(row), row.line) for row in found] == [(BadRow, 2), (BadRow, 3), (Row, 4)]


def test_a_quote_left_open_before_a_line_that_is_no_text_reports_both(rows):
    bad, worse, good = rows((HEAD + '"B,p.jpg,d.jpg\nC,p\0.jpg,d.jpg\n' + GOOD).encode())
    assert "quotation mark" in bad.why
    assert "NUL" in worse.why
    assert (bad.line, worse.line, good.line) == (2, 3, 4)


def test_lines_that_each_open_a_quote_end_in_bounded_time(rows):
    found = rows(HEAD + 'x","\n' * 20_000)
    assert {type(row) for row in found} == {BadRow}


def test_a_cell_beyond_any_real_one_is_one_bad_row(rows):
    bad, good = rows(HEAD + f'A,"{"x" * 200_000}",d.jpg\n' + GOOD)
    assert "a cell is longer" in bad.why
    assert isinstance(good, Row)


def test_many_rows_are_read_in_bounded_memory(opened):
    content = gzip.compress((HEAD + GOOD * 50_000).encode(), 1)
    with memory_below(8 << 20):
        assert sum(1 for _ in opened(content, "many.csv.gz").rows()) == 50_000
