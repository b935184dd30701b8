"""What is read from a callback's body, and that no body does harm."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.callbacks.body import task_of

RESULTS = [{"sub_task_id": "s", "task_status": 1, "image": "https://x/y.jpg"}]


@pytest.mark.parametrize(
    "content",
    [
        {"code": 0, "message": "Success", "result": {"task_id": "t-1", "sub_task_results": RESULTS}},
        {"task_id": "t-1", "sub_task_results": RESULTS},
        {"main_task_id": "t-1", "sub_task_results": RESULTS},
        {"main_task_id": "t-1", "result": {"sub_task_results": RESULTS}},
        {"code": 0, "result": {"main_task_id": "t-1"}},
    ],
)
def test_every_known_shape_names_its_task(content):
    assert task_of(json.dumps(content).encode()) == "t-1"


def test_a_task_id_given_as_a_number_is_text():
    assert task_of(b'{"task_id": 872364872364}') == "872364872364"


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"task_id": ""}',
        b'{"task_id": null}',
        b'{"task_id": true}',
        b'{"task_id": ["x"]}',
        b'{"result": []}',
    ]
    + [json.dumps({"task_id": bad}).encode() for bad in ("x" * 129, "a\nb", "a\x1b[2J")],
)
def test_an_object_without_a_usable_task_id_is_still_a_hint(body):
    assert task_of(body) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"[]",
        b'"t"',
        b"null",
        b'{"task_id"',
        b"\xff\xfe{",
        b"[" * 65_536,
        b'{"a":' * 13_000,
        b"[" * 32_768 + b"]" * 32_768,
        b'{"task_id": ' + b"9" * 60_000 + b"}",
    ],
    ids=lambda body: f"{body[:10]!r}-{len(body)}",
)
def test_what_is_not_a_json_object_is_refused(body):
    with pytest.raises(ValueError, match=r"."):
        task_of(body)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(body):
    with suppress(ValueError):
        task_of(body)
