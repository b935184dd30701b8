import base64
import io

import pytest
from PIL import Image

from tests.simulator.conftest import picture
from worker.simulator.app import SUBMIT_PATH, TOKEN_PATH


def test_an_order_becomes_a_task_whose_picture_can_be_downloaded(simulate):
    client = simulate()
    reply = client.submit("r1").json()
    assert (reply["code"], reply["request_id"], len(reply["result"]["sub_task_ids"])) == (0, "r1", 1)
    (part,) = client.parts(reply["result"]["task_id"])
    assert part["task_status"] == 1
    got = client.http.get(part["image"], headers={"authorization": ""})
    assert got.headers["content-type"] == "image/jpeg"
    Image.open(io.BytesIO(got.content)).load()
    assert client.http.get(part["image"]).content == got.content


@pytest.mark.parametrize("slot", ["upper_clothes", "lower_clothes", "dress"])
def test_addresses_are_drawn_and_never_fetched(simulate, slot):
    client = simulate(extension="png")
    fields = {"person": "http://127.0.0.1:9/é p.jpg", "upper_clothes": None, slot: "http://127.0.0.1:9/g.jpg"}
    (part,) = client.parts(client.task_id(**fields))
    got = client.http.get(part["image"])
    assert Image.open(io.BytesIO(got.content)).format == "PNG"


@pytest.mark.parametrize("extension", ["jpg", "png"])
def test_plain_pictures_are_small_and_all_different(simulate, extension):
    client = simulate(plain_pictures=True, sub_tasks=2, extension=extension)
    files = {client.http.get(part["image"]).content for part in client.parts(client.task_id())}
    assert len(files) == 2
    for file in files:
        Image.open(io.BytesIO(file)).load()
        assert 5_000 < len(file) < 30_000


def test_a_bare_id_is_found_under_one_extension_only(simulate):
    client = simulate(bare_ids=True, extension="png")
    (part,) = client.parts(client.task_id())
    assert client.http.get(f"/image/{part['image']}.jpg").status_code == 404
    assert client.http.get(f"/image/{part['image']}.png").status_code == 200


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"person": None}, 1001),
        ({"upper_clothes": None}, 1001),
        ({"dress": "http://x/d.jpg"}, 1001),
        ({"person": 7}, 1001),
        ({"notify_url": "ftp://x"}, 1001),
        ({"person": "data:image/jpeg;base64," + picture()}, 1001),
        ({"person": "@@@"}, 1051),
        ({"person": base64.b64encode(b"no picture").decode()}, 1051),
    ],
)
def test_a_bad_order_is_refused_with_a_code_and_nothing_is_made(simulate, fields, code):
    client = simulate()
    reply = client.submit(**fields)
    assert (reply.status_code, reply.json()["code"]) == (200, code)
    assert "result" not in reply.json()
    assert client.totals()["tasks"] == 0


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_object_is_refused(simulate, body):
    assert simulate().http.post(SUBMIT_PATH, content=body).json()["code"] == 1001


def test_a_body_that_is_too_large_gets_413(simulate):
    assert simulate(max_body_bytes=100).submit().status_code == 413


def test_a_wrong_token_gets_401_everywhere(simulate):
    client = simulate()
    task_id = client.task_id()
    client.http.headers["authorization"] = "Bearer sk-other"
    assert (client.submit().status_code, client.poll(task_id).status_code) == (401, 401)
    assert client.totals()["refused"] == {"unauthorized": 1}


def test_any_token_is_good_when_asked_for(simulate):
    client = simulate(token="any")
    client.http.headers["authorization"] = "Bearer whatever"
    assert client.submit().json()["code"] == 0
    del client.http.headers["authorization"]
    assert client.submit().status_code == 401


def test_an_api_key_buys_a_token_until_it_expires(simulate):
    client = simulate(api_key="key")
    assert client.http.get(TOKEN_PATH, headers={"api-key": "other"}).status_code == 401
    result = client.http.get(TOKEN_PATH, headers={"api-key": "key"}).json()["result"]
    assert result["expire_time"].endswith("+00:00")
    client.http.headers["authorization"] = f"Bearer {result['token']}"
    assert client.submit().json()["code"] == 0
    client.faults("[{at: token, do: expired}]")
    result = client.http.get(TOKEN_PATH, headers={"api-key": "key"}).json()["result"]
    client.http.headers["authorization"] = f"Bearer {result['token']}"
    assert client.submit().status_code == 401


def test_pictures_per_minute_are_enforced(simulate):
    client = simulate(images_per_minute=2)
    replies = [client.submit(f"r{n}") for n in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert 1 <= int(replies[2].headers["retry-after"]) <= 60
    totals = client.totals()
    assert (totals["tasks"], totals["refused"], totals["over_limit_windows"]) == (2, {"rate": 1}, 1)
    assert len(client.http.get("/_sim/arrivals").json()["arrivals"]) == 3


def test_parallel_tasks_are_enforced(simulate):
    client = simulate(in_flight=1, latency_s=60.0)
    assert [client.submit(f"r{n}").status_code for n in range(2)] == [200, 429]
    assert client.totals()["max_in_flight_seen"] == 1


def test_too_many_parallel_tasks_can_be_answered_by_a_code(simulate):
    client = simulate(in_flight=1, latency_s=60.0, parallel_code=2004)
    client.submit("r1")
    reply = client.submit("r2")
    assert (reply.status_code, reply.json()["code"]) == (200, 2004)


def test_an_account_without_credits_says_2007_until_it_is_topped_up(simulate):
    client = simulate(credits=1)
    assert [client.submit(f"r{n}").json()["code"] for n in range(2)] == [0, 2007]
    assert client.http.post("/_sim/credits", json={"add": 1}).json() == {"credits": 1}
    assert client.submit("r3").json()["code"] == 0
    assert client.http.post("/_sim/credits", json={"add": "x"}).status_code == 400
    assert client.http.post("/_sim/credits", json={"add": None}).json() == {"credits": None}


def test_credits_can_run_out_by_a_fault(simulate):
    client = simulate()
    client.faults("[{at: submit, do: credits-exhausted, when: {ordinals: [2]}}]")
    assert [client.submit(f"r{n}").json()["code"] for n in range(3)] == [0, 2007, 2007]
    client.http.post("/_sim/credits", json={"add": 5})
    assert client.submit("r9").json()["code"] == 0


def test_nothing_is_deduplicated_unless_asked_for(simulate):
    client = simulate()
    assert client.task_id("same") != client.task_id("same")
    assert client.totals()["bought_twice"] == ["same"]
    kind = simulate(dedupe=True)
    assert kind.task_id("same") == kind.task_id("same")
    assert kind.totals()["charges"] == 1


def test_an_unknown_task_is_404(simulate):
    assert simulate().poll("nobody").status_code == 404


def test_the_ledger_lists_every_task_and_what_was_done_about_it(simulate):
    client = simulate()
    (part,) = client.parts(client.task_id("r1"))
    for _ in range(2):
        client.http.get(part["image"])
    book = client.http.get("/_sim/ledger").json()
    (line,) = book["tasks"]
    assert {"request_id", "task_id", "created", "ended", "status", "charged"} <= line.keys()
    assert (line["polls"], line["downloads"], line["called_back"]) == (1, 2, None)
    assert line["created"] <= line["seen"] <= line["downloaded"]
    assert "tasks" not in client.http.get("/_sim/ledger?tasks=0").json()
    assert client.http.get("/_sim/health").json()["ok"]


def test_tasks_and_charges_survive_a_restart(simulate, tmp_path):
    client = simulate(state=tmp_path / "state.db", latency_s=60.0, images_per_minute=1)
    task_id = client.task_id("r1")
    again = simulate(state=tmp_path / "state.db", latency_s=60.0, images_per_minute=1)
    assert again.poll(task_id).json()["request_id"] == "r1"
    assert again.submit("r2").status_code == 429
    assert again.totals()["charges"] == 1
