import asyncio
import errno
import hashlib
import io
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from jobs.config.settings import HiDreamSettings, PictureSettings
from jobs.pictures.store import PictureStore, StoreFullError, place
from jobs.records import Picture
from tests.raw_server import RawServer, raw
from worker.collect.collection import LOGGED
from worker.collect.download import Broken, DiskFull, Downloader, Gone, NotAllowed, NotFetched, Transient
from worker.hidream.session import make_ssl_context

TLS = make_ssl_context()


def picture(kind="JPEG", size=(64, 48), **options):
    made = io.BytesIO()
    noise = hashlib.shake_256(b"noise").digest(size[0] * size[1] * 3)
    Image.frombytes("RGB", size, noise).save(made, kind, **options)
    return made.getvalue()


#: Dot segments are the client's to resolve.
DOTS = re.compile(r"(^|/)\.{1,2}(/|$)")
JPEG, PNG, WEBP = picture("JPEG"), picture("PNG"), picture("WEBP")


def hidream(server_url, **more):
    values = {"base_url": server_url, "image_prefix": f"{server_url}/image/", "connect_timeout_s": 20}
    return HiDreamSettings(**{**values, "download_timeout_s": 60, **more})


@pytest.fixture
def fetch(tmp_path):
    """Fetches addresses one after the other with one downloader; one address gives one outcome."""

    def run(server, *addresses, pictures=None, **more):
        async def go():
            downloader = Downloader(
                hidream=hidream(server.url, **more),
                pictures=PictureSettings(**(pictures or {})),
                store=PictureStore(tmp_path),
                ssl_context=TLS,
            )
            try:
                full = [each if "://" in each or "/" not in each else server.url + each for each in addresses]
                return [await downloader.fetch(each) for each in full]
            finally:
                await downloader.aclose()

        found = asyncio.run(go())
        return found[0] if len(found) == 1 else found

    return run


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(("content", "extension"), [(JPEG, "jpg"), (PNG, "png"), (WEBP, "webp")])
def test_a_picture_is_kept_under_its_content_and_its_real_format(fetch, tmp_path, content, extension):
    with RawServer(raw(200, content)) as server:
        saved = fetch(server, "/a/p_1.jpeg?sig=1")
    digest = hashlib.sha256(content).hexdigest()
    assert saved == Picture(
        name=f"{digest}.{extension}",
        url=f"{server.url}/a/p_1.jpeg?sig=1",
        sha256=digest,
        width=64,
        height=48,
        bytes=len(content),
    )
    kept = place(tmp_path / "pictures", saved.name)
    assert kept == tmp_path / "pictures" / digest[:2] / saved.name
    assert kept.read_bytes() == content
    assert kept.stat().st_mode & 0o777 == 0o600
    assert files(tmp_path / "pictures") == [f"{digest[:2]}/{saved.name}"]


ADDRESSES = [
    *("/", "/a", "//a//b", "/a?", "/?", "/a?b?c", "/a;p=1?q=[1]", "/a/%2e%2E/b", "/%zz%", "/a%2Fb%2fc%20d+e"),
    "/p_1.jpg?X-Amz-Signature=a%2Bb%2F%3D&x=%7e~&y='()*!$;:@,&z=a+b==",
    "/p_1.jpg?Expires=1&Signature=a~b-c_d&Key-Pair-Id=%41%62&%E4%B8%8A=%e4%b8%8b",
]
VALID = "".join(map(chr, range(33, 127))).translate({ord(sign): None for sign in '#"<>`{}^\\|'})


@pytest.mark.parametrize("target", ADDRESSES)
def test_an_address_leaves_byte_for_byte(fetch, target):
    with RawServer(raw(404)) as server:
        fetch(server, f"{server.url}{target}#fragment")
    assert [heard.target for heard in server.heard] == [target]


@given(targets=st.lists(st.text(VALID), min_size=1, max_size=20))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_address_leaves_byte_for_byte(fetch, targets):
    asked = [f"/a{target}" for target in targets if not DOTS.search(target.partition("?")[0])]
    with RawServer(raw(404)) as server:
        fetch(server, "/first", *asked, "/last")
    assert [heard.target for heard in server.heard] == ["/first", *asked, "/last"]


def test_the_log_has_a_word_for_everything_that_keeps_a_picture_away():
    assert set(LOGGED) == set(get_args(NotFetched))
    assert LOGGED[NotAllowed] == "refused", "as earlier versions said it"


def test_what_lies_behind_a_picture_is_not_the_next_one(fetch):
    """A server may send more than was asked for; it must not become another job's picture."""
    other = b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % len(PNG) + PNG

    def surplus(wire, _heard):
        wire.say(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % len(JPEG) + JPEG + other)

    with RawServer(surplus, raw(200, WEBP)) as server:
        first, second = fetch(server, "/a", "/b")
    assert first.name.endswith(".jpg")
    assert second.name.endswith(".webp")
    assert server.connections == 2


def test_an_error_of_the_wire_does_not_tell_the_signed_address(fetch):
    with RawServer(lambda wire, _: (wire.say(b"what\r\n\r\n"), wire.close())) as server:
        outcome = fetch(server, "/a?Signature=abc")
    assert isinstance(outcome, Transient)
    assert "abc" not in outcome.reason


def test_nothing_of_ours_goes_to_the_picture_host(fetch):
    with RawServer(raw(200, JPEG, Set_Cookie="a=b; Path=/")) as server:
        fetch(server, "/a", "/b")
    assert server.connections == 1
    for heard in server.heard:
        assert not {"authorization", "cookie", "api-key"} & set(heard.headers)
        assert heard.headers["accept-encoding"] == "identity"


def test_the_same_picture_twice_is_one_file(fetch, tmp_path):
    with RawServer(raw(200, PNG)) as server:
        first, second = fetch(server, "/a", "/b")
    assert first.name == second.name
    assert len(files(tmp_path / "pictures")) == 1


def test_a_picture_of_several_megabytes_arrives_whole(fetch, tmp_path):
    content = picture("PNG", (1200, 1000))
    assert len(content) > 3_000_000
    with RawServer(raw(200, content)) as server:
        saved = fetch(server, "/big")
    assert place(tmp_path / "pictures", saved.name).read_bytes() == content


def by_path(pictures):
    def answer(wire, heard):
        content = pictures.get(heard.target)
        wire.answer(200 if content else 404, content or b"")

    return answer


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        ({"/image/p_1.jpg": JPEG}, ["/image/p_1.jpg"]),
        ({"/image/p_1.png": PNG}, ["/image/p_1.jpg", "/image/p_1.png"]),
        ({}, ["/image/p_1.jpg", "/image/p_1.png"]),
    ],
)
def test_a_bare_id_is_looked_for_as_jpg_then_as_png(fetch, there, asked):
    with RawServer(by_path(there)) as server:
        outcome = fetch(server, "p_1")
    assert [heard.target for heard in server.heard] == asked
    assert isinstance(outcome, Picture if there else Gone)


def test_a_bare_name_with_an_extension_is_taken_as_it_is(fetch):
    with RawServer(by_path({"/image/p_1.PNG": PNG})) as server:
        assert isinstance(fetch(server, "p_1.PNG"), Picture)


@pytest.mark.parametrize(
    "address", ["", "..", "a b", "p_1?x", "x" * 300, "http://", "http://[", "://a", "http://a:b/"]
)
def test_what_is_no_address_and_no_id_is_refused(fetch, address):
    with RawServer(raw(200, JPEG)) as server:
        assert isinstance(fetch(server, address), NotAllowed)
    assert server.heard == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_an_address_that_is_no_good_any_more_is_gone(fetch, status):
    with RawServer(raw(status)) as server:
        assert fetch(server, "/a") == Gone(reason=f"HTTP {status}")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 204, 206])
def test_a_host_in_trouble_is_transient(fetch, status):
    with RawServer(raw(status)) as server:
        assert fetch(server, "/a") == Transient(reason=f"HTTP {status}")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_refused_and_not_followed(fetch, status):
    with RawServer(raw(status, Location="http://169.254.169.254/latest")) as server:
        assert isinstance(fetch(server, "/a"), NotAllowed)
    assert len(server.heard) == 1


@pytest.mark.parametrize(
    "fault",
    [
        lambda wire, _: wire.reset(),
        lambda wire, _: wire.close(),
        lambda wire, _: (
            wire.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + JPEG[:500]),
            wire.close(),
        ),
        lambda wire, _: (
            wire.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + JPEG[:500]),
            wire.reset(),
        ),
        lambda wire, _: (wire.say(b"what"), wire.close()),
    ],
)
def test_a_broken_transfer_is_transient_and_leaves_nothing(fetch, tmp_path, fault):
    def answer(wire, heard):
        # Whoever asks twice at once meets it twice.
        fault(wire, heard) if heard.target == "/a" else wire.answer(200, JPEG)

    with RawServer(answer) as server:
        first, second = fetch(server, "/a", "/b")
    assert isinstance(first, Transient)
    assert isinstance(second, Picture)
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>not here</html>",
        b"\xff\xd8\xff",
        JPEG[: len(JPEG) // 2],
        JPEG[:-2],
        PNG[: len(PNG) // 2],
        PNG[:-12],
        WEBP[: len(WEBP) // 2],
        PNG[:200] + b"\0" * 50 + PNG[250:],
        picture("GIF"),
        picture("BMP"),
    ],
)
def test_what_is_not_a_whole_picture_is_broken_and_leaves_nothing(fetch, tmp_path, content):
    def answer(wire, _heard):
        # No length, so that only the picture itself can tell.
        wire.say(b"HTTP/1.1 200 OK\r\n\r\n" + content)
        wire.close()

    with RawServer(answer) as server:
        assert isinstance(fetch(server, "/a"), Broken)
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), DiskFull),
        (OSError(errno.EIO, "Input/output error"), DiskFull),
        (PermissionError(errno.EACCES, "Permission denied"), DiskFull),
        (OSError(errno.EMFILE, "Too many open files"), Transient),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), Transient),
        (MemoryError(), Transient),
        (OSError("image file is truncated"), Broken),
    ],
    ids=repr,
)
def test_an_error_of_the_system_while_a_picture_is_proven_says_nothing_of_the_picture(
    fetch, tmp_path, monkeypatch, error, outcome
):
    def fails(*_args: object, **_kwargs: object) -> None:
        raise error

    monkeypatch.setattr(Image, "open", fails)
    with RawServer(raw(200, JPEG)) as server:
        assert isinstance(fetch(server, "/a.jpg"), outcome)
    assert files(tmp_path) == []


def test_a_picture_with_bytes_behind_its_end_is_whole(fetch):
    with RawServer(raw(200, JPEG + b"\0" * 100)) as server:
        assert isinstance(fetch(server, "/a"), Picture)


def test_more_pixels_than_allowed_are_not_decoded(fetch):
    with RawServer(raw(200, picture("PNG", (100, 100)))) as server:
        outcome = fetch(server, "/a", pictures={"max_pixels": 9_999})
    assert outcome == Broken(reason="100x100 pixels are more than 9,999")


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5000000000\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Content-Encoding: br\r\nContent-Length: 2000000\r\n",
        b"",
    ],
)
def test_a_flood_is_left_early(fetch, tmp_path, head):
    sent = []

    def flood(wire, _heard):
        wire.say(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        try:
            for _ in range(4000):
                wire.sock.sendall(b"\0" * 65536)
                sent.append(65536)
        except OSError:
            pass

    with RawServer(flood) as server:
        outcome = fetch(server, "/a", pictures={"max_download_bytes": 3_000_000})
    assert isinstance(outcome, NotAllowed)
    assert outcome.fixable is (b"Encoding" not in head), "a setting would allow more bytes"
    assert sum(sent) < 40_000_000
    assert files(tmp_path) == []


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_slow_drip_ends_with_the_deadline(fetch, tmp_path, start):
    # It drips for ever: that this ends is the proof.
    with RawServer(lambda wire, _: (wire.say(start), wire.drip(b"X: y\r\n" if start else b""))) as server:
        outcome = fetch(server, "/a", download_timeout_s=0.3)
    assert outcome == Transient(reason="not fetched within 0.3 s")
    assert files(tmp_path) == []


def test_a_cancelled_download_leaves_nothing(tmp_path):
    under_way = threading.Event()

    def half(wire, _heard):
        wire.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"\0" * 2_000_000)
        under_way.set()
        wire.hang()

    async def go(url):
        downloader = Downloader(
            hidream=hidream(url), pictures=PictureSettings(), store=PictureStore(tmp_path), ssl_context=TLS
        )
        task = asyncio.ensure_future(downloader.fetch(f"{url}/a"))
        await asyncio.to_thread(under_way.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await downloader.aclose()

    with RawServer(half) as server:
        asyncio.run(go(server.url))
    assert files(tmp_path) == []


def test_a_host_that_is_not_on_the_list_is_not_even_resolved(fetch):
    with RawServer(raw(200, JPEG)) as server:
        outcome = fetch(server, f"http://localhost:{server.port}/a")
    assert isinstance(outcome, NotAllowed)
    assert "image_hosts" in outcome.reason
    assert server.connections == 0


def test_an_allowed_name_that_leads_inside_is_refused(fetch):
    with RawServer(raw(200, JPEG)) as server:
        inside = f"http://localhost:{server.port}/image/"
        outcome = fetch(server, f"{inside}p_1.jpg", image_prefix=inside)
    assert isinstance(outcome, NotAllowed)
    assert "not public" in outcome.reason
    assert server.connections == 0


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "127.1", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_an_allowed_number_that_leads_inside_is_not_called(fetch, host):
    with RawServer(raw(200, JPEG)) as server:
        inside = f"http://{host}:{server.port}/image/"
        outcome = fetch(server, f"{inside}p_1.jpg", image_prefix=inside, base_url="http://shop.example")
    assert isinstance(outcome, NotAllowed | Transient)
    assert server.connections == 0


class MixedLoop(asyncio.SelectorEventLoop):
    """Every name has an address outside and one inside."""

    def __init__(self):
        super().__init__()
        self.asked, self.called = [], []

    async def getaddrinfo(self, host, port, **more):
        self.asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (to, port)) for to in ("8.8.8.8", "127.0.0.1")]

    async def sock_connect(self, sock, address):
        self.called.append(address[0])
        raise OSError(errno.ENETUNREACH, "Network is unreachable")


def fetched_from_a_name(loop, folder):
    async def go():
        downloader = Downloader(
            hidream=hidream("http://shop.example", image_prefix="http://img.example:81/"),
            pictures=PictureSettings(),
            store=PictureStore(folder),
            ssl_context=TLS,
        )
        try:
            return await downloader.fetch("http://img.example:81/a")
        finally:
            await downloader.aclose()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(go()), loop


def test_a_name_with_one_address_inside_is_resolved_once_and_not_called_at_all(tmp_path):
    outcome, loop = fetched_from_a_name(MixedLoop(), tmp_path)
    assert outcome == NotAllowed(reason="img.example leads to 127.0.0.1, which is not public", fixable=True)
    assert loop.called == []
    assert loop.asked == ["img.example"]


class OutsideLoop(MixedLoop):
    """Every name has one address outside when it is asked for, and one inside whenever it is asked for again."""

    async def getaddrinfo(self, host, port, **more):
        found = await super().getaddrinfo(host, port, **more)
        return found[len(self.asked) > 1 :][:1]


def test_a_name_is_resolved_once_and_never_again_for_the_connection(tmp_path):
    outcome, loop = fetched_from_a_name(OutsideLoop(), tmp_path)
    assert isinstance(outcome, Transient)
    assert loop.called == ["8.8.8.8"]
    assert loop.asked == ["img.example"]


@pytest.mark.parametrize("name", ["a..b", "x" * 70 + ".invalid"])
def test_a_name_that_is_no_name_is_transient(fetch, name):
    with RawServer(raw(200, JPEG)) as server:
        outcome = fetch(server, f"http://{name}/a", image_hosts=("a..b", "invalid"))
    assert isinstance(outcome, Transient)


def test_our_own_host_may_be_inside_and_is_called_by_its_name(fetch):
    with RawServer(raw(200, JPEG)) as server:
        own = f"http://localhost:{server.port}"
        assert isinstance(fetch(server, f"{own}/a", base_url=own), Picture)
    assert server.heard[0].headers["host"] == f"localhost:{server.port}"


def test_tls_asks_for_the_name_though_the_address_was_checked(fetch):
    hello = []

    def listen(wire):
        hello.append(wire.sock.recv(4096))
        wire.close()
        return False

    with RawServer(on_connect=listen) as server:
        own = f"https://localhost:{server.port}"
        outcome = fetch(server, f"{own}/a", base_url=own)
    assert isinstance(outcome, Transient)
    assert b"localhost" in hello[0]


def test_a_host_that_is_away_is_transient(fetch):
    with RawServer(raw(200, JPEG)) as server:
        pass
    assert isinstance(fetch(server, "/a"), Transient)


def test_a_store_that_cannot_be_written_is_told(fetch, tmp_path):
    (tmp_path / "pictures").write_bytes(b"in the way")
    with RawServer(raw(200, JPEG)) as server:
        assert isinstance(fetch(server, "/a"), DiskFull)


LITTLE_DISK = """
import asyncio, resource, sys
from pathlib import Path
from typing import get_args
from jobs.config.settings import HiDreamSettings, PictureSettings
from worker.hidream.session import make_ssl_context
from worker.collect.download import Downloader
from jobs.pictures.store import PictureStore

async def main(url, folder):
    downloader = Downloader(
        hidream=HiDreamSettings(base_url=url), pictures=PictureSettings(),
        store=PictureStore(Path(folder)), ssl_context=make_ssl_context(),
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    print(repr(await downloader.fetch(url + "/a")))
    await downloader.aclose()

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_disk_that_takes_no_more_is_told_and_leaves_nothing(tmp_path):
    with RawServer(raw(200, JPEG)) as server:
        done = subprocess.run(
            [sys.executable, "-c", LITTLE_DISK, server.url, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
    assert done.stdout.startswith("DiskFull(")
    assert files(tmp_path) == []


def test_what_a_killed_process_left_is_swept(tmp_path):
    store = PictureStore(tmp_path)
    assert store.sweep() == 0
    spool = store.spool()
    spool.write(b"half")
    os.utime(spool.path, (1000, 1000))
    with store.spool() as fresh:
        fresh.write(b"half")
        os.utime(fresh.path, (5000, 5000))
        assert store.sweep(older_than_s=3600, now_s=5000) == 1
        assert fresh.path.exists()
    assert not spool.path.exists()
    spool.__exit__()


def test_a_store_below_its_floor_takes_nothing(tmp_path: Path) -> None:
    full = PictureStore(tmp_path, min_free_bytes=10**18)
    with pytest.raises(StoreFullError, match="min_free_bytes"):
        full.spool()
    assert not full.takes(1)
    assert PictureStore(tmp_path, min_free_bytes=1).takes(1)
