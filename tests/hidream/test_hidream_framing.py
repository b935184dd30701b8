"""Where a reply ends on its connection, whatever pieces it comes in."""

import pytest

from worker.hidream.framing import ReplyFraming

LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No\r\nA: b\r\n\r\n"


@pytest.mark.parametrize("step", [1, 7, 65_536])
@pytest.mark.parametrize("more", [b"", b"x", b"\r\n", b"0\r\n\r\n", LONG])
@pytest.mark.parametrize(
    "reply",
    [
        LONG,
        b"HTTP/1.1 200 OK\r\nX: y\r\ncontent-length:2\r\nA: b\r\n\r\nab",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n" + LONG,
        EMPTY,
        b"HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n",
        CHUNKED + b"2;a=b\r\nab\r\nA\r\n0123456789\r\n0\r\n\r\n",
        CHUNKED + b"2\r\nab\r\n0\r\nA: trailer\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"\n" * 3_000_000,
        CHUNKED + b"4\r\n\r\n\r\n\r\n0\r\n\r\n",
        CHUNKED.lower().replace(b"http/1.1", b"HTTP/1.1") + b"0\r\n\r\n",
    ],
)
def test_a_reply_is_heard_to_its_end_and_nothing_behind_it(reply: bytes, more: bytes, step: int) -> None:
    framing, heard, came = ReplyFraming(), b"", reply + more
    step = step if len(came) < 10_000 else 65_536
    for start in range(0, len(came), step):
        heard += framing.take(came[start : start + step])
    assert heard == reply
    assert framing.clean is not bool(more)


@pytest.mark.parametrize(
    "came",
    [
        b"",
        LONG[:-1],
        b"HTTP/1.1 200 OK\r\n\r\nuntil it closes",
        CHUNKED + b"2\r\nab\r\n0\r\n",
        CHUNKED + b"2\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"what\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1e9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * 100_000,
        b"SSH-2.0-what\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" + b" " * 4_999_999,
    ],
)
def test_where_the_end_is_not_told_or_not_there_all_is_heard_and_the_connection_not_kept(came: bytes) -> None:
    framing = ReplyFraming()
    pieces = [came[start : start + 65_536] for start in range(0, len(came), 65_536)]
    assert b"".join(map(framing.take, pieces)) == came
    assert not framing.clean
