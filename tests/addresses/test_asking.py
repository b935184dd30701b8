"""What is at an address: real answers of a real server, and no connection to where none may lead."""

import asyncio
import shutil
import ssl
import subprocess

import pytest

from jobs.addresses.asking import Asker, AskLimits
from jobs.addresses.findings import Busy
from tests.ports import free_port
from tests.raw_server import RawServer

JPEG = b"\xff\xd8\xff\xe0" + b"picture" * 20
HTML = b"<!DOCTYPE html><title>Sign in</title>"
CANARY = "X-Amz-Signature=canary"


def ask(url, *, allowed=lambda _: True, timeout_s=20.0, slow_s=20.0, ssl_context=None):
    async def asked():
        limits = AskLimits(max_bytes=1000, timeout_s=timeout_s, slow_s=slow_s)
        asker = Asker(limits, connections=2, allowed=allowed, ssl_context=ssl_context)
        try:
            return await asker.ask(url)
        finally:
            await asker.aclose()

    return asyncio.run(asked())


def answers(head, get=None):
    """A server's answer to HEAD and to GET: status, headers, and for GET a body."""

    def answer(wire, heard):
        status, headers, *body = head if heard.method == "HEAD" or get is None else get
        content = body[0] if body else b""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        if "Content-Length" not in headers:
            lines += f"Content-Length: {len(content)}\r\n"
        wire.say(
            f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + (b"" if heard.method == "HEAD" else content)
        )

    return answer


def found(head, get=None):
    with RawServer(answers(head, get)) as server:
        finding = ask(f"{server.url}/p.jpg?{CANARY}")
        heard = [each.method for each in server.heard]
        assert all(each.target == f"/p.jpg?{CANARY}" for each in server.heard), "signed letter for letter"
    return finding, heard


def picture(length=400, kind="image/jpeg"):
    return 200, {"Content-Type": kind, "Content-Length": length}


NO_HEAD = (405, {})


def first(content, total=400):
    return 206, {"Content-Range": f"bytes 0-511/{total}"}, content


def test_a_head_that_names_a_picture_and_its_size_is_enough():
    finding, heard = found(picture())
    assert (finding.kind, heard) == ("ok", ["HEAD"])


@pytest.mark.parametrize(
    ("get", "kind", "words"),
    [
        (first(JPEG), "ok", ""),
        ((200, {}, JPEG), "ok", ""),
        (first(b"\x89PNG\r\n\x1a\n123"), "ok", ""),
        (first(b"RIFF\0\0\0\0WEBPVP8 "), "ok", ""),
        (first(JPEG, 1001), "too_large", "the picture has 1,001 bytes"),
        ((404, {}), "not_found", "nothing at the address (HTTP 404)"),
        ((410, {}), "not_found", "HTTP 410"),
        ((401, {}), "forbidden", "HTTP 401"),
        ((403, {}, HTML), "forbidden", "HiDream needs a public address"),
        ((416, {}), "not_a_picture", "empty"),
        ((200, {}, b""), "not_a_picture", "empty"),
        ((400, {}), "refused", "HTTP 400"),
        ((500, {}), "server_error", "HTTP 500"),
        ((503, {}), "server_error", "HTTP 503"),
        (first(HTML), "not_a_picture", "a web page"),
        (first(b"\xef\xbb\xbf\n <html>"), "not_a_picture", "a web page"),
        (first(b'{"error": 1}'), "not_a_picture", "JSON"),
        (first(b"%PDF-1.7"), "not_a_picture", "a PDF"),
        (first(b"\0\0\0\x18ftypmp42"), "not_a_picture", "a video"),
        (first(b"what"), "not_a_picture", "something else"),
        (first(b"GIF89a"), "other_kind", "GIF"),
        (first(b"\0\0\0\x18ftypavif"), "other_kind", "AVIF"),
        (first(b"\0\0\0\x18ftypheic"), "other_kind", "HEIC"),
    ],
    ids=str,
)
def test_the_first_bytes_tell_where_head_is_refused(get, kind, words):
    finding, heard = found(NO_HEAD, get)
    assert (finding.kind, heard) == (kind, ["HEAD", "GET"])
    assert words in finding.words


@pytest.mark.parametrize(
    "head",
    [
        picture(kind="application/octet-stream"),
        picture(kind="text/html"),
        picture(length=0),
        (404, {}),
        (403, {}),
        (501, {}),
        (500, {}),
    ],
    ids=str,
)
def test_a_head_that_tells_nothing_or_may_be_wrong_is_no_finding(head):
    assert found(head, first(JPEG)) == (found(picture())[0], ["HEAD", "GET"])


def test_only_the_first_bytes_are_asked_for_and_read():
    def endless(wire, heard):
        if heard.method == "HEAD":
            wire.answer(405)
            return
        assert heard.headers["range"] == "bytes=0-511"
        wire.say(b"HTTP/1.1 200 X\r\nContent-Length: 1000000000000\r\n\r\n" + JPEG)
        wire.drip(JPEG)

    with RawServer(endless) as server:
        assert ask(f"{server.url}/p.jpg").kind == "too_large"


def test_a_host_that_hangs_up_or_keeps_silent_at_head_is_asked_for_the_picture():
    def silent(wire, heard):
        wire.hang() if heard.method == "HEAD" else wire.answer(200, JPEG)

    def gone(wire, heard):
        wire.close() if heard.method == "HEAD" else wire.answer(200, JPEG)

    with RawServer(gone) as server:
        assert ask(f"{server.url}/p.jpg").kind == "ok"
    with RawServer(silent) as server:
        assert ask(f"{server.url}/p.jpg", timeout_s=6).kind == "ok"


def test_a_picture_that_comes_too_late_or_slowly_is_told():
    with RawServer(lambda wire, _: wire.hang()) as server:
        finding = ask(f"{server.url}/p.jpg", timeout_s=0.5)
    assert (finding.kind, finding.words) == ("timeout", "no answer within 0.5 s")
    with RawServer(answers(picture())) as server:
        assert ask(f"{server.url}/p.jpg", slow_s=0).kind == "slow"


@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_wants_to_be_asked_later_is_heard(status):
    assert found((status, {"Retry-After": "7"}))[0] == Busy(wait_s=7)
    assert found((status, {"Retry-After": "999999"}))[0] == Busy(wait_s=120)
    assert found((status, {"Retry-After": "soon"}))[0] == Busy(wait_s=5)
    assert found((status, {"Retry-After": "Fri, 01 Jan 2021 00:00:00 GMT"}))[0] == Busy(wait_s=0)


def test_a_redirect_is_followed_and_told():
    def moved(wire, heard):
        if heard.target.startswith("/new"):
            wire.answer(200, b"", Content_Type="text/html") if heard.method == "HEAD" else wire.answer(
                200, JPEG
            )
        else:
            wire.answer(302, Location=f"/new?{CANARY}")

    with RawServer(moved) as server:
        finding = ask(f"{server.url}/p.jpg")
        assert finding.kind == "redirected"
        assert f"leads on to “{server.url}”" in finding.words
        assert "canary" not in finding.words


def test_a_redirect_to_a_page_says_where_it_leads():
    def moved(wire, heard):
        wire.answer(200, HTML) if heard.target == "/login" else wire.answer(302, Location="/login")

    with RawServer(moved) as server:
        finding = ask(f"{server.url}/p.jpg")
    assert (finding.kind, "a web page" in finding.words, server.url in finding.words) == (
        "not_a_picture",
        True,
        True,
    )


@pytest.mark.parametrize(
    ("location", "words"),
    [("/p.jpg", "more than 5 times"), ("file:///etc/passwd", "http(s)"), ("ftp://127.0.0.1/x", "http(s)")],
)
def test_a_redirect_in_a_circle_or_to_no_web_address_ends(location, words):
    with RawServer(lambda wire, _: wire.answer(301, Location=location)) as server:
        finding = ask(f"{server.url}/p.jpg")
    assert (finding.kind, words in finding.words) == ("redirects", True)


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost", "[::1]", "169.254.169.254"])
def test_nobody_is_led_into_a_private_network(host):
    def outside(address):
        return address == "127.0.0.1"

    with RawServer(answers(picture())) as inside:
        where = f"http://{host}:{inside.port}/p.jpg"
        blocked = (lambda _address: False) if host == "localhost" else outside
        assert ask(where, allowed=blocked).kind == "private"
        if host != "localhost":
            with RawServer(lambda wire, _: wire.answer(302, Location=where)) as server:
                assert ask(f"{server.url}/p.jpg", allowed=outside).kind == "private"
        assert inside.connections == 0


def test_without_a_word_of_its_own_only_public_addresses_are_connected_to():
    with RawServer(answers(picture())) as server:
        assert ask(f"{server.url}/p.jpg", allowed=None).kind == "private"
        assert server.connections == 0


def test_a_host_that_is_not_there_is_told():
    port = free_port()
    finding = ask(f"http://127.0.0.1:{port}/p.jpg")
    assert (finding.kind, finding.words) == (
        "unreachable",
        "the host takes no connection: Connection refused",
    )
    finding = ask("http://nowhere.invalid/p.jpg")
    assert (finding.kind, finding.words) == ("dns", "there is no host “nowhere.invalid”")


@pytest.mark.parametrize("url", ["http://[::1/p.jpg", "http://a:99999/p.jpg", "http:///p.jpg"])
def test_an_address_that_is_none_is_told(url):
    assert ask(url).kind == "refused"


def test_letters_outside_ascii_are_asked_for_as_browsers_do():
    with RawServer(answers(picture())) as server:
        assert ask(f"{server.url}/上衣 é.jpg".replace(" ", "%20")).kind == "ok"
        assert server.heard[0].target == "/%E4%B8%8A%E8%A1%A3%20%C3%A9.jpg"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_that_nobody_trusts_is_told(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    kind = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=localhost"
    command = f"openssl req -x509 {kind} -nodes -days 2 -keyout {key} -out {certificate}"
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with RawServer(answers(picture()), tls=context) as server:
        finding = ask(f"{server.url}/p.jpg")
        assert (finding.kind, "certificate cannot be trusted: self-signed" in finding.words) == ("tls", True)
    with RawServer(answers(picture())) as server:
        assert ask(f"https://127.0.0.1:{server.port}/p.jpg", timeout_s=5).kind in {
            "tls",
            "unreachable",
            "timeout",
        }
