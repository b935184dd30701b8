"""Who can make a callback address: nobody but us, and for no longer than meant."""

import random
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import ConfigError
from worker.callbacks.address import CallbackAddresses

NEW, OLD = "n" * 32, "o" * 32
NOW = 1_764_000_000.0
JOB = "4f5c9ad2-9e62-5d5c-8a0c-3a2f6a8f6c11"


def addresses(secret=NEW, url="https://shop.example/hooks"):
    return CallbackAddresses(url, secret, 3600)


def parts(made, address):
    return made.split(urlsplit(address).path)


@given(st.uuids().map(str), st.floats(0, 4e9))
def test_an_address_we_made_is_proven_until_it_expires(job, now_s):
    made = addresses()
    job_, expiry, mac = parts(made, made.address(job, now_s))
    assert job_ == job
    assert made.verify(job, expiry, mac, now_s)
    assert made.verify(job, expiry, mac, int(expiry))
    assert not made.verify(job, expiry, mac, int(expiry) + 1)


def test_an_address_carries_the_public_url_and_does_not_carry_the_key():
    address = addresses().address(JOB, NOW)
    assert address.startswith(f"https://shop.example/hooks/callbacks/{JOB}/1764003600/")
    assert NEW not in address


def test_addresses_made_before_a_rotation_are_proven_after_it_and_not_once_the_old_key_is_gone():
    old, both, new = addresses(OLD), addresses(f"{NEW}, {OLD}"), addresses(NEW)
    before, after = parts(both, old.address(JOB, NOW)), parts(both, both.address(JOB, NOW))
    assert both.verify(*before, NOW)
    assert both.verify(*after, NOW)
    assert new.verify(*after, NOW)
    assert not new.verify(*before, NOW)


def test_a_mac_is_good_for_neither_another_job_nor_another_expiry():
    made = addresses()
    job, expiry, mac = parts(made, made.address(JOB, NOW))
    assert not made.verify(job.replace("4", "5"), expiry, mac, NOW)
    assert not made.verify(job, str(int(expiry) + 1), mac, NOW)
    assert not made.verify(job, f"0{expiry}", mac, NOW)


def test_ten_thousand_forged_addresses_are_all_refused():
    made = addresses(f"{NEW},{OLD}")
    job, expiry, mac = parts(made, made.address(JOB, NOW))
    chance = random.Random(7)
    proven = 0
    for _ in range(10_000):
        position = chance.randrange(64)
        forged = chance.choice(
            [
                f"{chance.getrandbits(256):064x}",
                mac[:position]
                + chance.choice([c for c in "0123456789abcdef" if c != mac[position]])
                + mac[position + 1 :],
                mac[:position],
                mac.upper() if mac.upper() != mac else "",
                mac + "0",
                "é" * 64,
            ]
        )
        proven += made.verify(job, expiry, forged, NOW)
    assert proven == 0


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/callbacks",
        "/callbacks/job/123",
        f"/callbacks/job/12e3/{'a' * 64}",
        f"/callbacks/job/٣٣٣/{'a' * 64}",
        f"/callbacks/job/-5/{'a' * 64}",
        f"/callbacks/job/{'9' * 13}/{'a' * 64}",
        f"/callbacks/job/123/{'A' * 64}",
        f"/callbacks/job/123/{'a' * 64}/",
        f"/callbacks/job/123/{'a' * 64}\n",
        f"/callbacks/{'j' * 65}/123/{'a' * 64}",
        f"/elsewhere/callbacks/job/123/{'a' * 64}",
        f"/callbacks//123/{'a' * 64}",
    ],
)
def test_a_path_that_cannot_be_ours_is_none(path):
    assert addresses().split(path) is None


def test_a_path_is_understood_with_and_without_the_public_urls_own():
    bare = f"/callbacks/job/123/{'a' * 64}"
    assert addresses().split(bare) == addresses().split(f"/hooks{bare}") == ("job", "123", "a" * 64)
    assert addresses(url="https://shop.example/").split(bare) is not None


@pytest.mark.parametrize("secret", ["", " , ", "short", f"{NEW},short"])
def test_a_missing_or_short_key_is_a_configuration_error_that_does_not_show_it(secret):
    with pytest.raises(ConfigError, match="at least 16 characters") as refused:
        addresses(secret)
    assert "short" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["", "shop.example", "ftp://shop.example", "https://", "https://h/?a=1", "https://h/#a"]
)
def test_a_public_url_that_cannot_be_called_is_a_configuration_error(url):
    with pytest.raises(ConfigError, match="public_url"):
        addresses(url=url)
