"""Tables that were made to break the reader cost little, and are refused or read as they are."""

import gzip
import tracemalloc

import pytest

from jobs.errors import ManifestError
from jobs.products.records import LeftOut, Product
from jobs.products.sources import Reading, open_source

HEAD = "sku,image,category\n"
GOOD = "A,https://cdn.shop.example/a.jpg,top\n"


def outcome(path):
    """How many products and how many lines that are none, and the most memory it took."""
    tracemalloc.start()
    try:
        found = [0, 0]
        for each in open_source(str(path), Reading()).products():
            found[isinstance(each, LeftOut)] += 1
        return (*found, tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "good", "bad"),
    [
        (HEAD + "x" * 5_000_000 + "\n" + GOOD, 1, 1),
        (HEAD + f"A,{'x' * 500_000},top\n" + GOOD, 1, 1),
        (HEAD + '"' + "x\n" * 3_000 + GOOD, 3_000, 1),
        (HEAD + "A," * 400_000 + "\n" + GOOD, 1, 1),
        (HEAD + GOOD.replace("A", "A\0") + GOOD, 1, 1),
        (HEAD.encode() + "红色连衣裙\n".encode() + b"\xff\xfe\n" + GOOD.encode(), 2, 1),
        (HEAD + GOOD * 3_000, 3_000, 0),
        (HEAD + GOOD[:20], 1, 0),
    ],
    ids=[
        "a long line",
        "a long cell",
        "an open quote",
        "many cells",
        "a NUL",
        "no text",
        "many rows",
        "half a line",
    ],
)
def test_a_table_that_means_harm_costs_only_its_own_lines(tmp_path, content, good, bad):
    path = tmp_path / "shop.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    *found, most = outcome(path)
    assert found == [good, bad]
    assert most < 32_000_000


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (",".join(f"c{n}" for n in range(150_000)) + "\n" + GOOD, "is no export that is known"),
        ("sku," * 200_000 + "\n", "is no export that is known"),
        ("x" * 3_000_000, "is no export that is known"),
        ("\n" * 3_000_000, "is empty"),
        ("sku\n" * 100, "is no export that is known"),
    ],
    ids=["many columns", "many of one name", "no end", "blank lines", "one column"],
)
def test_a_table_without_names_that_are_known_is_refused_soon(tmp_path, content, why):
    path = tmp_path / "shop.csv"
    path.write_text(content)
    with pytest.raises(ManifestError, match=why):
        open_source(str(path), Reading())


def test_a_packed_table_of_utf_16_is_read_as_a_stream(tmp_path):
    path = tmp_path / "shop.csv.gz"
    table = HEAD.replace("sku", "sku,title") + GOOD.replace("A", f"A,{'x' * 1_000}") * 16_000
    path.write_bytes(gzip.compress(table.encode("utf-16"), compresslevel=1))
    assert len(table) > 16_000_000, "its text alone would take more than is allowed"
    good, bad, most = outcome(path)
    assert (good, bad) == (16_000, 0)
    assert most < 12_000_000


@pytest.mark.parametrize("cut", [10, 500])
def test_half_an_archive_is_said_when_its_end_is_missing(tmp_path, cut):
    path = tmp_path / "shop.csv.gz"
    packed = gzip.compress(b"".join(b"S-%d,a%d.jpg,top\n" % (n, n * n) for n in range(5_000)))
    path.write_bytes(gzip.compress(HEAD.encode() + GOOD.encode() * 5)[:-cut] if cut == 10 else packed[:-cut])
    with pytest.raises(ManifestError, match=r"broken or cut off|is no export"):
        list(open_source(str(path), Reading()).products())


def test_a_feed_streams_whatever_its_length(tmp_path):
    path = tmp_path / "feed.xml"
    item = "<item><g:id>A</g:id><description>" + "x" * 1_000 + "</description></item>\n"
    path.write_text('<rss xmlns:g="g"><channel>' + item * 4_000 + "</channel></rss>")
    good, bad, most = outcome(path)
    assert (good, bad) == (4_000, 0)
    assert most < 3_000_000
    assert isinstance(next(iter(open_source(str(path), Reading()).products())), Product)
