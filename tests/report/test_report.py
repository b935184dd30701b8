"""The contact sheet as files: what it has of each row, and that nothing in a batch can harm the one who opens it."""

import base64
import errno
import hashlib
import json
import os
import re
from html.parser import HTMLParser
from io import BytesIO

import pytest
from PIL import Image

from jobs.heic import open_heic
from jobs.records import Flag, Inputs, ResultLine, RowError, Verdict
from jobs.report import Thumbnails
from jobs.report.sheet import CHUNK
from jobs.report.thumbnails import address_key
from tests.report.batch import HOSTILE, digest, draw, failed, image, line


class Page(HTMLParser):
    """A page as a browser reads it: elements with their attributes, and text outside of style and script."""

    def __init__(self, path):
        super().__init__()
        self.source, self.elements, self.words, self._raw = path.read_text(encoding="utf-8"), [], [], False
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._raw = tag in {"style", "script"}

    def handle_endtag(self, tag):
        self._raw = False

    def handle_data(self, data):
        if not self._raw:
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag, **wanted):
        found = [attrs for name, attrs in self.elements if name == tag]
        return [attrs for attrs in found if all(attrs.get(key) == value for key, value in wanted.items())]


def looked(path):
    with Image.open(path) as picture:
        return picture.format, picture.size


def test_a_finished_row_has_person_garment_and_result(batch):
    row = batch.drawn(1, "green")
    (card,) = batch.write(row)
    (person, garment), (result,) = card["inputs"], card["pictures"]
    assert [person[0], garment[0]] == ["Person", "Dress"]
    assert looked(batch.small(person[3])) == ("WEBP", (240, 320))
    assert result == [row.images[0].sha256, "images/1.jpg", True]
    assert looked(batch.small(result[0])) == ("WEBP", (240, 320))
    assert card["title"] == "Wrap dress"
    assert card["notes"] == ["12 s at HiDream"]
    assert card["sentence"] == ""


def test_the_flags_of_a_row_can_be_filtered_by(batch):
    flag = Flag(id="dark", value=1.0, limit=40.0, evidence="95% of it are no brighter than 1 of 255")
    flagged, other = batch.write(batch.drawn(1, flags=(flag,)), batch.drawn(2))
    assert (flagged["flags"], other["flags"]) == (["dark"], [])


def test_a_gap_says_why_whose_it_is_and_whether_again_helps(batch):
    one, other = batch.write(
        failed(1), failed(2, "rejected", owner="merch", retryable=False, message="Moderation.")
    )
    assert [one[name] for name in ("sentence", "owner", "retryable", "reason")] == [
        "No picture came.",
        "vendor",
        True,
        "no_result 1004",
    ]
    assert [other[name] for name in ("sentence", "owner", "retryable")] == ["Moderation.", "merch", False]


@pytest.mark.parametrize("status", ["unknown", "cancelled", "queued", "submitting", "submitted", "invalid"])
def test_a_row_without_an_error_still_says_where_it_stands(batch, status):
    (card,) = batch.write(line(1, status))
    assert card["status"] == status
    assert card["sentence"].endswith(".")


def test_the_filters_carry_the_numbers_of_all_rows(batch):
    batch.write(line(1), line(2), failed(3), failed(4, owner="ops"))
    page = Page(batch.page)
    assert "2 of 4 rows have their picture" in page.text
    assert "All 4" in page.text
    assert "Failed 2" in page.text
    assert "Done 2" in page.text
    assert "Operations 1 HiDream 1" in page.text


def test_the_summary_heads_the_page(batch):
    batch.write(line(1), summary={"batch": "b-1", "created_at": "2026-11-22T21:00:03.120Z", "reused_rows": 3})
    for path in (batch.page, batch.file):
        page = Page(path)
        assert "b-1" in page.text
        assert "begun 2026-11-22 21:00 UTC" in page.text
        assert "3 reused" in page.text


def test_a_batch_without_rows_has_a_page(batch):
    batch.write()
    assert "0 of 0 rows" in Page(batch.page).text


def test_every_row_of_a_huge_batch_is_there_and_scripts_of_a_longer_one_are_gone(batch):
    many = 2 * CHUNK + 3
    cards = batch.write(*(line(row, inputs=Inputs()) for row in range(many)))
    assert [card["row"] for card in cards] == list(range(many))
    assert len(list((batch.folder / "report" / "rows").iterdir())) == 3
    assert [card["row"] for card in batch.write(line(7))] == [7]


def test_an_address_is_shown_small_when_it_was_fetched_and_else_is_a_link(batch):
    url = "https://cdn.example/a%20b/coat.jpg?sig=1"
    (card,) = batch.write(line(1, inputs=Inputs(person=url)))
    assert card["inputs"] == [["Person", "coat.jpg cdn.example", url, ""]]
    assert batch.thumbnails.make(address_key(url), draw(batch.root / "coat.jpg"))
    (card,) = batch.write(line(1, inputs=Inputs(person=url)))
    assert batch.small(card["inputs"][0][3]).exists()


def test_an_address_that_was_signed_anew_has_the_same_thumbnail():
    signed = "https://a.example/p.jpg?w=2&X-Amz-Signature=1&X-Amz-Date=2"
    assert (
        address_key(signed)
        == address_key("https://a.example/p.jpg?w=2")
        != address_key("https://a.example/p.jpg")
    )


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "vbscript:x", "//evil.example/x", "file:///etc/passwd",
     "https:javascript:alert(1)", "http://[bad", " javascript:alert(1)", "java\nscript:alert(1)"],
)  # fmt: skip
def test_only_http_addresses_become_links(batch, address):
    (card,) = batch.write(line(1, inputs=Inputs(person=address), images=(image(address),)))
    assert [given[2] for given in card["inputs"]] == [""]
    assert [made[1] for made in card["pictures"]] == [""]


def test_a_hostile_batch_is_text_wherever_it_stands(batch):
    error = RowError(kind=HOSTILE, code=HOSTILE, message=HOSTILE, retryable=True, owner=HOSTILE)
    texts = {"sku": HOSTILE, "request_id": HOSTILE, "task_id": HOSTILE, "source": HOSTILE}
    said = Verdict(
        row=1,
        picture_sha256=HOSTILE,
        verdict="reject",
        reasons=(HOSTILE,),
        note=HOSTILE,
        reviewer=HOSTILE,
        at=HOSTILE,
    )
    extra = {HOSTILE: HOSTILE, "title": HOSTILE}
    inputs = Inputs(person=f"https://h/{HOSTILE}", dress=HOSTILE)
    batch.write(batch.drawn(1), failed(2))
    calm = [Page(path) for path in (batch.page, batch.file)]
    cards = batch.write(
        batch.drawn(1, extra=extra, review=(said,), **texts),
        line(2, HOSTILE, extra=extra, inputs=inputs, error=error, **texts),
        summary={"batch": HOSTILE, "created_at": HOSTILE, "reused_rows": HOSTILE},
    )
    assert cards[0]["sku"] == cards[0]["title"] == HOSTILE
    for path, before in zip((batch.page, batch.file), calm, strict=True):
        page = Page(path)
        for tag in ("script", "style", "iframe", "img"):
            assert len(page.all(tag)) == len(before.all(tag))
        assert not [attrs for _, attrs in page.elements if any(name.startswith("on") for name in attrs)]
        assert "{{ 7*7 }}" in page.text
        assert "49" not in page.text
    assert "<" not in next((batch.folder / "report" / "rows").iterdir()).read_text()


def test_the_pages_policy_lets_its_own_script_and_style_run_and_nothing_else(batch):
    batch.write(line(1))
    for path in (batch.page, batch.file):
        page = Page(path)
        (policy,) = [
            each["content"]
            for each in page.all("meta")
            if each.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policy.startswith("default-src 'none'; img-src data:")
        assert "unsafe" not in policy
        assert "http" not in policy
        for tag in ("script", "style"):
            (inner,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page.source, re.DOTALL)
            hashed = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{hashed}'" in policy
        assert not [attrs for _, attrs in page.elements if "style" in attrs]
    # Only the folder's page reads scripts beside it.
    assert "script-src 'sha256-" in policy
    assert "file:;" not in policy.split("script-src")[1]


@pytest.mark.parametrize("path", ["../secret.jpg", "/secret.jpg", "images/../../secret.jpg", "images/\0.jpg"])
def test_a_result_outside_of_the_batch_is_not_shown(batch, path):
    secret = draw(batch.folder.parent / "secret.jpg", colour="black")
    path = path.replace("/secret", f"{secret.parent}/secret") if path[0] == "/" else path
    (card,) = batch.write(line(1, images=(image(path, digest(secret)),)))
    assert card["sentence"] == "The picture was made, but its file is not here."
    assert card["pictures"] == [[digest(secret), "", False]]
    assert not batch.small(digest(secret)).exists()


def test_a_sku_named_like_an_address_still_leads_to_its_own_file(batch):
    path = draw(batch.folder / "images" / "a#b?c:d 连.jpg")
    (card,) = batch.write(line(1, images=(image("images/a#b?c:d 连.jpg", digest(path)),)))
    assert card["pictures"][0][1] == "images/a%23b%3Fc%3Ad%20%E8%BF%9E.jpg"


@pytest.mark.parametrize(
    "content", [b"", b"no picture", b"\xff\xd8\xff\xe0 torn", b"\x89PNG\r\n\x1a\n" + b"\0" * 40]
)
def test_a_picture_that_cannot_be_read_leaves_its_name(batch, content):
    (batch.given / "person.jpg").write_bytes(content)
    (card,) = batch.write(line(1, "queued"))
    assert card["inputs"][0] == ["Person", "person.jpg", "", ""]
    assert card["inputs"][1][3]


def test_a_picture_nobody_can_find_leaves_its_name(batch):
    (card,) = batch.write(line(1, "queued", inputs=Inputs(person="gone.jpg")))
    assert card["inputs"] == [["Person", "gone.jpg", "", ""]]


def test_a_picture_that_was_changed_since_is_not_shown_as_the_one_that_was_sent(batch):
    sent = digest(batch.given / "person.jpg")
    draw(batch.given / "person.jpg", colour="black")
    (card,) = batch.write(line(1), digest=lambda _name: sent)
    assert card["inputs"][0][3] == ""


def test_lines_with_nothing_but_a_status_still_make_a_page(batch):
    odd, invalid = (
        ResultLine(batch="autumn", row=row, sku="", status=status)
        for row, status in ((1, "odd"), (2, "invalid"))
    )
    cards = batch.write(odd, invalid, line(3, "queued", extra={"n": "1", "title": None}))
    assert [card["status"] for card in cards] == ["unknown", "invalid", "queued"]


def test_an_endless_cell_does_not_make_an_endless_page(batch):
    batch.write(failed(1, message="x" * 1_000_000))
    assert batch.file.stat().st_size < 150_000


def test_half_characters_of_a_name_are_no_obstacle(batch):
    (card,) = batch.write(line(1, "queued", sku="half \udce9"))
    assert card["sku"] == "half \udce9"


def test_the_same_batch_makes_the_same_files(batch):
    def files():
        return {path: path.read_bytes() for path in batch.folder.rglob("*") if path.is_file()}

    batch.write(batch.drawn(1), failed(2))
    before = files()
    batch.write(batch.drawn(1), failed(2))
    assert files() == before


def test_the_single_file_has_everything_in_it_and_a_batch_too_big_for_it_leads_to_the_folder(batch):
    row = batch.drawn(1)
    batch.write(row)
    page = Page(batch.file)
    assert len(page.all("script", type="text/plain")) == 3
    (rows,) = re.findall(r'class="rows">(.*?)</script>', page.source, re.DOTALL)
    assert [cells[0] for cells in json.loads(rows)] == [1]
    batch.write(row, single_bytes=1_000)
    assert Page(batch.file).all("a", href="report/index.html")
    assert batch.file.stat().st_size < 20_000


def test_a_picture_is_made_small_once_for_each_content(batch):
    first, same = batch.drawn(1, "red"), batch.drawn(2, "red")
    assert first.images[0].sha256 == same.images[0].sha256
    batch.write(first, same)
    kept = batch.thumbnails.place(first.images[0].sha256)
    before = kept.stat()
    batch.write(first, same)
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert len(list(batch.thumbnails.root.rglob("*.webp"))) == 3
    assert not list((batch.thumbnails.root / ".tmp").iterdir())
    assert not list(batch.folder.rglob("*.tmp*"))


def test_a_disk_without_hard_links_gets_copies_and_what_a_killed_process_left_is_swept(batch, monkeypatch):
    def refuse(*_names):
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(os, "link", refuse)
    row = batch.drawn(1)
    batch.write(row)
    copy = batch.small(row.images[0].sha256)
    assert copy.read_bytes() == batch.thumbnails.place(row.images[0].sha256).read_bytes()
    assert copy.stat().st_nlink == 1
    assert not list(batch.folder.rglob("*.tmp*"))
    left, fresh = (batch.thumbnails.root / ".tmp" / name for name in ("left", "fresh"))
    left.touch()
    fresh.touch()
    os.utime(left, (0, 0))
    batch.thumbnails.sweep()
    assert list((batch.thumbnails.root / ".tmp").iterdir()) == [fresh]


def test_an_empty_thumbnail_that_a_power_cut_left_is_made_again(batch):
    row = batch.drawn(1)
    batch.write(row)
    kept = batch.thumbnails.place(row.images[0].sha256)
    kept.write_bytes(b"")
    assert batch.thumbnails.make(row.images[0].sha256, batch.folder / "images" / "1.jpg")
    assert kept.stat().st_size > 0


def small(tmp_path, path):
    thumbnails = Thumbnails(tmp_path / "small")
    assert thumbnails.make("ab", path)
    return Image.open(BytesIO(thumbnails.place("ab").read_bytes()))


def test_a_cut_out_stands_on_white_and_a_turned_photo_upright(tmp_path):
    clear = draw(tmp_path / "clear.png", colour=(0, 0, 255, 0), mode="RGBA")
    assert min(small(tmp_path / "a", clear).getpixel((5, 5))) >= 254
    turned = Image.Exif()
    turned[0x0112] = 6
    photo = draw(tmp_path / "turned.jpg", (400, 300), exif=turned)
    assert small(tmp_path / "b", photo).size == (240, 320)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_pictures_of_every_mode_become_thumbnails(tmp_path, mode):
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new(mode, (500, 500)).save(path)
    assert small(tmp_path, path).size == (320, 320)


def test_a_picture_of_a_phone_has_a_thumbnail(tmp_path):
    assert open_heic()
    Image.new("RGB", (1200, 800), "red").save(tmp_path / "IMG_1.HEIC", "HEIF")
    assert small(tmp_path, tmp_path / "IMG_1.HEIC").size == (320, 213)


def test_a_strip_becomes_a_thumbnail_too(tmp_path):
    assert small(tmp_path, draw(tmp_path / "strip.jpg", (4, 4000))).height == 320


def test_a_picture_with_more_pixels_than_memory_is_given_for_stays_unopened(tmp_path):
    thumbnails = Thumbnails(tmp_path / "small", max_pixels=10_000)
    assert not thumbnails.make("ab", draw(tmp_path / "a.jpg", (101, 100)))
    assert thumbnails.make("ab", draw(tmp_path / "b.jpg", (100, 100)))
