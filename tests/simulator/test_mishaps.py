"""Every fault of the vocabulary over a real socket."""

import io
import zlib

import httpx
import pytest
from PIL import Image

from worker.simulator.app import TOKEN_PATH
from worker.simulator.words import PLACES


def act(client, at: str) -> httpx.Response:
    match at:
        case "submit":
            return client.submit("r1")
        case "poll":
            return client.poll(client.task_id())
        case "token":
            return client.http.get(TOKEN_PATH, headers={"api-key": "k"})
        case _:
            return client.http.get(client.parts(client.task_id())[0]["image"])


def script(at: str, do: str, **params: object) -> str:
    return str([{"at": at, "do": do} | params]).replace("True", "true").replace("False", "false")


@pytest.mark.parametrize(("do", "made"), [("reset-before", 0), ("reset-after", 1)])
def test_a_reset_leaves_no_reply(simulate, do, made):
    client = simulate()
    client.faults(script("submit", do))
    with pytest.raises(httpx.ReadError):
        client.submit()
    assert client.totals()["charges"] == made


@pytest.mark.parametrize(
    ("at", "do", "made"),
    [
        ("submit", "hang-before", 0),
        ("submit", "hang-after", 1),
        ("poll", "timeout", 1),
        ("download", "hang", 1),
        ("token", "hang", 0),
    ],
)
def test_a_hang_ends_only_with_the_callers_patience(simulate, at, do, made):
    client = simulate()
    client.http.timeout = httpx.Timeout(60, read=0.3)
    client.faults(script(at, do))
    with pytest.raises(httpx.ReadTimeout):
        act(client, at)
    assert client.totals()["charges"] == made


def test_a_hang_ends_by_itself_after_its_seconds(simulate):
    client = simulate()
    client.faults(script("submit", "hang-after", seconds=0.05))
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        client.submit()


@pytest.mark.parametrize(
    ("at", "fault", "status", "made"),
    [
        ("submit", {"do": "status-before", "status": 503}, 503, 0),
        ("submit", {"do": "status-after", "status": 504}, 504, 1),
        ("submit", {"do": 500}, 500, 0),
        ("submit", {"do": 520}, 520, 0),
        ("submit", {"do": "unauthorized"}, 401, 0),
        ("submit", {"do": "html", "status": 502}, 502, 1),
        ("submit", {"do": "html", "created": False}, 200, 0),
        ("poll", {"do": 404}, 404, 1),
        ("poll", {"do": "unauthorized", "status": 403}, 403, 1),
        ("poll", {"do": 500}, 500, 1),
        ("download", {"do": 403}, 403, 1),
        ("download", {"do": 404}, 404, 1),
        ("download", {"do": 500}, 500, 1),
        ("download", {"do": "redirect"}, 302, 1),
        ("token", {"do": 500}, 500, 0),
        ("token", {"do": "unauthorized"}, 401, 0),
    ],
)
def test_a_status_comes_with_or_without_a_task(simulate, at, fault, status, made):
    client = simulate()
    client.faults(script(at, **fault))
    assert act(client, at).status_code == status
    assert client.totals()["charges"] == made


@pytest.mark.parametrize(("given", "header"), [(7, "7"), ("absurd", "999999999999"), ("missing", None)])
def test_a_429_says_when_to_come_back_or_does_not(simulate, given, header):
    client = simulate()
    client.faults(script("submit", "429", retry_after=given))
    reply = client.submit()
    assert (reply.status_code, reply.headers.get("retry-after")) == (429, header)
    assert client.totals()["tasks"] == 0


def test_a_429_can_name_a_date(simulate):
    client = simulate()
    client.faults(script("poll", "429", retry_after="date"))
    assert act(client, "poll").headers["retry-after"].endswith("GMT")


@pytest.mark.parametrize(
    ("at", "do"), [("submit", "truncated"), ("poll", "truncated"), ("download", "truncated")]
)
def test_a_truncated_reply_ends_before_its_length(simulate, at, do):
    client = simulate()
    client.faults(script(at, do))
    with pytest.raises(httpx.RemoteProtocolError):
        act(client, at)
    assert client.totals()["charges"] == 1


@pytest.mark.parametrize(("at", "do"), [("submit", "empty"), ("poll", "empty"), ("download", "zero")])
def test_a_body_can_be_empty(simulate, at, do):
    client = simulate()
    client.faults(script(at, do))
    reply = act(client, at)
    assert (reply.status_code, reply.content) == (200, b"")


@pytest.mark.parametrize("at", ["submit", "poll", "download"])
def test_a_body_can_be_huge(simulate, at):
    client = simulate()
    client.faults(script(at, "huge", bytes=3_000_000))
    assert len(act(client, at).content) == 3_000_000


@pytest.mark.parametrize(
    ("at", "do"), [("submit", "slow-loris"), ("poll", "slow-loris"), ("download", "drip")]
)
def test_a_reply_can_come_byte_by_byte(simulate, at, do):
    client = simulate()
    client.faults(script(at, do, every_s=60))
    client.http.timeout = httpx.Timeout(60, read=0.5)
    with pytest.raises(httpx.ReadTimeout):
        act(client, at)


def test_a_dripping_reply_arrives_whole_in_the_end(simulate):
    client = simulate()
    client.faults(script("submit", "slow-loris", every_s=0))
    assert client.submit().json()["code"] == 0


def test_a_success_can_lack_its_result(simulate):
    client = simulate()
    client.faults(script("submit", "no-result"))
    assert client.submit().json() == {"code": 0, "message": "Success"}
    assert client.totals()["charges"] == 1


@pytest.mark.parametrize(("at", "made"), [("submit", 0), ("poll", 1), ("token", 0)])
def test_any_code_can_be_answered(simulate, at, made):
    client = simulate()
    client.faults(script(at, "code", code=2004, message="busy"))
    assert act(client, at).json() == {"code": 2004, "message": "busy"}
    assert client.totals()["charges"] == made


def test_two_orders_can_get_the_same_task_id(simulate):
    client = simulate()
    client.faults("[{at: submit, do: same-task-id, when: {ordinals: [2]}}]")
    assert client.task_id("r1") == client.task_id("r2")
    assert client.totals()["charges"] == 2


def test_a_status_can_come_as_text(simulate):
    client = simulate()
    client.faults(script("poll", "string-status"))
    assert client.parts(client.task_id())[0]["task_status"] == "1"


@pytest.mark.parametrize("at", ["poll", "download", "token"])
def test_pages_and_resets_happen_everywhere(simulate, at):
    client = simulate()
    client.faults(script(at, "html"))
    assert act(client, at).text.startswith("<!DOCTYPE")
    client.faults(script(at, "reset"))
    with pytest.raises(httpx.ReadError):
        act(client, at)


@pytest.mark.parametrize("do", ["corrupt", "half"])
@pytest.mark.parametrize("extension", ["jpg", "png"])
def test_a_broken_picture_begins_well_and_does_not_decode(simulate, do, extension):
    client = simulate(extension=extension)
    client.faults(script("download", do))
    content = act(client, "download").content
    assert content.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))
    with pytest.raises((OSError, SyntaxError)):
        Image.open(io.BytesIO(content)).load()


def test_a_gzip_bomb_is_small_on_the_wire(simulate):
    client = simulate()
    client.faults(script("download", "gzip-bomb", bytes=5_000_000))
    address = client.parts(client.task_id())[0]["image"]
    with client.http.stream("GET", address) as reply:
        wire = b"".join(reply.iter_raw())
    assert len(wire) < 50_000
    assert len(zlib.decompress(wire, 31)) == 5_000_000


def test_a_picture_can_be_missing_for_its_first_downloads(simulate):
    client = simulate()
    client.faults("[{at: download, do: 404, each: 2}]")
    addresses = [client.parts(client.task_id(name))[0]["image"] for name in "ab"]
    for address in addresses:
        assert [client.http.get(address).status_code for _ in range(3)] == [404, 404, 200]


def test_a_stuck_task_gives_its_slot_back_and_its_charge(simulate):
    client = simulate()
    client.faults("[{at: task, do: stuck, seconds: 0}]")
    task_id = client.task_id()
    assert client.parts(task_id)[0]["task_status"] == 2
    totals = client.totals()
    assert (totals["in_flight"], totals["bought"]) == (0, 0)


def test_a_new_script_replaces_the_old_one_and_a_bad_one_changes_nothing(simulate):
    client = simulate()
    client.faults("[{at: submit, do: 500}]")
    assert client.faults("[{at: submit, do: nonsense}]").status_code == 400
    assert client.submit().status_code == 500
    assert client.http.get("/_sim/faults").json() == {"rules": 1, "struck": {"submit:status-before": 1}}
    client.faults("[]")
    assert client.submit().json()["code"] == 0


@pytest.mark.parametrize("at", ["submit", "poll", "download", "token"])
def test_no_word_of_the_vocabulary_is_a_dead_letter(simulate, at):
    client = simulate()
    client.http.timeout = httpx.Timeout(60, read=0.3)
    usual = act(client, at)
    for do, word in PLACES[at].items():
        if do in {"credits-exhausted", "same-task-id", "short", "expired", "string-status"}:
            continue
        small = {"bytes": 5_000_000} if "bytes" in word.params else {}
        client.faults(script(at, do, **small))
        try:
            reply = act(client, at)
        except httpx.HTTPError:
            continue
        seen = (reply.status_code, len(reply.content), reply.content[:100])
        assert seen != (usual.status_code, len(usual.content), usual.content[:100]), do
