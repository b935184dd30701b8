"""Identity: what is bought decides the id, and nothing else does."""

import string
from uuid import UUID, uuid5

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from jobs.identity import NAMESPACE, batch_id, request_id, safe_batch_name, uuid5_text
from jobs.records import LocalFile, Pair, Source, Url

digests = st.text("0123456789abcdef", min_size=64, max_size=64)
addresses = st.one_of(
    st.text(min_size=1, max_size=30).map(lambda text: f"https://shop.example/{text}"),
    # What could be mistaken for something else: our own marks, other slots, line ends.
    st.sampled_from(["sha256:" + "0" * 64, "url:3:abc", "a\nupper_clothes=url:1:b", "epoch=1:2", "=", "\n"]),
)
sources: st.SearchStrategy[Source] = st.one_of(
    st.builds(Url, url=addresses),
    st.builds(
        LocalFile, path=st.just("/p/a.jpg"), sha256=digests, jpeg=st.sampled_from(["", "64x64", "64x65"])
    ),
)
maybe = st.one_of(st.none(), sources)
pairs = st.builds(Pair, person=sources, upper_clothes=maybe, lower_clothes=maybe, dress=maybe)
epochs = st.one_of(st.just(""), st.text(max_size=12))

KNOWN = {
    "a dress by address": (
        Pair(person=Url(url="https://shop.example/anna.jpg"), dress=Url(url="https://shop.example/d1.jpg")),
        "",
        "3e529d93-22f6-54f6-8e9a-56acd76c5cb5",
    ),
    "a dress, once more": (
        Pair(person=Url(url="https://shop.example/anna.jpg"), dress=Url(url="https://shop.example/d1.jpg")),
        "2",
        "7366800c-584a-5d69-9fcc-2c8f12e3be0f",
    ),
    "two local garments": (
        Pair(
            person=LocalFile(path="/a/anna.jpg", sha256="a" * 64),
            upper_clothes=LocalFile(path="/a/shirt.jpg", sha256="b" * 64),
            lower_clothes=LocalFile(path="/a/jeans.jpg", sha256="c" * 64),
        ),
        "",
        "f16c1f7a-7ae5-5f81-9e23-fe930cdf80c2",
    ),
    "a JPEG made of a picture": (
        Pair(
            person=LocalFile(path="/a/anna.heic", sha256="a" * 64, jpeg="3024x4032"),
            dress=LocalFile(path="/a/dress.jpg", sha256="b" * 64),
        ),
        "",
        "a598d777-27d3-5635-8cfa-ad2db3b0f03b",
    ),
    "letters of another script": (
        Pair(
            person=Url(url="https://shop.example/模特.jpg"),
            upper_clothes=Url(url="https://shop.example/上衣.jpg"),
        ),
        "",
        "94d1658e-8318-587b-85a1-3a7b6645d8ce",
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_every_id_ever_bought_stays_what_it_was(name: str) -> None:
    pair, epoch, known = KNOWN[name]
    assert request_id(pair, epoch) == known


@given(st.text())
def test_an_id_is_a_uuid_of_version_five(name: str) -> None:
    assert uuid5_text(name) == str(uuid5(NAMESPACE, name))


@given(pairs, pairs, epochs, epochs)
def test_two_things_never_have_one_id(first: Pair, second: Pair, epoch: str, other: str) -> None:
    assume((first, epoch) != (second, other))
    assert request_id(first, epoch) != request_id(second, other)


@given(sources, sources, sources)
def test_a_picture_in_another_slot_is_another_thing(person: Source, one: Source, two: Source) -> None:
    made = [
        Pair(person=person, upper_clothes=one),
        Pair(person=person, lower_clothes=one),
        Pair(person=person, dress=one),
        Pair(person=person, upper_clothes=one, lower_clothes=two),
        Pair(person=person, upper_clothes=two, lower_clothes=one),
    ]
    different = {pair: request_id(pair) for pair in made}
    assert len(set(different.values())) == len(different)


@given(digests, digests, st.text(min_size=1, max_size=20))
def test_the_content_counts_and_the_path_does_not(digest: str, other: str, path: str) -> None:
    picture = LocalFile(path="/here/a.jpg", sha256=digest)
    pair = Pair(person=picture, dress=picture)
    moved = replace(pair, person=LocalFile(path=f"/there/{path}", sha256=digest))
    assert request_id(pair) == request_id(moved)
    assume(digest != other)
    assert request_id(pair) != request_id(replace(pair, person=LocalFile(path="/here/a.jpg", sha256=other)))


@given(pairs, epochs)
def test_it_is_a_uuid_of_version_five(pair: Pair, epoch: str) -> None:
    found = UUID(request_id(pair, epoch))
    assert (found.version, str(found)) == (5, request_id(pair, epoch))


def test_an_epoch_makes_the_same_pair_another_thing_once() -> None:
    pair = Pair(person=Url(url="https://x/a"), dress=Url(url="https://x/b"))
    assert request_id(pair, "2") == request_id(pair, "2") != request_id(pair)
    assert request_id(pair, "") == request_id(pair)


# -- batches -------------------------------------------------------------------------------------------------


def test_a_batch_is_named_by_its_file_and_content() -> None:
    assert batch_id("autumn", "0123456789abcdef") == "autumn-01234567"
    assert batch_id("autumn", "0123456789abcdef", "second") == "autumn-01234567-second"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("../../etc/passwd", "etc_passwd"),
        ("模特", "batch"),
        ("", "batch"),
        ("a b/c=d;e,f:g", "a_b_c_d_e_f_g"),
        (".hidden", "hidden"),
        ("x" * 200, "x" * 80),
    ],
)
def test_a_batchs_name_is_harmless(text: str, safe: str) -> None:
    assert safe_batch_name(text) == safe


@given(st.text(max_size=120))
def test_whatever_a_file_is_called_its_batch_can_be_a_folder_and_a_key(text: str) -> None:
    name = safe_batch_name(text)
    assert set(name) <= set(string.ascii_letters + string.digits + "._-")
    assert 0 < len(name) <= 80
    assert name not in {".", ".."}
    assert not name.startswith((".", "-"))
