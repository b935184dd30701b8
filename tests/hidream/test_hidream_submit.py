import base64
import contextlib
import hashlib
import json
import os
import socket
import threading
import time

import pytest

from jobs.records import LocalFile, Slot
from tests.raw_server import RawServer, accepted, raw, says
from worker.hidream.outcomes import Accepted, Busy, NotSent, Paused, Refused, Unknown
from worker.hidream.wire import Base64, submit_body
from worker.submit.bodies import StreamedFile

CANARY = "sk-canary-0123456789"
BODY = submit_body([(Slot.PERSON, "https://a/p.jpg"), (Slot.DRESS, "https://a/d.jpg")], request_id="r-1")
BIG = submit_body([(Slot.PERSON, Base64(text=b"QUJD" * 5_000_000)), (Slot.DRESS, "https://a/d.jpg")])


def test_an_accepted_job_names_its_task(submitter):
    with RawServer(accepted("t-9", "s-1")) as server:
        assert submitter(server.url).submit(BODY) == Accepted(task_id="t-9", sub_task_ids=("s-1",))
    [heard] = server.heard
    assert (heard.method, heard.target) == ("POST", "/api-pub/ec/v3/image/vton/async")
    assert heard.headers["authorization"] == f"Bearer {CANARY}"
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["accept-encoding"] == "identity"
    assert "transfer-encoding" not in heard.headers
    assert heard.json == {"person": "https://a/p.jpg", "dress": "https://a/d.jpg", "request_id": "r-1"}


def test_one_connection_carries_job_after_job(submitter):
    with RawServer(accepted("t-1"), accepted("t-2"), accepted("t-3")) as server:
        client = submitter(server.url)
        assert [client.submit(body).task_id for body in (BODY, BIG, BODY)] == ["t-1", "t-2", "t-3"]
    assert server.connections == 1
    assert len(server.heard[1].json["person"]) == 20_000_000


def test_a_connection_the_server_has_closed_is_not_used_again(submitter):
    closed = threading.Event()

    def answer_and_close(wire, _heard):
        wire.answer_json({"code": 0, "result": {"task_id": "t-1"}})
        wire.close()
        closed.set()

    with RawServer(answer_and_close, accepted("t-2")) as server:
        client = submitter(server.url)
        client.submit(BODY)
        assert closed.wait(60)
        assert client.submit(BODY) == Accepted(task_id="t-2")
    assert server.connections == 2


def test_a_refused_connection_sends_nothing(submitter):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert isinstance(submitter(f"http://127.0.0.1:{port}").submit(BODY), NotSent)


def test_a_name_that_is_no_name_sends_nothing(submitter):
    assert isinstance(submitter("http://a..b").submit(BODY), NotSent)
    assert isinstance(submitter(f"http://{'x' * 70}.invalid").submit(BODY), NotSent)


def test_a_failed_tls_handshake_sends_nothing(submitter):
    def plain(wire):
        wire.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        wire.hang()
        return False

    with RawServer(on_connect=plain) as server:
        assert isinstance(submitter(server.url.replace("http:", "https:")).submit(BODY), NotSent)


def test_a_tls_handshake_that_never_answers_sends_nothing(submitter):
    def mute(wire):
        wire.hang()
        return False

    with RawServer(on_connect=mute) as server:
        client = submitter(server.url.replace("http:", "https:"), connect_timeout_s=0.2)
        assert isinstance(client.submit(BODY), NotSent)


def test_a_reset_while_the_body_is_on_its_way_sends_no_job(submitter):
    class Hasty(RawServer):
        def _serve(self, sock, number):
            sock.recv(1000)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()

    with Hasty() as server:
        assert isinstance(submitter(server.url).submit(BIG), NotSent)


@pytest.mark.parametrize("size", [16_000_000, 1000], ids=["other", "shorter"])
def test_a_picture_that_changes_while_it_is_sent_is_not_sent_whole(submitter, tmp_path, size):
    path = tmp_path / "p.jpg"
    path.write_bytes(b"planned!" * 2_000_000)
    person = LocalFile(path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    streamed = StreamedFile(source=person, size=16_000_000)
    body = submit_body([(Slot.PERSON, streamed), (Slot.DRESS, "https://a/d.jpg")])
    read = []

    def change(wire):
        read.append(wire.sock.recv(1000))
        # In place: whoever reads it has the same file open.
        with path.open("r+b") as file:
            file.truncate(size)
            file.seek(size - 1000)
            file.write(b"another")
        with contextlib.suppress(OSError):
            while more := wire.sock.recv(1_000_000):
                read.append(more)
        return False

    with RawServer(on_connect=change) as server:
        outcome = submitter(server.url).submit(body)
    assert isinstance(outcome, NotSent)
    assert sum(map(len, read)) < body.length


def test_a_picture_that_is_gone_when_it_shall_be_sent_is_not_sent(submitter, tmp_path):
    gone = LocalFile(path=str(tmp_path / "p.jpg"), sha256="0" * 64)
    with RawServer(accepted("t-9")) as server:
        body = submit_body([(Slot.PERSON, StreamedFile(source=gone, size=1000))])
        assert isinstance(submitter(server.url).submit(body), NotSent)


def test_a_streamed_picture_arrives_as_it_is(submitter, tmp_path):
    content = os.urandom(2_000_001)
    (tmp_path / "p.jpg").write_bytes(content)
    person = LocalFile(path=str(tmp_path / "p.jpg"), sha256=hashlib.sha256(content).hexdigest())
    streamed = StreamedFile(source=person, size=len(content))
    body = submit_body([(Slot.PERSON, streamed), (Slot.DRESS, streamed)], request_id="r-1")
    with RawServer(accepted("t-9")) as server:
        assert submitter(server.url).submit(body).task_id == "t-9"
    [heard] = server.heard
    assert [base64.b64decode(heard.json[slot]) == content for slot in ("person", "dress")] == [True, True]
    assert heard.headers["content-length"] == str(body.length)
    assert "transfer-encoding" not in heard.headers


def test_a_body_nobody_reads_sends_no_job(submitter):
    silent = threading.Event()

    def deaf(_wire):
        silent.wait(10)
        return False

    with RawServer(on_connect=deaf) as server:
        outcome = submitter(server.url, submit_timeout_s=0.3).submit(BIG)
        silent.set()
    assert isinstance(outcome, NotSent)


def test_a_body_read_by_drops_ends_with_the_deadline(submitter):
    def sip(wire):
        with contextlib.suppress(OSError):
            while wire.sock.recv(4096):
                threading.Event().wait(0.005)
        return False

    # At this pace it would be read for minutes: that this ends is the proof.
    with RawServer(on_connect=sip) as server:
        client = submitter(server.url, submit_timeout_s=0.3)
        outcome = client.submit(BIG)
        client.aclose()
    assert isinstance(outcome, NotSent)


@pytest.mark.parametrize(
    "fault",
    [
        lambda wire, _: wire.reset(),
        lambda wire, _: wire.close(),
        lambda wire, _: (wire.say(b"HTTP/1.1 20"), wire.close()),
        lambda wire, _: (wire.say(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"), wire.close()),
        lambda wire, _: (wire.say(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"), wire.reset()),
        lambda wire, _: (wire.say(b"SSH-2.0-what\r\n"), wire.close()),
        raw(500),
        raw(502, b"<html>bad gateway</html>"),
        raw(503),
        raw(504),
        raw(429),
        raw(404),
        raw(200),
        raw(200, b"<html>welcome</html>"),
        raw(200, b'{"code":0,"result":{"task_'),
        raw(200, b" " * 1_500_000),
        raw(200, b'{"code":0,"result":{"task_id":"t"}}', Content_Encoding="gzip"),
        says({"code": 0, "message": "ok"}),
        says({"code": 0, "result": {"task_id": ""}}),
    ],
)
def test_a_job_that_went_out_without_a_clear_answer_is_unknown(submitter, fault):
    with RawServer(fault) as server:
        assert isinstance(submitter(server.url).submit(BODY), Unknown)
    assert len(server.heard) == 1


@pytest.mark.parametrize(
    "fault",
    [
        lambda wire, _: wire.hang(),
        lambda wire, _: (wire.say(b"HTTP/1.1 200 OK\r\n"), wire.drip(b"X-A: b\r\n")),
        lambda wire, _: wire.drip(b"HTTP/1.1 100 Continue\r\n\r\n"),
        lambda wire, _: (wire.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"), wire.drip(b" ")),
    ],
)
def test_an_answer_that_never_ends_is_unknown_when_the_whole_time_is_over(submitter, fault):
    # None of them ever ends: that this does is the proof. A busy machine may not even send the body in the shortest time.
    for timeout_s in (0.3, 3, 30):
        began = time.monotonic()
        with RawServer(fault) as server:
            client = submitter(server.url, submit_timeout_s=timeout_s)
            outcome = client.submit(BODY)
            client.aclose()
        assert time.monotonic() - began > 0.8 * timeout_s
        if not isinstance(outcome, NotSent):
            break
    assert isinstance(outcome, Unknown)


def test_an_endless_reply_is_left_after_a_megabyte(submitter):
    def pour(wire, _heard):
        wire.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                wire.sock.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")

    with RawServer(pour) as server:
        assert submitter(server.url).submit(BODY) == Unknown(reason="a reply of more than 1 MB")


def test_the_client_goes_on_after_an_unknown(submitter):
    with RawServer(lambda wire, _: wire.reset(), accepted("t-2")) as server:
        client = submitter(server.url)
        assert isinstance(client.submit(BODY), Unknown)
        assert client.submit(BODY) == Accepted(task_id="t-2")


def test_a_429_with_its_wait_buys_nothing(submitter):
    date = {"Retry_After": "Wed, 15 Nov 2023 12:00:30 GMT", "Date": "Wed, 15 Nov 2023 12:00:00 GMT"}
    with RawServer(raw(429, Retry_After="7"), raw(429, **date)) as server:
        client = submitter(server.url)
        found = [client.submit(BODY) for _ in range(2)]
    assert all(isinstance(each, Busy) for each in found)
    assert [(each.throttled, each.retry_after_s) for each in found] == [(True, 7), (True, 30)]


def test_a_status_counts_though_its_body_is_cut_off(submitter):
    cut = b"HTTP/1.1 429 X\r\nRetry-After: 3\r\nContent-Length: 100\r\n\r\n{"
    with RawServer(lambda wire, _: (wire.say(cut), wire.close())) as server:
        assert submitter(server.url).submit(BODY) == Busy(
            reason="too many requests (HTTP 429)", retry_after_s=3, throttled=True
        )


@pytest.mark.parametrize("safe", [(), (413,)])
def test_413_is_heard_while_the_body_is_still_on_its_way_and_no_more_of_it_leaves(submitter, safe):
    read = []

    def early(wire):
        wire.hear_head()
        wire.answer(413, Connection="close")
        with contextlib.suppress(OSError):
            while part := wire.sock.recv(65536):
                read.append(len(part))
        return False

    with RawServer(on_connect=early) as server:
        outcome = submitter(server.url, safe_statuses=safe).submit(BIG)
    assert isinstance(outcome, Refused)
    assert f"{BIG.length:,} bytes" in outcome.failure.message
    assert sum(read) < BIG.length - 1_000_000, "that is the proof"


def test_413_from_whoever_has_the_whole_body_is_unknown(submitter):
    with RawServer(raw(413)) as server:
        client = submitter(server.url)
        assert [type(client.submit(body)) for body in (BODY, BIG)] == [Unknown, Unknown]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"code": 2004}, Busy),
        ({"code": 2007, "message": "No credits available"}, Paused),
        ({"code": 2031}, Paused),
        ({"code": 1051}, Refused),
        ({"code": 77}, Refused),
    ],
)
def test_codes_are_judged_by_the_table(submitter, content, kind):
    with RawServer(says(content)) as server:
        assert isinstance(submitter(server.url).submit(BODY), kind)


# -- answers to something else -------------------------------------------------------------------------------

ANOTHER = {"code": 0, "request_id": "r-2", "result": {"task_id": "t-2"}}


def test_an_answer_to_another_request_is_unknown_and_ends_its_connection(submitter):
    with RawServer(says(ANOTHER), accepted("t-1")) as server:
        client = submitter(server.url)
        outcome = client.submit(BODY, "r-1")
        assert isinstance(outcome, Unknown)
        assert "t-2" in outcome.reason
        assert client.submit(BODY, "r-1") == Accepted(task_id="t-1")
    assert [heard.connection for heard in server.heard] == [0, 1]


def surplus_with(first, more):
    """The first answer with more bytes behind it, in one piece."""

    def answer(wire, _heard):
        body = json.dumps(first).encode()
        head = f"HTTP/1.1 200 X\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        wire.say(head + body + more)

    return answer


FIRST = {"code": 0, "result": {"task_id": "t-1"}}
MORE = b'HTTP/1.1 200 X\r\nContent-Length: 13\r\n\r\n{"code":1051}'


@pytest.mark.parametrize("more", [MORE, b"\r\n", b"x"])
def test_bytes_behind_an_answer_do_not_answer_the_next_job(submitter, more):
    with RawServer(surplus_with(FIRST, more), accepted("t-2")) as server:
        client = submitter(server.url)
        assert [client.submit(BODY), client.submit(BODY)] == [
            Accepted(task_id="t-1"),
            Accepted(task_id="t-2"),
        ]
    assert server.connections == 2


def test_bytes_that_come_while_the_connection_rests_do_not_answer_the_next_job(submitter):
    resting, came = threading.Event(), threading.Event()

    def late(wire, heard):
        accepted("t-1")(wire, heard)
        assert resting.wait(10)
        wire.say(MORE)
        came.set()

    with RawServer(late, accepted("t-2")) as server:
        client = submitter(server.url)
        assert client.submit(BODY) == Accepted(task_id="t-1")
        resting.set()
        assert came.wait(10)
        assert client.submit(BODY) == Accepted(task_id="t-2")
    assert server.connections == 2


def test_an_error_of_our_own_after_the_answer_is_unknown_and_keeps_the_task_it_named(submitter, monkeypatch):
    def broken(*_args, **_more):
        raise KeyError("ours")

    monkeypatch.setattr("worker.hidream.client.submit_outcome", broken)
    with RawServer(accepted("t-77")) as server:
        outcome = submitter(server.url).submit(BODY)
    assert isinstance(outcome, Unknown)
    assert "t-77" in outcome.reason


@pytest.mark.parametrize("status", [401, 403])
def test_a_given_token_that_is_refused_pauses_after_one_post(submitter, status):
    with RawServer(says({"code": 1, "message": f"no such token {CANARY}"}, status)) as server:
        outcome = submitter(server.url).submit(BODY)
    assert isinstance(outcome, Paused)
    assert outcome.reason == "token"
    assert len(server.heard) == 1


def exchange_and_submit(good: str):
    count = iter(range(1, 100))

    def answer(wire, heard):
        if heard.target == "/token":
            wire.answer_json(
                {"code": 0, "result": {"token": f"token-{next(count)}", "expire_time": "2999-01-01"}}
            )
        elif heard.headers["authorization"] == f"Bearer {good}":
            wire.answer_json({"code": 0, "result": {"task_id": "t"}})
        else:
            wire.answer(401)

    return answer


def test_an_exchanged_token_that_is_refused_is_renewed_and_the_job_sent_again(submitter):
    with RawServer(exchange_and_submit("token-2")) as server:
        client = submitter(server.url, {"api_key": "key-1"})
        assert client.submit(BODY) == Accepted(task_id="t")
        assert client.submit(BODY) == Accepted(task_id="t")
    assert [heard.method for heard in server.heard] == ["GET", "POST", "GET", "POST", "POST"]
    assert {heard.headers.get("api-key") for heard in server.heard if heard.method == "GET"} == {"key-1"}
    assert all("api-key" not in heard.headers for heard in server.heard if heard.method == "POST")


def test_a_renewed_token_that_is_refused_too_pauses(submitter):
    with RawServer(exchange_and_submit("never")) as server:
        outcome = submitter(server.url, {"api_key": "key-1"}).submit(BODY)
    assert isinstance(outcome, Paused)
    assert outcome.reason == "token"
    assert len(server.heard) == 4


@pytest.mark.parametrize(("status", "kind"), [(401, Paused), (403, Paused), (500, NotSent), (429, NotSent)])
def test_without_a_token_nothing_is_posted(submitter, status, kind):
    with RawServer(raw(status)) as server:
        assert isinstance(submitter(server.url, {"api_key": "key-1"}).submit(BODY), kind)
    assert [heard.method for heard in server.heard] == ["GET"]


def test_a_redirect_is_not_followed(submitter):
    with RawServer(raw(307, Location="http://127.0.0.1:9/elsewhere")) as server:
        outcome = submitter(server.url).submit(BODY)
    assert isinstance(outcome, Unknown)
    assert outcome.bare
    assert len(server.heard) == 1


def test_neither_proxies_nor_cookies_come_between(submitter, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with RawServer(says({"code": 0, "result": {"task_id": "t"}}, Set_Cookie="a=b; Path=/")) as server:
        client = submitter(server.url)
        assert [client.submit(BODY), client.submit(BODY)] == [Accepted(task_id="t")] * 2
    assert all("cookie" not in heard.headers for heard in server.heard)


def test_no_outcome_repeats_the_token(submitter):
    with RawServer(says({"code": 5, "message": f"what is {CANARY}?"})) as server:
        assert CANARY not in repr(submitter(server.url).submit(BODY))


def test_jobs_sent_at_the_same_time_have_connections_of_their_own(submitter):
    all_there = threading.Barrier(3, timeout=60)

    def together(wire, heard):
        all_there.wait()
        accepted()(wire, heard)

    with RawServer(together) as server:
        client = submitter(server.url)
        threads = [threading.Thread(target=client.submit, args=(BODY,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert server.connections == 3
