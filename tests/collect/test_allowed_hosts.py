import asyncio

import httpcore
import httpx
import pytest

from jobs.config.settings import HiDreamSettings
from tests.raw_server import RawServer, raw
from worker.collect.allowed_hosts import CheckedBackend, Hosts, public, resolve

HOSTS = Hosts.of(
    HiDreamSettings(
        base_url="http://gateway.shop.example:8080",
        image_prefix="https://img.example:8443/image/",
        image_hosts=("hidreamai.com", ".CDN.example."),
    )
)


@pytest.mark.parametrize(
    "url",
    [
        "https://hidreamai.com/a",
        "https://storage-cdn.hidreamai.com/image/p_1.jpg",
        "https://STORAGE.HiDreamAI.com./a",
        "http://a.cdn.example/a",
        "https://a.cdn.example:443/a",
        "http://gateway.shop.example:8080/a",
        "https://img.example:8443/other",
    ],
)
def test_these_addresses_are_fetched(url):
    assert HOSTS.objection(httpx.URL(url)) == ""


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hidreamai.com/a",
        "file:///etc/passwd",
        "https://user@hidreamai.com/a",
        "https://hidreamai.com@evil.example/a",
        "https://evilhidreamai.com/a",
        "https://hidreamai.com.evil.example/a",
        "https://hidreamai.com:6379/a",
        "http://gateway.shop.example/a",
        "http://gateway.shop.example:6379/a",
        "http://127.0.0.1/a",
        "http://[::1]/a",
        "http://2130706433/a",
        "/image/a.jpg",
    ],
)
def test_these_addresses_are_not(url):
    assert HOSTS.objection(httpx.URL(url)) != ""


def test_an_empty_suffix_allows_nobody():
    hosts = Hosts.of(HiDreamSettings(image_hosts=("", ".")))
    assert hosts.objection(httpx.URL("https://evil.example/a"))


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_these_are_out_on_the_internet(address):
    assert public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "not an address"),
    ],
)
def test_these_are_not(address):
    assert not public(address)


def test_a_name_has_each_address_once():
    found = asyncio.run(resolve("localhost", 80))
    assert "127.0.0.1" in found
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("name", ["a..b", "x" * 70 + ".invalid"])
def test_a_name_that_is_no_name_cannot_be_connected_to(name):
    with pytest.raises(httpcore.ConnectError):
        asyncio.run(resolve(name, 80))


class CountingLoop(asyncio.SelectorEventLoop):
    asked: list[object]

    async def getaddrinfo(self, host, port, **more):
        self.asked.append(host)
        return await super().getaddrinfo(host, port, **more)


def test_a_name_is_resolved_once_and_never_again_for_the_connection():
    loop = CountingLoop()
    loop.asked = []
    with RawServer(raw(200)) as server:
        backend = CheckedBackend(Hosts.of(HiDreamSettings(base_url=f"http://localhost:{server.port}")))

        async def connect():
            stream = await backend.connect_tcp("localhost", server.port, 2)
            try:
                return stream.get_extra_info("server_addr")
            finally:
                await stream.aclose()

        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            assert runner.run(connect()) == ("127.0.0.1", server.port)
    assert loop.asked.count("localhost") == 1
