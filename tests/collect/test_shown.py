"""Thumbnails while collecting: of what came and of what was put in; nothing that fails there may stop anything."""

import asyncio
import hashlib
import io
import os

import pytest
from PIL import Image

from jobs.config.settings import HiDreamSettings, PictureSettings
from jobs.pictures.store import PictureStore
from jobs.records import LocalFile, Pair, Picture, Url
from jobs.report import Thumbnails
from jobs.report.thumbnails import address_key
from tests.raw_server import RawServer, raw
from worker.collect.download import Downloader
from worker.collect.picture_process import PictureProcess
from worker.collect.shown import ShownPictures
from worker.hidream.session import make_ssl_context

TLS = make_ssl_context()


def jpeg(colour):
    made = io.BytesIO()
    Image.new("RGB", (600, 800), colour).save(made, "JPEG")
    return made.getvalue()


JPEG = jpeg("red")


@pytest.fixture
def show(tmp_path):
    """Makes the thumbnails of pairs one after the other, in one process' life; returns the folder of thumbnails."""

    def run(*pairs, pictures=(), hosts=("*",), private="allow", clock=lambda: 0.0):
        async def go():
            store = PictureStore(tmp_path)
            settings = PictureSettings(private_hosts=private)
            downloader = Downloader(
                hidream=HiDreamSettings(), pictures=settings, store=store, ssl_context=TLS
            )
            process = PictureProcess(tmp_path, flags=False)
            shown = ShownPictures(
                thumbnails=Thumbnails(tmp_path / "thumbnails"),
                downloader=downloader,
                process=process,
                hosts=hosts,
                clock=clock,
            )
            try:
                for pair in pairs:
                    shown.offer(pair, pictures)
                    await shown.settle()
                # It works off one after the other: with this one all before are done.
                done = tmp_path / "done.jpg"
                done.write_bytes(JPEG)
                assert process.offer_file("done", done)
                while done.exists():  # noqa: ASYNC110 another process removes it
                    await asyncio.sleep(0.01)
            finally:
                process.close()
                await downloader.aclose()
            Thumbnails(tmp_path / "thumbnails").place("done").unlink()

        asyncio.run(go())
        return Thumbnails(tmp_path / "thumbnails")

    return run


def file(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    return LocalFile(path=str(path), sha256=hashlib.sha256(content).hexdigest())


def test_the_result_and_local_inputs_are_made_small(show, tmp_path):
    person, dress = file(tmp_path, "p.jpg", JPEG), file(tmp_path, "d.jpg", jpeg("blue"))
    result = jpeg("green")
    digest = hashlib.sha256(result).hexdigest()
    with PictureStore(tmp_path).spool() as spool:
        spool.write(result)
        name = spool.keep("jpg")
    picture = Picture(name=name, url="", sha256=digest, width=600, height=800, bytes=len(result))
    made = show(Pair(person=person, dress=dress), pictures=[picture])
    assert all(made.has(key) for key in (person.sha256, dress.sha256, digest))
    assert not list((made.root / ".tmp").iterdir())


def test_a_file_that_was_changed_or_is_gone_is_passed_over(show, tmp_path):
    person, dress = file(tmp_path, "p.jpg", JPEG), file(tmp_path, "d.jpg", JPEG + b"x")
    (tmp_path / "p.jpg").unlink()
    (tmp_path / "d.jpg").write_bytes(jpeg("blue"))
    made = show(Pair(person=person, dress=dress))
    assert not made.has(person.sha256)
    assert not made.has(dress.sha256)


@pytest.mark.parametrize("now", ["pipe", "huge"])
def test_what_took_a_files_place_is_neither_waited_for_nor_read_to_its_end(show, tmp_path, now):
    person = file(tmp_path, "p.jpg", JPEG)
    (tmp_path / "p.jpg").unlink()
    if now == "pipe":
        os.mkfifo(tmp_path / "p.jpg")
    else:
        (tmp_path / "p.jpg").touch()
        os.truncate(tmp_path / "p.jpg", 1 << 42)  # holes: whoever reads it is out of memory
    assert not show(Pair(person=person)).has(person.sha256)


def test_an_address_is_fetched_once_also_when_it_is_signed_anew(show):
    asked = []
    with RawServer(lambda wire, heard: (asked.append(heard.target), wire.answer(200, JPEG))) as server:
        person = Url(url=f"{server.url}/p.jpg")
        pairs = [
            Pair(
                person=person, dress=Url(url=f"{server.url}/d.jpg?w=2&X-Amz-Signature={number}&X-Amz-Date=1")
            )
            for number in range(3)
        ]
        made = show(*pairs)
        assert made.has(address_key(person.url))
        assert made.has(address_key(f"{server.url}/d.jpg?w=2"))
    assert sorted(target.split("?")[0] for target in asked) == ["/d.jpg", "/p.jpg"]


@pytest.mark.parametrize("answer", [raw(404, b""), raw(200, b"no picture"), raw(302, b"", Location="/other")])
def test_what_is_no_picture_is_asked_for_once_and_stops_nothing(show, answer):
    with RawServer(answer) as server:
        pair = Pair(person=Url(url=f"{server.url}/p.jpg"))
        made = show(pair, pair)
        assert not list(made.root.rglob("*.webp"))
        assert server.connections == 1


def saved(form):
    made = io.BytesIO()
    Image.new("RGB", (60, 80), "red").save(made, form)
    return made.getvalue()


def many_scans():
    made = io.BytesIO()
    Image.new("RGB", (60, 80), "red").save(made, "JPEG", progressive=True)
    content = made.getvalue()
    last = content[content.rfind(b"\xff\xda") : -2]
    return content[:-2] + 200 * last + content[-2:]


@pytest.mark.parametrize("content", [saved("TIFF"), saved("GIF"), saved("EPS"), many_scans()], ids=len)
def test_what_hidream_does_not_take_or_what_takes_minutes_is_not_decoded(show, content):
    with RawServer(raw(200, content)) as server:
        made = show(Pair(person=Url(url=f"{server.url}/p.jpg")))
        assert server.connections == 1
        assert not list(made.root.rglob("*.webp"))


def test_an_error_of_our_own_stops_nothing(show, monkeypatch):
    async def fail(*_):
        raise MemoryError

    monkeypatch.setattr(Downloader, "read", fail)
    show(Pair(person=Url(url="https://shop.example/p.jpg")))


def test_a_host_that_does_not_answer_is_left_alone_for_a_while(show):
    now = [0.0]
    with RawServer(raw(503, b"")) as server:
        pairs = [Pair(person=Url(url=f"{server.url}/{number}.jpg")) for number in range(9)]

        def clock():
            now[0] += 100
            return now[0]

        show(*pairs, clock=lambda: 0.0)
        assert len(server.heard) == 2
        show(*pairs, clock=clock)
        assert 4 < len(server.heard) < 9


@pytest.mark.parametrize("hosts", [(), ("example.com",)])
def test_hosts_that_are_not_listed_are_not_asked(show, hosts):
    with RawServer(raw(200, JPEG)) as server:
        show(Pair(person=Url(url=f"{server.url}/p.jpg")), hosts=hosts)
        assert server.connections == 0


def test_private_hosts_are_not_asked_unless_they_are_allowed(show):
    with RawServer(raw(200, JPEG)) as server:
        show(Pair(person=Url(url=f"http://127.0.0.1:{server.port}/p.jpg")), private="refuse")
        show(Pair(person=Url(url="http://localhost/p.jpg")), private="refuse")
        show(Pair(person=Url(url=f"http://u:p@127.0.0.1:{server.port}/p.jpg")))
        assert server.connections == 0
