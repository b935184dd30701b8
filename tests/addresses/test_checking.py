"""Every address of a manifest: asked once, politely, and not again for some hours."""

import asyncio
import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from jobs.addresses.asking import Asker, AskLimits
from jobs.addresses.checking import check
from jobs.addresses.found import open_found
from jobs.config.settings import AddressCheckSettings
from tests.raw_server import RawServer

FAST = {"per_second": 10_000, "timeout_s": 20, "slow_s": 20}


def ok(wire, _heard):
    wire.say(b"HTTP/1.1 200 X\r\nContent-Type: image/jpeg\r\nContent-Length: 400\r\n\r\n")


def missing(wire, _heard):
    wire.answer(404)


def run(found, settings):
    done = []

    async def asked():
        limits = AskLimits(max_bytes=1000, timeout_s=settings.timeout_s, slow_s=settings.slow_s)
        asker = Asker(limits, connections=64, allowed=lambda _: True)
        try:
            await check(found, asker, settings, done.append)
        finally:
            await asker.aclose()

    asyncio.run(asked())
    return sum(done)


@contextmanager
def filled(tmp_path, urls, *, keep_s=3600, **more):
    with open_found(tmp_path / "addresses.sqlite3", keep_s, **more) as found:
        for number, url in enumerate(urls, 1):
            found.use(number, "", str(number + 1), f"S{number}", column="dress", url=url)
        yield found


def test_an_address_of_many_rows_is_asked_once_and_each_row_has_what_was_found(tmp_path):
    with RawServer(lambda wire, heard: (missing if "gone" in heard.target else ok)(wire, heard)) as server:
        urls = [f"{server.url}/{name}" for name in ("gone", "a", "gone", "b", "a")] * 300
        with filled(tmp_path, urls) as found:
            assert found.recall() == (3, 0)
            assert run(found, AddressCheckSettings(**FAST)) == 3
            problems = list(found.problems())
        asked = Counter((each.method, each.target) for each in server.heard)
    assert asked == {("HEAD", "/gone"): 1, ("GET", "/gone"): 1, ("HEAD", "/a"): 1, ("HEAD", "/b"): 1}
    assert [each.row for each in problems] == [n for n in range(1, 1501) if n % 5 in {1, 3}]
    assert {(each.finding.kind, each.column, each.url) for each in problems} == {
        ("not_found", "dress", f"{server.url}/gone")
    }


def test_what_was_found_is_known_for_some_hours_and_problems_are_asked_again_at_will(tmp_path):
    now = [1000.0]
    with RawServer(lambda wire, heard: (missing if "gone" in heard.target else ok)(wire, heard)) as server:
        urls = [f"{server.url}/gone?sig=canary", f"{server.url}/a"]
        settings = AddressCheckSettings(**FAST)

        def asked(**recall):
            before = len(server.heard)
            with filled(tmp_path, urls, clock=lambda: now[0]) as found:
                found.recall(**recall)
                run(found, settings)
                assert [each.finding.kind for each in found.problems()] == ["not_found"]
            return [each.method for each in server.heard[before:]]

        assert sorted(asked()) == ["GET", "HEAD", "HEAD"]
        assert asked() == []
        assert asked(only_good=True) == ["HEAD", "GET"]
        now[0] += 3601
        assert sorted(asked()) == ["GET", "HEAD", "HEAD"]
    assert b"canary" not in (tmp_path / "addresses.sqlite3").read_bytes()


def test_a_host_is_asked_in_parallel_within_its_limit(tmp_path):
    lock, at_once, most = threading.Lock(), [0], [0]

    def slow(wire, heard):
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.02)
        with lock:
            at_once[0] -= 1
        ok(wire, heard)

    with RawServer(slow) as server, filled(tmp_path, [f"{server.url}/{n}" for n in range(40)]) as found:
        found.recall()
        assert run(found, AddressCheckSettings(**FAST, parallel=3)) == 40
    assert 1 <= most[0] <= 3


def test_requests_begin_at_a_pace(tmp_path):
    begun = []

    def noted(wire, heard):
        begun.append(time.monotonic())
        ok(wire, heard)

    with RawServer(noted) as server, filled(tmp_path, [f"{server.url}/{n}" for n in range(11)]) as found:
        found.recall()
        run(found, AddressCheckSettings(per_second=20, timeout_s=20, slow_s=20))
    assert max(begun) - min(begun) > 0.4, "ten gaps of 50 ms: a busy machine only makes them longer"


def test_a_host_that_wants_to_be_left_alone_is_and_then_asked_again(tmp_path):
    heard_at = []

    def busy_once(wire, heard):
        heard_at.append(time.monotonic())
        wire.answer(429, Retry_After="0.5") if len(heard_at) == 1 else ok(wire, heard)

    with RawServer(busy_once) as server, filled(tmp_path, [f"{server.url}/{n}" for n in range(3)]) as found:
        found.recall()
        run(found, AddressCheckSettings(**FAST, parallel=1))
        assert list(found.problems()) == []
    assert len(heard_at) == 4
    assert heard_at[1] - heard_at[0] > 0.4


def test_a_host_that_stays_busy_is_told(tmp_path):
    with RawServer(lambda wire, _: wire.answer(429, Retry_After="0")) as server:
        with filled(tmp_path, [f"{server.url}/1"]) as found:
            found.recall()
            run(found, AddressCheckSettings(**FAST))
            assert [each.finding.kind for each in found.problems()] == ["busy"]
        assert len(server.heard) == 3


def test_a_host_without_any_answer_is_left_alone_and_not_remembered_as_asked(tmp_path):
    with RawServer(lambda wire, _: wire.reset()) as server:
        with filled(tmp_path, [f"{server.url}/{n}" for n in range(50)]) as found:
            found.recall()
            assert run(found, AddressCheckSettings(**FAST, parallel=1)) == 50
            kinds = Counter(each.finding.kind for each in found.problems())
        assert kinds == {"unreachable": 10, "not_asked": 40}
        with filled(tmp_path, [f"{server.url}/{n}" for n in range(50)]) as found:
            assert found.recall() == (50, 10)


def test_many_hosts_are_all_asked(tmp_path):
    with RawServer(ok) as server:
        urls = [f"http://127.0.{n}.1:{server.port}/p.jpg" for n in range(1, 200)] + [f"{server.url}/p.jpg"]
        with filled(tmp_path, urls) as found:
            found.recall()
            assert run(found, AddressCheckSettings(**FAST)) == 200
            kinds = Counter(each.finding.kind for each in found.problems())
    assert kinds == {"unreachable": 199}, "only one of them listens"


def test_whoever_interrupts_it_keeps_what_was_found(tmp_path):
    class EnoughError(Exception):
        pass

    def tell(_count):
        raise EnoughError

    async def asked(found):
        asker = Asker(AskLimits(max_bytes=1000, timeout_s=9, slow_s=9), connections=4, allowed=lambda _: True)
        try:
            await check(found, asker, AddressCheckSettings(**FAST), tell)
        finally:
            await asker.aclose()

    with RawServer(ok) as server:
        with filled(tmp_path, [f"{server.url}/1"]) as found:
            found.recall()
            with pytest.raises(ExceptionGroup):
                asyncio.run(asked(found))
        with filled(tmp_path, [f"{server.url}/1"]) as found:
            assert found.recall() == (1, 1)


def test_a_memory_that_is_damaged_is_begun_anew(tmp_path):
    (tmp_path / "addresses.sqlite3").write_bytes(b"no database" * 1000)
    with filled(tmp_path, ["http://a.example/p.jpg"]) as found:
        assert found.recall() == (1, 0)
