"""Signed addresses: what signs or expires them is no part of what they show; when they end is known."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.identity import former_request_id, request_id
from jobs.records import LocalFile, Pair, Url
from jobs.signed_addresses import ends_at, unsigned

S3 = (
    "https://media.s3.amazonaws.com/p/1.jpg?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20261126%2Feu%2Fs3"
    "&X-Amz-Date=20261126T213000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=aaaa&x-amz-security-token=b"
)
SIGNED = {
    S3: "https://media.s3.amazonaws.com/p/1.jpg",
    "https://s/1.jpg?versionId=7&X-Amz-Signature=a&X-Amz-Date=x&w=8": "https://s/1.jpg?versionId=7&w=8",
    "https://g/1?X-Goog-Algorithm=a&X-Goog-Credential=c&X-Goog-Date=d&X-Goog-Expires=9&X-Goog-Signature=s": "https://g/1",
    "https://o/1?x-oss-process=image/resize,w_8&x-oss-signature-version=OSS4&x-oss-credential=c&x-oss-date=d"
    "&x-oss-expires=9&x-oss-signature=s": "https://o/1?x-oss-process=image/resize,w_8",
    "https://o/1?OSSAccessKeyId=L&Expires=1795730000&Signature=a%2Bb%3D&security-token=t": "https://o/1",
    "https://s/1?AWSAccessKeyId=L&Expires=1795730000&Signature=a": "https://s/1",
    "https://g/1?GoogleAccessId=L&Expires=1795730000&Signature=a": "https://g/1",
    "https://cf/1?Policy=p&Signature=s&Key-Pair-Id=K": "https://cf/1",
    "https://cf/1?b=2&Expires=1795730000&a=1": "https://cf/1?b=2&a=1",
    "https://az/1?sv=2024-11-04&st=a&se=b&sr=b&sp=r&sig=s&snapshot=3": "https://az/1?snapshot=3",
    "https://cdn/1?auth_key=1795730000-0-0-abc": "https://cdn/1",
    "https://cos/1?q-sign-algorithm=sha1&q-ak=a&q-sign-time=1;2&q-key-time=1;2&q-header-list=&q-url-param-list="
    "&q-signature=s&x-cos-security-token=t&imageMogr2/format/webp": "https://cos/1?imageMogr2/format/webp",
    "https://o/1?Expires=1795730000&Signature=a#part": "https://o/1#part",
}
#: What these say sets one picture apart from another.
UNSIGNED = [
    "https://shop.example/1.jpg",
    "https://shop.example/1.jpg?",
    "https://shop.example/1.jpg?v=2&&w=800&format=webp&versionId=7",
    "https://shop.example/1.jpg?response-content-type=image%2Fpng",
    "https://shop.example/1.jpg?se=left&sp=2&sr=x&si=1",
    "https://shop.example/1.jpg?policy=crop&expires=never",
    "https://shop.example/1.jpg?token=a&sign=b#Signature=c",
    "https://shop.example/Signature=a/1.jpg",
]


@pytest.mark.parametrize("url", SIGNED)
def test_what_signs_an_address_is_left_out_and_nothing_else(url: str) -> None:
    assert unsigned(url) == SIGNED[url]


@pytest.mark.parametrize("url", UNSIGNED)
def test_everything_else_stays_letter_by_letter(url: str) -> None:
    assert unsigned(url) == url
    pair = Pair(person=Url(url=url), dress=Url(url="https://shop.example/d.jpg"))
    assert request_id(pair, "2") == former_request_id(pair, "2")


def test_a_setting_names_more() -> None:
    assert unsigned("https://s/1?Token=a&w=8&t=9", ["token", "t"]) == "https://s/1?w=8"


def test_ids_of_files_have_not_changed() -> None:
    picture = LocalFile(path="/a?Signature=1", sha256="a" * 64)
    pair = Pair(person=picture, dress=picture)
    assert request_id(pair) == former_request_id(pair)


def test_ids_of_signed_addresses_stay_what_they_are_from_now_on() -> None:
    dress = Url(url="https://shop.example/d1.jpg")
    first, second = (
        Pair(person=Url(url=url), dress=dress)
        for url in (S3, S3.replace("aaaa", "bbbb").replace("1126", "1127"))
    )
    assert request_id(first) == request_id(second) == "1198ebfb-621a-5f4b-8e9f-d2d8ce013853"
    assert former_request_id(first) == "55f5b009-4fe8-57b6-a006-8ef5d598cef7"


@given(st.text(max_size=60))
def test_any_text_may_be_asked(text: str) -> None:
    url = f"https://s/1?{text}"
    assert len(unsigned(url)) <= len(url)
    assert unsigned(unsigned(url)) == unsigned(url)
    end = ends_at(url)
    assert end is None or end > 0


def at(*when: int) -> float:
    return datetime(*when, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("query", "end"),
    [
        ("X-Amz-Date=20261126T213000Z&X-Amz-Expires=3600", at(2026, 11, 26, 22, 30)),
        ("x-goog-date=20261126T213000Z&x-goog-expires=60", at(2026, 11, 26, 21, 31)),
        ("x-oss-date=20261126T213000Z&x-oss-expires=60", at(2026, 11, 26, 21, 31)),
        ("Expires=1700000000&Signature=x", 1_700_000_000),
        ("se=2024-01-01T00%3A00%3A00Z&sig=x", at(2024, 1, 1)),
        ("se=2024-01-01&sig=x", at(2024, 1, 1)),
        ("q-sign-time=1700000000;1700000600", 1_700_000_600),
        ("q-sign-time=1700000000%3B1700000600", 1_700_000_600),
        ("Expires=1800000000&Expires=1700000000", 1_800_000_000),
        ("X-Amz-Date=20261326T213000Z&X-Amz-Expires=3600", None),
        ("X-Amz-Date=20261126T213000Z&X-Amz-Expires=" + "9" * 5000, None),
        ("se=tomorrow&sig=x", None),
        ("se=2024-01-01", None),
        ("auth_key=1700000000-0-0-x", None),
        ("Expires=never", None),
        ("w=8", None),
    ],
)
def test_when_an_address_ends_is_read_from_it(query: str, end: float | None) -> None:
    assert ends_at(f"https://s/1.jpg?{query}") == end
