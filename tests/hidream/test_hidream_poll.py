import asyncio
import json
import logging
import socket
import threading

import pytest
import uvloop

from tests.raw_server import RawServer, raw, says
from worker.hidream.client import HiDreamClient
from worker.hidream.outcomes import Ended, Pending, PollFailed

DONE = says({"code": 0, "result": {"sub_task_results": [{"task_status": 1, "image": "p_1"}]}})


@pytest.fixture
def poll(settings_for, tokens_for, tls):
    """Asks `times` times at once or one after the other, with one client."""

    def ask(server, times=1, *, at_once=False, credentials=None, expected=1, **more):
        settings = settings_for(server.url, **more)
        tokens = tokens_for(settings, **(credentials or {}))

        async def run():
            client = HiDreamClient(settings, tokens, tls)
            try:
                asked = [client.results("t/1&", expected=expected) for _ in range(times)]
                if at_once:
                    return await asyncio.gather(*asked)
                return [await each for each in asked]
            finally:
                await client.aclose()

        # As the collect process has it.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run())

    return ask


def test_a_poll_asks_for_the_task_with_our_token(poll):
    with RawServer(DONE) as server:
        assert poll(server) == [Ended(pictures=("p_1",))]
    [heard] = server.heard
    assert heard.target == "/api-pub/ec/v3/image/vton/async/results?task_id=t%2F1%26"
    assert heard.headers["authorization"].startswith("Bearer sk-canary")


def test_polls_one_after_the_other_share_a_connection(poll):
    with RawServer(DONE) as server:
        assert len(poll(server, 5)) == 5
    assert server.connections == 1


def test_many_polls_at_once_use_at_most_32_connections(poll):
    with RawServer(DONE) as server:
        assert poll(server, 100, at_once=True) == [Ended(pictures=("p_1",))] * 100
    assert server.connections <= 32


def test_waiting_for_a_connection_counts_as_waiting(poll):
    with RawServer(lambda wire, _: wire.hang()) as server:
        found = poll(server, 40, at_once=True, poll_timeout_s=0.4)
    assert found == [PollFailed(reason="no answer within 0.4 s")] * 40


@pytest.mark.parametrize(
    "fault",
    [
        lambda wire, _: (wire.say(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"), wire.close()),
        raw(500),
        raw(502, b"<html>"),
        raw(200, b"<html>"),
        raw(200),
        raw(200, b" " * 1_500_000),
        raw(200, b"x", Content_Encoding="gzip"),
        raw(302, Location="http://127.0.0.1:9/"),
        says({"code": 99, "message": "who knows"}),
    ],
)
def test_a_poll_without_an_answer_is_transient_and_the_next_one_works(poll, fault):
    with RawServer(fault, DONE) as server:
        first, second = poll(server, 2)
    assert isinstance(first, PollFailed)
    assert not first.auth
    assert not first.missing
    assert second == Ended(pictures=("p_1",))


@pytest.mark.parametrize("fault", [lambda wire, _: wire.reset(), lambda wire, _: wire.close()])
def test_a_poll_whose_connection_ends_without_a_word_is_sent_once_more_at_once(poll, fault):
    with RawServer(fault, fault, DONE) as server:
        first, second = poll(server, 2)
    assert isinstance(first, PollFailed)
    assert second == Ended(pictures=("p_1",))
    assert len(server.heard) == 3


@pytest.mark.parametrize(
    "fault",
    [
        lambda wire, _: wire.hang(),
        lambda wire, _: (wire.say(b"HTTP/1.1 200 OK\r\n"), wire.drip(b"X-A: b\r\n")),
        lambda wire, _: (wire.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"), wire.drip(b" ")),
    ],
)
def test_a_poll_ends_with_its_deadline(poll, fault):
    # None of them ever ends: that this does is the proof.
    with RawServer(fault) as server:
        [outcome] = poll(server, poll_timeout_s=0.3)
    assert outcome == PollFailed(reason="no answer within 0.3 s")


def test_an_unknown_task_is_missing(poll):
    with RawServer(raw(404)) as server:
        [outcome] = poll(server)
    assert outcome.missing


def test_a_throttled_poll_says_how_long_though_its_body_is_cut_off(poll):
    cut = b"HTTP/1.1 429 X\r\nRetry-After: 3\r\nContent-Length: 100\r\n\r\n{"
    with RawServer(lambda wire, _: (wire.say(cut), wire.close())) as server:
        [outcome] = poll(server)
    assert outcome.retry_after_s == 3


def test_a_server_that_is_away_is_transient(poll):
    with RawServer(DONE) as server:
        pass
    [outcome] = poll(server)
    assert isinstance(outcome, PollFailed)


def test_a_task_is_not_over_before_all_its_sub_tasks_are_listed(poll):
    with RawServer(DONE) as server:
        assert poll(server, expected=2) == [
            Pending(progress=1.0, so_far=Ended(pictures=("p_1",)), incomplete=True)
        ]


# -- answers to something else -------------------------------------------------------------------------------

OTHER_RESULT = {"task_id": "t-2", "sub_task_results": [{"task_status": 1, "image": "p_2"}]}


def test_an_answer_about_another_task_is_not_believed_and_ends_its_connection(poll):
    with RawServer(says({"code": 0, "result": OTHER_RESULT}), DONE) as server:
        first, second = poll(server, 2)
    assert isinstance(first, PollFailed)
    assert second == Ended(pictures=("p_1",))
    assert [heard.connection for heard in server.heard] == [0, 1]


MORE_BODY = json.dumps({"code": 0, "result": OTHER_RESULT | {"task_id": ""}}).encode()
MORE = f"HTTP/1.1 200 X\r\nContent-Length: {len(MORE_BODY)}\r\n\r\n".encode() + MORE_BODY


def together(wire, heard):
    """Two answers to one request, in one segment; over TLS in two records."""
    wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    DONE(wire, heard)
    wire.say(MORE)
    wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)


def test_bytes_behind_an_answer_do_not_answer_the_next_poll(poll):
    with RawServer(together, DONE) as server:
        assert poll(server, 2) == [Ended(pictures=("p_1",))] * 2
    assert server.connections == 2


def test_bytes_that_come_while_the_connection_rests_do_not_answer_the_next_poll(
    settings_for, tokens_for, tls
):
    resting, came = threading.Event(), threading.Event()

    def late(wire, heard):
        DONE(wire, heard)
        assert resting.wait(10)
        wire.say(MORE)
        came.set()

    async def run(url):
        settings = settings_for(url)
        client = HiDreamClient(settings, tokens_for(settings), tls)
        first = await client.results("t-1")
        resting.set()
        assert await asyncio.to_thread(came.wait, 10)
        second = await client.results("t-1")
        await client.aclose()
        return [first, second]

    with RawServer(late, DONE) as server:
        assert asyncio.run(run(server.url)) == [Ended(pictures=("p_1",))] * 2
    assert server.connections == 2


@pytest.mark.parametrize("refusal", [raw(401), says({"code": 12}, 403)])
def test_a_given_token_that_is_refused_says_auth(poll, refusal):
    with RawServer(refusal) as server:
        [outcome] = poll(server)
    assert outcome.auth
    assert len(server.heard) == 1


def test_a_refused_token_is_renewed_once_for_all_polls_under_way(poll):
    tokens = iter(("token-1", "token-2", "token-3"))
    first_refusals = threading.Barrier(8, timeout=10)

    def answer(wire, heard):
        if heard.target == "/token":
            wire.answer_json({"code": 0, "result": {"token": next(tokens), "expire_time": "2999-01-01"}})
        elif heard.headers["authorization"] == "Bearer token-1":
            first_refusals.wait()
            wire.answer(401)
        else:
            wire.answer_json({"code": 0, "result": {"sub_task_results": []}})

    with RawServer(answer) as server:
        found = poll(server, 8, at_once=True, credentials={"api_key": "key-1"})
    assert found == [Pending(queued=True)] * 8
    assert sum(heard.target == "/token" for heard in server.heard) == 2


def test_no_log_line_has_an_address_or_a_token(poll, caplog):
    with caplog.at_level(logging.DEBUG), RawServer(DONE) as server:
        poll(server)
    assert "task_id" not in caplog.text
    assert "sk-canary" not in caplog.text


# -- odd servers ---------------------------------------------------------------------------------------------


def test_long_and_many_headers_are_no_error(poll):
    many = b"".join(b"X-%d: y\r\n" % number for number in range(300))

    def answer(wire, heard):
        body = json.dumps(
            {"code": 0, "result": {"sub_task_results": [{"task_status": 1, "image": "p_1"}]}}
        ).encode()
        head = b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 20_000 + b"\r\n" + many
        wire.say(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    with RawServer(answer) as server:
        assert poll(server) == [Ended(pictures=("p_1",))]


def test_a_status_counts_though_its_body_never_ends(poll):
    def answer(wire, _):
        wire.say(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
        wire.hang()

    with RawServer(answer) as server:
        [outcome] = poll(server, poll_timeout_s=1)
    assert isinstance(outcome, PollFailed)
    assert outcome.missing


def test_a_server_that_talks_unasked_is_not_called_again_and_again(poll):
    def greet(wire):
        wire.say(b"HTTP/1.1 503 Too many\r\n\r\n")
        return True

    with RawServer(lambda wire, _: wire.hang(), on_connect=greet) as server:
        outcomes = poll(server, 5, poll_timeout_s=1)
    assert all(isinstance(outcome, PollFailed) for outcome in outcomes)
    assert server.connections <= 5 * 4
