import json
from typing import Any

import pytest

from jobs.config.settings import HiDreamSettings
from jobs.records import Owner
from worker.hidream.outcomes import Accepted, Busy, Ended, Paused, PollFailed, Refused, Unknown
from worker.hidream.replies import poll_outcome, retry_after_s, submit_outcome
from worker.hidream.wire import Reply

SETTINGS = HiDreamSettings()
NOW_S = 1_700_000_000.0


def judged(
    status: int,
    content: Any = None,
    *,
    body: bytes | None = None,
    settings: HiDreamSettings = SETTINGS,
    request_id: str = "",
    sent_bytes: int = 0,
    whole: bool = True,
    **more: Any,
):
    raw = body if body is not None else json.dumps(content).encode()
    return submit_outcome(
        Reply(status=status, body=raw, **more),
        settings,
        now_s=NOW_S,
        request_id=request_id,
        sent_bytes=sent_bytes,
        whole=whole,
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
    [b"", b"<html>busy</html>", b'{"code":0,"resu', b"[]", b"{}", b'{"code":false}'],
)
def test_a_200_that_says_nothing_is_unknown(body):
    assert isinstance(judged(200, body=body), Unknown)


@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 429, 500, 502, 503, 504])
@pytest.mark.parametrize(
    "content",
    [
        {"code": 1051, "result": {"task_id": "t"}},
        {"code": 2007, "task_id": "t"},
        {"main_task_id": "t", "sub_task_results": []},
        {"code": "busy", "result": {"main_task_id": "t"}},
    ],
)
def test_whoever_names_a_task_has_bought_it_whatever_else_he_says(status, content):
    assert judged(status, content) == Accepted(task_id="t")


@pytest.mark.parametrize("nothing", [None, "", 0, "0", False, [], {}])
def test_a_refusal_with_an_empty_task_is_a_refusal(nothing):
    assert isinstance(judged(200, {"code": 1051, "result": {"task_id": nothing}}), Refused)


@pytest.mark.parametrize("odd", ["a b", ["t"], "x" * 201, "\ud800", 1.5])
def test_a_refusal_that_names_a_task_by_no_id_is_unknown(odd):
    assert isinstance(judged(200, {"code": 1051, "result": {"task_id": odd}}), Unknown)


def test_a_reply_to_another_request_is_never_this_jobs_whatever_it_says():
    for content in ({"code": 0, "result": {"task_id": "t"}}, {"code": 1051}, {"code": 2007}):
        outcome = judged(200, content | {"request_id": "r-2"}, request_id="r-1")
        assert isinstance(outcome, Unknown)
        assert outcome.mixed
    named = judged(200, {"request_id": "r-2", "result": {"task_id": "t-2"}}, request_id="r-1")
    assert "t-2" in named.reason, "a task id is never forgotten"


@pytest.mark.parametrize("told", ["r-1", "R-1", "", None, 0, ["r-2"]])
def test_a_reply_that_tells_our_request_or_none_is_this_jobs(told):
    content = {"code": 0, "request_id": told, "result": {"task_id": "t"}}
    assert judged(200, content, request_id="r-1") == Accepted(task_id="t")


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


@pytest.mark.parametrize(("status", "body"), [(401, b"<html>"), (401, b""), (403, b'{"code":12}')])
def test_a_refused_token_pauses(status, body):
    outcome = judged(status, body=body)
    assert isinstance(outcome, Paused)
    assert outcome.reason == "token"


def test_a_403_that_names_the_credits_is_about_the_credits():
    outcome = judged(403, {"code": 2007})
    assert isinstance(outcome, Paused)
    assert outcome.reason == "credits"


@pytest.mark.parametrize(
    ("body", "whole", "safe"), [(b'{"code":12}', True, ()), (b"", False, ()), (b"<html>", True, (413,))]
)
def test_413_is_final_and_tells_the_size(body, whole, safe):
    settings = HiDreamSettings(safe_statuses=safe)
    outcome = judged(413, body=body, whole=whole, settings=settings, sent_bytes=20_000_000)
    assert isinstance(outcome, Refused)
    assert (outcome.failure.kind, outcome.failure.code) == ("picture_too_large", 413)
    assert "20,000,000 bytes" in outcome.failure.message
    assert outcome.failure.owner is Owner.MERCH


def test_429_is_throttled_with_its_wait():
    assert judged(429, body=b"", retry_after="7") == Busy(
        reason="too many requests (HTTP 429)", retry_after_s=7, throttled=True
    )
    assert judged(429, {"code": 12}) == Busy(reason="too many requests (HTTP 429)", throttled=True)


def test_a_429_that_nobody_signs_proves_nothing_and_yet_everybody_waits():
    outcome = judged(429, body=b"<html>", retry_after="soon")
    assert isinstance(outcome, Unknown)
    assert outcome.throttled
    assert outcome.bare


#: Answers that no application of HiDream has written.
NOBODYS = (
    b"",
    b"<html>busy</html>",
    b"[]",
    b"{}",
    b'{"code":0}',
    b'{"message":"no route"}',
    b'{"code":"BadGateway"}',
)
WITHOUT_PROOF = (
    *(301, 302, 303, 307, 308, 400, 402, 403, 404, 405, 408, 413, 422, 499),
    *(500, 501, 502, 503, 504, 520),
)


@pytest.mark.parametrize("status", WITHOUT_PROOF)
@pytest.mark.parametrize("body", NOBODYS)
def test_an_answer_that_no_application_wrote_proves_nothing(status, body):
    outcome = judged(status, body=body, retry_after="4")
    assert isinstance(outcome, Unknown)
    assert outcome.bare is (status != 413), "too large is said of one job"
    assert outcome.retry_after_s == 4


@pytest.mark.parametrize("status", [301, 307, 500, 502, 503, 504, 520, 408])
def test_an_own_code_that_no_table_knows_proves_nothing_where_a_gateway_could_have_said_it(status):
    assert isinstance(judged(status, {"code": 12}), Unknown)


@pytest.mark.parametrize("status", [200, 400, 403, 409, 429, 500, 502, 503, 504])
@pytest.mark.parametrize(("code", "kind"), [(2004, Busy), (2007, Paused), (2031, Paused), (1051, Refused)])
def test_a_code_of_the_tables_counts_under_any_status(status, code, kind):
    assert isinstance(judged(status, {"code": code}), kind)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 404, 400, 413])
def test_a_status_that_is_known_to_be_safe_buys_nothing_whoever_wrote_it(status):
    outcome = judged(status, body=b"<html>", settings=HiDreamSettings(safe_statuses=(status,)))
    assert isinstance(outcome, Busy | Refused)


@pytest.mark.parametrize("status", [404, 405])
def test_an_address_that_hidream_itself_does_not_know_pauses_until_it_does(status):
    outcome = judged(status, {"code": 12})
    assert isinstance(outcome, Paused)
    assert outcome.reason == "vendor"


def test_402_is_about_the_credits():
    outcome = judged(402, {"code": 12})
    assert isinstance(outcome, Paused)
    assert outcome.reason == "credits"


def test_another_4xx_is_final_with_the_code_it_has():
    outcome = judged(400, {"code": 12})
    assert isinstance(outcome, Refused)
    assert (outcome.failure.kind, outcome.failure.code) == ("refused", 12)


def test_half_a_character_in_hidreams_words_changes_nothing_else():
    outcome = judged(200, body=b'{"code":2007,"message":"none \\ud83d left","x\\udc00":["\\ud83d\\ude00"]}')
    assert isinstance(outcome, Paused)
    assert outcome.message == "code 2007 (HTTP 200): none \ufffd left"
    raw = judged(200, body=b'{"code":2007,"message":"none \xed\xa0\xbd left"}')
    assert raw == outcome


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


def polled(status: int, body: bytes, task_id: str = "", **more: Any):
    return poll_outcome(Reply(status=status, body=body, **more), SETTINGS, now_s=NOW_S, task_id=task_id)


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


@pytest.mark.parametrize(
    ("status", "body", "auth"), [(401, b"", True), (403, b'{"code":12}', True), (403, b"<html>", False)]
)
def test_a_poll_with_a_refused_token_says_auth(status, body, auth):
    assert polled(status, body).auth is auth


@pytest.mark.parametrize("place", [{"task_id": "t-2"}, {"result": {"task_id": "t-2"}}, {"main_task_id": 2}])
@pytest.mark.parametrize("status", [200, 404])
def test_a_poll_reply_about_another_task_is_not_believed(place, status):
    done = {"sub_task_results": [{"task_status": 1, "image": "p_2"}]}
    content = {"code": 0, "result": done, **place}
    if "result" in place:
        content["result"] = done | place["result"]
    outcome = polled(status, json.dumps(content).encode(), task_id="t-1")
    assert isinstance(outcome, PollFailed)
    assert outcome.mixed
    assert not outcome.missing


def test_a_poll_reply_that_names_our_task_among_others_or_none_is_believed():
    done = {"sub_task_results": [{"task_status": 1, "image": "p_1"}]}
    for names in ({}, {"task_id": "T-1"}, {"task_id": "sub-7", "main_task_id": "t-1"}):
        outcome = polled(200, json.dumps({"code": 0, "result": done | names}).encode(), task_id="t-1")
        assert outcome == Ended(pictures=("p_1",))


def test_a_code_for_a_bad_token_says_auth_on_a_poll_too():
    settings = HiDreamSettings(pause_codes={3001: "token"})
    outcome = poll_outcome(Reply(status=200, body=b'{"code":3001}'), settings, now_s=NOW_S)
    assert outcome.auth
