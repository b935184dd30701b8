import asyncio
import gc
import shutil
import socket
import ssl
import subprocess
import warnings

import pytest

from jobs.config.settings import PictureSettings
from jobs.pictures.store import PictureStore
from jobs.records import Slot
from tests.on_loop import OnLoop
from tests.raw_server import RawServer, accepted, raw, says
from worker.collect.download import Broken, Downloader, Transient
from worker.hidream.client import HiDreamClient
from worker.hidream.outcomes import Accepted, NotSent, Pending, PollFailed, Unknown
from worker.hidream.wire import Base64, submit_body

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")

BODY = submit_body([(Slot.PERSON, "https://a/p.jpg"), (Slot.DRESS, "https://a/d.jpg")])
BIG = submit_body([(Slot.PERSON, Base64(text=b"QUJD" * 1_000_000))])


@pytest.fixture(scope="session")
def contexts(tmp_path_factory):
    """The server's and the client's, for the name `localhost`."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    kind = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=localhost"
    command = f"openssl req -x509 {kind} -nodes -days 2"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return server, ssl.create_default_context(cafile=str(certificate))


@pytest.fixture
def submit(contexts, settings_for, tokens_for):
    def run(url, *bodies, context=contexts[1], **more):
        settings = settings_for(url, **more)
        client = OnLoop(lambda: HiDreamClient(settings, tokens_for(settings), context))
        try:
            return [client.submit(body) for body in bodies]
        finally:
            client.aclose()

    return run


def test_jobs_go_over_one_tls_connection(submit, contexts):
    with RawServer(accepted("t"), tls=contexts[0]) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        assert submit(url, BODY, BIG, BODY) == [Accepted(task_id="t")] * 3
    assert server.connections == 1


def test_a_certificate_of_another_name_sends_nothing(submit, contexts):
    with RawServer(accepted("t"), tls=contexts[0]) as server:
        [outcome] = submit(server.url, BODY)
    assert isinstance(outcome, NotSent)
    assert server.heard == []


def test_a_certificate_nobody_knows_sends_nothing(submit, contexts, tls):
    with RawServer(accepted("t"), tls=contexts[0]) as server:
        [outcome] = submit(server.url.replace("127.0.0.1", "localhost"), BODY, context=tls)
    assert isinstance(outcome, NotSent)


@pytest.mark.parametrize("fault", [lambda wire, _: wire.reset(), lambda wire, _: wire.hang()])
def test_a_job_without_an_answer_is_unknown_over_tls_too(submit, contexts, fault):
    # A busy machine may not even send the body in the shortest time.
    for timeout_s in (0.5, 5, 50):
        with RawServer(fault, tls=contexts[0]) as server:
            address = server.url.replace("127.0.0.1", "localhost")
            [outcome] = submit(address, BODY, submit_timeout_s=timeout_s)
        if not isinstance(outcome, NotSent):
            break
    assert isinstance(outcome, Unknown)


def test_polls_go_over_tls(contexts, settings_for, tokens_for):
    async def go(url):
        settings = settings_for(url)
        client = HiDreamClient(settings, tokens_for(settings), contexts[1])
        try:
            return await client.results("t")
        finally:
            await client.aclose()

    with RawServer(says({"code": 0, "result": {"sub_task_results": []}}), tls=contexts[0]) as server:
        assert asyncio.run(go(server.url.replace("127.0.0.1", "localhost"))) == Pending(queued=True)
        assert isinstance(asyncio.run(go(server.url)), PollFailed)


def together(first, second):
    """Two answers to one request: two TLS records in one segment."""

    def answer(wire, heard):
        wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        first(wire, heard)
        second(wire, heard)
        wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    return answer


def test_bytes_behind_an_answer_do_not_answer_the_next_job_over_tls(submit, contexts):
    with RawServer(together(accepted("t-1"), accepted("t-x")), accepted("t-2"), tls=contexts[0]) as server:
        found = submit(server.url.replace("127.0.0.1", "localhost"), BODY, BODY)
    assert found == [Accepted(task_id="t-1"), Accepted(task_id="t-2")]
    assert server.connections == 2


def test_bytes_behind_an_answer_do_not_answer_the_next_poll_over_tls(contexts, settings_for, tokens_for):
    waits = says({"code": 0, "result": {"sub_task_results": []}})
    wrong = says({"code": 0, "result": {"sub_task_results": [{"task_status": 1, "image": "p_2"}]}})

    async def go(url):
        settings = settings_for(url)
        client = HiDreamClient(settings, tokens_for(settings), contexts[1])
        try:
            return [await client.results("t"), await client.results("t")]
        finally:
            await client.aclose()

    with RawServer(together(waits, wrong), waits, tls=contexts[0]) as server:
        found = asyncio.run(go(server.url.replace("127.0.0.1", "localhost")))
    assert found == [Pending(queued=True)] * 2
    assert server.connections == 2
    with warnings.catch_warnings():
        # The loop has ended while the first connection was still saying goodbye over TLS.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_a_checked_address_must_still_prove_its_name(contexts, settings_for, tmp_path):
    async def go(url):
        downloader = Downloader(
            hidream=settings_for(url),
            pictures=PictureSettings(),
            store=PictureStore(tmp_path),
            ssl_context=contexts[1],
        )
        try:
            return await downloader.fetch(f"{url}/a")
        finally:
            await downloader.aclose()

    with RawServer(raw(200, b"no picture"), tls=contexts[0]) as server:
        assert isinstance(asyncio.run(go(server.url.replace("127.0.0.1", "localhost"))), Broken)
        assert isinstance(asyncio.run(go(server.url)), Transient)
    assert len(server.heard) == 1
