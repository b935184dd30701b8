"""The contact sheet: what a merchandiser sees, and that nothing in a batch can harm the one who opens it."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from io import BytesIO, StringIO

import pytest
from PIL import Image

from jobs.records import Image as ResultImage
from jobs.records import Inputs, ResultLine, RowError, Timings
from jobs.report import Thumbnails, write_report
from jobs.report.page import MAX_CARDS

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}</script></style>&amp;"


class Page(HTMLParser):
    """A page as a browser reads it: elements with their attributes, and text outside of style and script."""

    def __init__(self, text):
        super().__init__()
        self.source, self.elements, self.words, self._raw = text, [], [], False
        self.feed(text)

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

    @property
    def cards(self):
        return [attrs for attrs in self.all("li") if (attrs.get("class") or "").startswith("card")]


def draw(path, size=(300, 400), colour="red", mode="RGB", **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **how)
    return path


def line(row=1, status="succeeded", **changed):
    """A result line; pictures are named, not drawn."""
    whole = {
        "batch": "autumn",
        "row": row,
        "sku": f"SKU-{row}",
        "request_id": "4f5c9ad2",
        "status": status,
        "task_id": "t-1",
        "attempts": 1,
        "images": (image(f"images/{row}.jpg"),) if status == "succeeded" else (),
        "timings": Timings(task_s=12.0),
        "source": "poll",
        "inputs": Inputs(dress="garment.png", person="person.jpg"),
        "extra": {"Title": "Wrap dress", "colour": "red"},
    }
    return ResultLine(**whole | changed)


def image(path):
    return ResultImage(path=path, url="https://h/x", sha256="", width=1, height=1, bytes=1)


def failed(row=1, status="failed", *, owner="vendor", retryable=True, message="No picture came."):
    error = RowError(kind="no_result", code=1004, message=message, retryable=retryable, owner=owner)
    return line(row, status, error=error)


@pytest.fixture
def sheet(tmp_path):
    """Writes a page of the lines given and reads it."""
    draw(tmp_path / "in" / "person.jpg")
    draw(tmp_path / "in" / "garment.png", colour=(0, 0, 255, 0), mode="RGBA")

    def write(*lines, summary=None, **given):
        page = StringIO()
        given = {"pictures": lambda name: tmp_path / "in" / name} | given
        write_report(page, summary or {"batch": "autumn"}, iter(lines), tmp_path / "out", **given)
        return Page(page.getvalue())

    return write


def picture(address):
    kind, _, content = address.partition(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(BytesIO(base64.b64decode(content)))


def test_a_finished_row_shows_person_garment_and_result(sheet, tmp_path):
    draw(tmp_path / "out" / "images" / "1.jpg", (900, 1200), "green")
    page = sheet(line(1))
    person, garment, result = [img for img in page.all("img") if "src" in img]
    assert [person["alt"], garment["alt"], result["alt"]] == ["Person", "Dress", "Result for SKU-1"]
    assert picture(person["src"]).size == (120, 160)
    assert picture(result["src"]).size == (240, 320)
    assert page.all("a", href="./images/1.jpg")
    assert "Wrap dress" in page.text
    assert "12 s at HiDream" in page.text


def test_a_gap_says_why_whose_it_is_and_whether_again_helps(sheet):
    page = sheet(failed(1), failed(2, "rejected", owner="merch", retryable=False, message="Moderation."))
    assert "No picture came. To be fixed by HiDream Running it again may help no_result 1004" in page.text
    assert "Moderation. To be fixed by Merchandising Running it again will not help" in page.text


def test_a_row_that_may_be_paid_for_does_not_ask_to_be_run_again(sheet):
    page = sheet(failed(1, "unknown", owner="ops", message="HiDream did not answer."))
    assert "To be fixed by Operations Running it again buys nothing: operations decide" in page.text


@pytest.mark.parametrize("status", ["unknown", "cancelled", "queued", "submitting", "submitted", "invalid"])
def test_a_row_without_an_error_still_says_where_it_stands(sheet, status):
    page = sheet(line(1, status))
    assert page.cards[0]["data-status"] == status
    assert len([words for words in page.words if words.strip().endswith(".")]) >= 1


def test_what_needs_a_person_stands_first(sheet):
    page = sheet(line(1), failed(2), line(3, "queued"), line(4, "invalid"), line(5))
    assert [card["data-find"].split()[0] for card in page.cards] == [
        "sku-2",
        "sku-4",
        "sku-3",
        "sku-1",
        "sku-5",
    ]


def test_the_filters_carry_the_numbers_of_all_rows(sheet):
    page = sheet(line(1), line(2), failed(3), failed(4, owner="ops"))
    assert "2 of 4 rows have their picture" in page.text
    assert "All 4" in page.text
    assert "Failed 2" in page.text
    assert "Done 2" in page.text
    assert "Operations 1 HiDream 1" in page.text
    assert [card["data-owner"] for card in page.cards] == ["vendor", "ops", "", ""]


def test_the_summary_heads_the_page(sheet):
    page = sheet(
        line(1), summary={"batch": "b-1", "created_at": "2026-11-22T21:00:03.120Z", "reused_rows": 3}
    )
    assert "b-1" in page.text
    assert "begun 2026-11-22 21:00 UTC" in page.text
    assert "3 reused" in page.text


def test_a_batch_without_rows_has_a_page(sheet):
    assert "0 of 0 rows" in sheet().text


def test_an_address_is_a_link_that_we_never_ask_anybody_about(sheet):
    asked = []
    url = "https://cdn.example/a%20b/coat.jpg?sig=1"
    page = sheet(line(1, inputs=Inputs(person=url)), pictures=asked.append)
    assert asked == []
    (link,) = page.all("a", href=url)
    assert link["rel"] == "noopener noreferrer"
    assert "coat.jpg cdn.example" in page.text


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "vbscript:x", "//evil.example/x", "file:///etc/passwd",
     "https:javascript:alert(1)", "http://[bad", " javascript:alert(1)", "java\nscript:alert(1)"],
)  # fmt: skip
def test_only_http_addresses_become_links(sheet, address):
    page = sheet(line(1, inputs=Inputs(person=address), images=(image(address),)))
    hrefs = [link["href"] for link in page.all("a") if "href" in link]
    assert hrefs == []


def test_a_hostile_batch_is_text_wherever_it_stands(sheet, tmp_path):
    draw(tmp_path / "out" / "images" / "1.jpg")
    error = RowError(kind=HOSTILE, code=HOSTILE, message=HOSTILE, retryable=True, owner=HOSTILE)
    texts = {"sku": HOSTILE, "request_id": HOSTILE, "task_id": HOSTILE, "source": HOSTILE}
    extra = {HOSTILE: HOSTILE, "title": HOSTILE}
    inputs = Inputs(person=f"https://h/{HOSTILE}", dress=HOSTILE)
    calm = sheet(line(1), failed(2))
    page = sheet(
        line(1, extra=extra, **texts),
        line(2, HOSTILE, extra=extra, inputs=inputs, error=error, **texts),
        summary={"batch": HOSTILE, "created_at": HOSTILE, "reused_rows": HOSTILE},
    )
    for tag in ("script", "style", "iframe"):
        assert len(page.all(tag)) == len(calm.all(tag))
    assert not [attrs for _, attrs in page.elements if any(name.startswith("on") for name in attrs)]
    assert {img["src"].split(",")[0] for img in page.all("img") if "src" in img} == {"data:image/jpeg;base64"}
    assert "{{ 7*7 }}" in page.text
    assert "49" not in page.text.replace("4f5c9ad2", "")


def test_the_pages_policy_lets_its_own_script_and_style_run_and_nothing_else(sheet):
    page = sheet(line(1))
    (policy,) = [
        meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; img-src data:")
    assert "unsafe" not in policy
    assert "http" not in policy
    for tag in ("script", "style"):
        (inner,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page.source, re.DOTALL)
        assert (
            f"{tag}-src 'sha256-{base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()}'"
            in policy
        )
    assert not [attrs for _, attrs in page.elements if "style" in attrs]


@pytest.mark.parametrize("path", ["../secret.jpg", "/secret.jpg", "images/../../secret.jpg", "images/\0.jpg"])
def test_a_result_outside_of_the_batch_is_not_shown(sheet, tmp_path, path):
    draw(tmp_path / "secret.jpg")
    path = path.replace("/secret", f"{tmp_path}/secret") if path[0] == "/" else path
    page = sheet(line(1, images=(image(path),)))
    assert "The picture was made, but its file is not here." in page.text


def test_a_sku_named_like_an_address_still_links_to_its_own_file(sheet, tmp_path):
    draw(tmp_path / "out" / "images" / "a#b?c:d 连.jpg")
    page = sheet(line(1, images=(image("images/a#b?c:d 连.jpg"),)))
    assert page.all("a", href="./images/a%23b%3Fc%3Ad%20%E8%BF%9E.jpg")


@pytest.mark.parametrize(
    "content", [b"", b"no picture", b"\xff\xd8\xff\xe0 torn", b"\x89PNG\r\n\x1a\n" + b"\0" * 40]
)
def test_a_picture_that_cannot_be_read_leaves_its_name(sheet, tmp_path, content):
    (tmp_path / "in" / "person.jpg").write_bytes(content)
    page = sheet(line(1, "queued"))
    assert "person.jpg" in page.text
    assert [img["alt"] for img in page.all("img") if "src" in img] == ["Dress"]


def test_a_picture_nobody_can_find_leaves_its_name(sheet):
    page = sheet(line(1, "queued", inputs=Inputs(person="gone.jpg")), pictures=lambda _name: None)
    assert "gone.jpg" in page.text


def test_lines_with_nothing_but_a_status_still_make_a_page(sheet):
    odd, invalid = (
        ResultLine(batch="autumn", row=row, sku="", status=status)
        for row, status in ((1, "odd"), (2, "invalid"))
    )
    page = sheet(odd, invalid, line(3, "queued", extra={"n": "1", "title": None}))
    assert [card["data-status"] for card in page.cards] == ["unknown", "invalid", "queued"]


def test_a_huge_batch_shows_its_gaps_and_points_to_the_rest(sheet):
    many = MAX_CARDS + 100
    page = sheet(
        *(line(row, inputs=Inputs()) for row in range(many)), *(failed(many + row) for row in range(3))
    )
    assert len(page.cards) == MAX_CARDS
    assert [card["data-status"] for card in page.cards[:4]] == ["failed", "failed", "failed", "succeeded"]
    assert f"This page shows {MAX_CARDS} of {many + 3} rows" in page.text
    assert page.all("a", href="./results.csv")


def test_an_endless_cell_does_not_make_an_endless_page(sheet):
    page = sheet(failed(1, message="x" * 1_000_000))
    assert len(page.source) < 100_000


def test_the_same_batch_makes_the_same_page(sheet, tmp_path):
    assert sheet(line(1), failed(2)).source == sheet(line(1), failed(2)).source


def test_a_picture_is_opened_once_per_size_and_again_once_it_has_changed(tmp_path):
    thumbnails = Thumbnails()
    path = draw(tmp_path / "a.jpg", colour="red")
    first = thumbnails.of(path, 160)
    assert thumbnails.of(path, 160) is first
    draw(path, (200, 100), "blue")
    assert thumbnails.of(path, 160) != first


def test_remembered_thumbnails_are_bounded(tmp_path):
    thumbnails = Thumbnails(capacity=2)
    for number in range(4):
        thumbnails.of(draw(tmp_path / f"{number}.jpg"), 160)
    assert thumbnails._made.cache_info().currsize == 2


def test_a_cut_out_stands_on_white_and_a_turned_photo_upright(tmp_path):
    clear = draw(tmp_path / "clear.png", colour=(0, 0, 255, 0), mode="RGBA")
    assert picture(Thumbnails().of(clear, 160)).getpixel((5, 5)) == (255, 255, 255)
    turned = Image.Exif()
    turned[0x0112] = 6
    photo = draw(tmp_path / "turned.jpg", (400, 300), exif=turned)
    assert picture(Thumbnails().of(photo, 160)).size == (120, 160)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_pictures_of_every_mode_become_thumbnails(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.new(mode, (500, 500)).save(path)
    assert picture(Thumbnails().of(path, 160)).size == (160, 160)
