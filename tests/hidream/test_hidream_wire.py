import base64
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.records import Slot
from worker.hidream.wire import (
    Base64,
    Body,
    clean_text,
    identifier,
    read_envelope,
    submit_body,
    whole_number,
    words,
)


def sent(body: Body) -> bytes:
    return b"".join(body.pieces())


def test_the_vendors_own_example_goes_out_letter_for_letter():
    person = "https://storage-cdn.hidreamai.com/image/p_1.jpg?x=1&y=%2F é模"
    body = submit_body(
        [
            (Slot.PERSON, person),
            (Slot.UPPER_CLOTHES, "https://a/b+c.png"),
            (Slot.LOWER_CLOTHES, "https://a/d"),
        ],
        request_id="r-1",
        notify_url="https://shop.example/cb?k=1",
    )
    assert sent(body).decode() == (
        '{"person":"' + person + '","upper_clothes":"https://a/b+c.png","lower_clothes":"https://a/d",'
        '"request_id":"r-1","notify_url":"https://shop.example/cb?k=1"}'
    )


def test_only_filled_fields_are_sent():
    assert json.loads(sent(submit_body([(Slot.PERSON, "https://a"), (Slot.DRESS, "https://b")]))) == {
        "person": "https://a",
        "dress": "https://b",
    }


def test_base64_is_sent_from_where_it_lies_and_never_shown():
    text = base64.b64encode(b"\x00picture" * 40_000)
    body = submit_body([(Slot.PERSON, Base64(text=text)), (Slot.DRESS, Base64(text=text))], request_id="r")
    assert sum(chunk is text for chunk in body.chunks) == 2
    assert json.loads(sent(body)) == {"person": text.decode(), "dress": text.decode(), "request_id": "r"}
    assert max(map(len, body.pieces())) <= 128 * 1024
    assert "cGlj" not in repr(body)


@given(
    st.lists(st.text(st.characters(codec=None)), min_size=1, max_size=1),
    st.text(st.characters()),
    st.binary(),
)
def test_any_text_comes_back_as_it_went_in(person, request_id, picture):
    slots = [(Slot.PERSON, person[0]), (Slot.DRESS, Base64(text=base64.b64encode(picture)))]
    body = submit_body(slots, request_id=request_id)
    told = json.loads(sent(body))
    assert told["person"] == person[0]
    assert base64.b64decode(told["dress"]) == picture
    assert told.get("request_id", "") == request_id
    assert body.length == len(sent(body))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),
        ("0", 0),
        ("1004", 1004),
        (1.0, 1),
        ("1.0", 1),
        (-3, -3),
        (True, None),
        (False, None),
        (None, None),
        *[
            ("x", None),
            (1.5, None),
            ("9" * 5000, None),
            (float("nan"), None),
            (float("inf"), None),
            ([], None),
        ],
    ],
)
def test_a_whole_number_is_read_in_every_spelling_but_no_other(value, number):
    assert whole_number(value) == number


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"<html>", b'{"code":0', b"\xff", b"[" * 200_000, b'{"code":' + b"9" * 9999 + b"}"],
)
def test_what_is_not_one_json_object_is_no_envelope(body):
    assert read_envelope(body) is None


def test_the_misspelt_message_is_read():
    envelope = read_envelope(b'{"code":"7","messasge":"no luck"}')
    assert envelope is not None
    assert (envelope.code, envelope.message, envelope.result) == (7, "no luck", {})


def test_ids_are_text_or_numbers_without_blanks():
    assert [identifier(each) for each in ("a-1", 7, "", "a b", "a\n", None, True, {}, "x" * 201)] == [
        *("a-1", "7"),
        *[None] * 7,
    ]


def test_words_lose_tokens_base64_and_line_breaks():
    told = words("bad\ntoken canary Bearer abcdefghijkl sk-abcdefghijkl\r\n" + "A" * 90, "canary")
    assert "canary" not in told
    assert "abcdefghijkl" not in told
    assert "AAAA" not in told
    assert "\n" not in told
    assert len(words("x y " * 500)) <= 200
    assert words(None) == ""


def test_a_long_chinese_sentence_is_kept():
    sentence = "图片格式不正确请重新上传" * 10
    assert words(sentence) == sentence


HALVES = st.text(st.sampled_from(["a", "é", "模", "\U0001f600", "\ud83d", "\ude00", "\ufffd"]), max_size=6)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(HALVES, HALVES | st.lists(HALVES, max_size=3) | st.dictionaries(HALVES, HALVES)),
    st.booleans(),
)
def test_every_text_of_a_reply_can_be_written_whatever_came(content, escaped):
    body = json.dumps(content, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    envelope = read_envelope(body)
    assert envelope is not None
    json.dumps(envelope.content, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain", "plain"),
        ("模特 \U0001f600", "模特 \U0001f600"),
        ("\ud83d\ude00", "\U0001f600"),
        ("x\ud83d", "x\ufffd"),
        ("\ude00x", "\ufffdx"),
    ],
)
def test_half_a_character_is_replaced_and_two_halves_are_one(text, clean):
    assert clean_text(text) == clean


def test_an_id_with_half_a_character_is_none():
    assert identifier("t-\ud800") is None
    assert identifier("t-\ufffd") is None
