import socket

import httpx
import pytest

from jobs.addresses.public import ForbiddenAddressError, public, public_socket
from jobs.config.settings import HiDreamSettings
from worker.collect.allowed_hosts import Hosts

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


def test_a_socket_is_made_for_a_public_address_only():
    public_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 443))).close()
    for family, place in ((socket.AF_INET, ("127.0.0.1", 443)), (socket.AF_INET6, ("::1", 443, 0, 0))):
        with pytest.raises(ForbiddenAddressError, match="not public"):
            public_socket((family, socket.SOCK_STREAM, 0, "", place))
