import json
from typing import Any

import pytest

from jobs.records import Owner
from jobs.settings import HiDreamSettings
from worker.hidream.outcomes import Accepted, Busy, Paused, PollFailed, Refused, Unknown
from worker.hidream.replies import poll_outcome, retry_after_s, submit_outcome
from worker.hidream.wire import Reply

SETTINGS = HiDreamSettings()
NOW_S = 1_700_000_000.0


def judged(status: int, content: Any = None, *, body: bytes | None = None, sent_bytes: int = 0, **more: Any):
    raw = body if body is not None else json.dumps(content).encode()
    return submit_outcome(
        Reply(status=status, body=raw, **more), SETTINGS, now_s=NOW_S, sent_bytes=sent_bytes
    )


def test_code_0_with_a_task_is_accepted_in_any_language():
    said = {
        "code": 0,
        "message": "请求成功",
        "request_id": "r",
        "result": {"task_id": "t", "sub_task_ids": ["a", 2]},
    }
    assert judged(200, said) == Accepted(task_id="t", sub_task_ids=("a", "2"))


@pytest.mark.parametrize("result", [{"task_id": "t"}, {"task_id": "t", "sub_task_ids": None}])
def test_an_accepted_task_may_lack_its_sub_tasks(result):
    assert judged(200, {"code": "0", "result": result}) == Accepted(task_id="t")


@pytest.mark.parametrize("result", [None, {}, [], {"task_id": ""}, {"task_id": None}, {"task_id": "a b"}])
def test_code_0_without_a_task_is_unknown(result):
    assert isinstance(judged(200, {"code": 0, "result": result}), Unknown)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>busy</html>", b'{"code":0,"resu', b"[]", b"{}", b'{"code":false,"result":{"task_id":"t"}}'],
)
def test_a_200_that_says_nothing_is_unknown(body):
    assert isinstance(judged(200, body=body), Unknown)


def test_a_refusal_that_names_a_task_is_unknown():
    assert isinstance(judged(200, {"code": 1051, "result": {"task_id": "t"}}), Unknown)


def test_a_body_that_was_cut_off_is_unknown():
    assert judged(200, body=b"", fault="cut") == Unknown(reason="cut")


def test_2004_is_busy_and_not_throttled():
    assert judged(200, {"code": 2004, "message": "later"}) == Busy(reason="code 2004 (HTTP 200): later")


def test_no_credits_pauses_the_account():
    assert judged(200, {"code": 2007, "message": "No credits available"}) == Paused(
        reason="credits", message="code 2007 (HTTP 200): No credits available"
    )


def test_an_unknown_module_pauses_the_account():
    outcome = judged(200, {"code": 2031})
    assert isinstance(outcome, Paused)
    assert outcome.reason == "module"


def test_an_invalid_picture_is_final_and_the_merchandisers():
    outcome = judged(200, {"code": 1051, "message": "bad"})
    assert isinstance(outcome, Refused)
    assert (outcome.failure.kind, outcome.failure.code) == ("picture_invalid", 1051)
    assert (outcome.failure.retryable, outcome.failure.owner) == (False, Owner.MERCH)
    assert outcome.failure.message == "HiDream refused the job (1051): bad"


def test_any_other_code_is_final_and_of_ops():
    outcome = judged(200, {"code": 31337})
    assert isinstance(outcome, Refused)
    assert (outcome.failure.kind, outcome.failure.owner) == ("refused", Owner.OPS)


def test_the_tables_of_codes_are_the_configurations():
    settings = HiDreamSettings(final_codes={7: "moderated"}, pause_codes={8: "token"}, busy_codes=(9,))
    found = [
        submit_outcome(Reply(status=200, body=b'{"code":%d}' % code), settings, now_s=NOW_S)
        for code in (7, 8, 9)
    ]
    assert isinstance(found[0], Refused)
    assert (found[0].failure.kind, found[0].failure.owner) == ("moderated", Owner.MERCH)
    assert isinstance(found[1], Paused)
    assert found[1].reason == "token"
    assert isinstance(found[2], Busy)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_pauses(status):
    outcome = judged(status, body=b"<html>")
    assert isinstance(outcome, Paused)
    assert outcome.reason == "token"


def test_a_403_that_names_the_credits_is_about_the_credits():
    outcome = judged(403, {"code": 2007})
    assert isinstance(outcome, Paused)
    assert outcome.reason == "credits"


def test_413_is_final_and_tells_the_size():
    outcome = judged(413, body=b"", sent_bytes=20_000_000)
    assert isinstance(outcome, Refused)
    assert outcome.failure.code == 413
    assert "20,000,000 bytes" in outcome.failure.message
    assert outcome.failure.owner is Owner.MERCH


def test_429_is_throttled_with_its_wait():
    assert judged(429, body=b"", retry_after="7") == Busy(
        reason="too many requests (HTTP 429)", retry_after_s=7, throttled=True
    )


def test_503_is_busy_and_not_throttled():
    assert judged(503, body=b"<html>") == Busy(reason="overloaded (HTTP 503)")


@pytest.mark.parametrize("status", [500, 502, 504, 501, 520, 408, 303])
def test_whatever_may_have_come_after_the_sale_is_unknown(status):
    assert isinstance(judged(status, {"code": 2007}), Unknown)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 404, 405])
def test_a_wrong_address_pauses_instead_of_failing_every_job(status):
    outcome = judged(status, body=b"")
    assert isinstance(outcome, Paused)
    assert outcome.reason == "module"


def test_402_is_about_the_credits():
    outcome = judged(402, body=b"")
    assert isinstance(outcome, Paused)
    assert outcome.reason == "credits"


@pytest.mark.parametrize(("content", "code"), [({"code": 12}, 12), ({}, 400)])
def test_another_4xx_is_final_with_the_code_it_has(content, code):
    outcome = judged(400, content)
    assert isinstance(outcome, Refused)
    assert (outcome.failure.kind, outcome.failure.code) == ("refused", code)


def test_a_400_with_a_known_code_is_judged_by_the_code():
    outcome = judged(400, {"code": 1051})
    assert isinstance(outcome, Refused)
    assert outcome.failure.kind == "picture_invalid"


def test_our_token_is_cut_out_of_what_hidream_says():
    outcome = judged(401, {"code": 1, "message": "bad token tok-1"}, secret="tok-1")
    assert "tok-1" not in repr(outcome)


@pytest.mark.parametrize(
    ("retry_after", "date", "seconds"),
    [
        (None, None, None),
        ("", None, None),
        ("soon", None, None),
        ("nan", None, None),
        ("7", None, 7),
        ("1.5", None, 1.5),
        ("-5", None, 0),
        ("99999999999999999999", None, 3600),
        ("inf", None, 3600),
        ("Wed, 15 Nov 2023 12:00:30 GMT", "Wed, 15 Nov 2023 12:00:00 GMT", 30),
        ("Wed, 15 Nov 2023 11:00:30 GMT", "Wed, 15 Nov 2023 12:00:00 GMT", 0),
        ("Wed, 15 Nov 2093 11:00:30 GMT", "Wed, 15 Nov 2023 12:00:00 GMT", 3600),
        ("Tue, 14 Nov 2023 22:13:32 GMT", None, 12),
        ("Tue, 14 Nov 2023 22:13:32 GMT", "yesterday", 12),
        ("Tue, 99 Nov 99999 22:13:32 GMT", None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_of_the_servers_own_clock(retry_after, date, seconds):
    assert retry_after_s(Reply(status=429, retry_after=retry_after, date=date), NOW_S) == seconds


def polled(status: int, body: bytes, **more: Any):
    return poll_outcome(Reply(status=status, body=body, **more), SETTINGS, now_s=NOW_S)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>"),
        (200, b'{"code":5}'),
        (200, b'{"code":0}'),
        (500, b""),
        (502, b"{}"),
        (302, b""),
    ],
)
def test_a_poll_without_an_answer_is_transient(status, body):
    outcome = polled(status, body)
    assert isinstance(outcome, PollFailed)
    assert not outcome.missing
    assert not outcome.auth


def test_404_on_results_says_missing():
    assert polled(404, b"").missing


def test_a_poll_that_is_throttled_says_how_long():
    assert polled(429, b"", retry_after="9").retry_after_s == 9
    assert polled(503, b"", retry_after="4").retry_after_s == 4


@pytest.mark.parametrize("status", [401, 403])
def test_a_poll_with_a_refused_token_says_auth(status):
    assert polled(status, b"").auth


def test_a_code_for_a_bad_token_says_auth_on_a_poll_too():
    settings = HiDreamSettings(pause_codes={3001: "token"})
    outcome = poll_outcome(Reply(status=200, body=b'{"code":3001}'), settings, now_s=NOW_S)
    assert outcome.auth
