"""The receiver over real sockets: what it keeps, what it refuses, and that all refusals look alike."""

import json
import threading

import httpx
import pytest
import structlog

BODY = {"task_id": "t-1", "sub_task_results": []}
JOB = "4f5c9ad2-9e62-5d5c-8a0c-3a2f6a8f6c11"
JSON = {"content-type": "application/json"}


def post(url, **given):
    return httpx.post(url, trust_env=False, timeout=60, **({"json": BODY} | given))


def told(response):
    return response.status_code, response.content, response.headers.raw


def post_head(receiver, framing):
    head = f"POST {receiver.path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{framing}\r\n\r\n"
    return head.encode()


def read_all(connection):
    received = b""
    try:
        while part := connection.recv(65_536):
            received += part
    except ConnectionResetError:
        pass
    return received


def test_a_callback_is_kept_and_answered_200(receiver):
    with structlog.testing.capture_logs() as logs:
        assert post(receiver.url).status_code == 200
    assert receiver.store.kept == [(JOB, "t-1")]
    assert receiver.outcomes == ["received"]
    assert logs == [{"event": "callback.received", "log_level": "info", "request_id": JOB, "task_id": "t-1"}]


@pytest.mark.parametrize(
    "content",
    [
        {"code": 0, "result": {"task_id": "t-1", "sub_task_results": []}},
        {"task_id": "t-1", "sub_task_results": []},
        {"main_task_id": "t-1", "sub_task_results": []},
        {"main_task_id": "t-1", "result": {}},
    ],
)
def test_each_body_shape_is_kept_with_its_task(receiver, content):
    body = json.dumps(content)
    assert post(
        receiver.url, json=None, content=body, headers={"content-type": "Application/JSON; charset=utf-8"}
    ).is_success
    assert receiver.store.kept == [(JOB, "t-1")]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/octet-stream", "", None]
)
def test_a_body_of_json_is_kept_whatever_its_header_calls_it(receiver, kind):
    headers = {} if kind is None else {"content-type": kind}
    assert post(receiver.url, json=None, content=b'{"task_id": "t-1"}', headers=headers).status_code == 200
    assert receiver.store.kept == [(JOB, "t-1")]


def test_the_same_callback_twice_is_kept_twice_and_is_200_twice(receiver):
    assert [post(receiver.url).status_code for _ in range(2)] == [200, 200]
    assert len(receiver.store.kept) == 2


def test_an_ingress_may_strip_the_public_path(receiver):
    assert post(receiver.url.replace("/hooks/", "/")).status_code == 200


def test_every_refusal_is_the_same_404_to_the_byte(receiver):
    url, mac = receiver.url, receiver.url.rsplit("/", 1)[1]
    base = url.split("/callbacks/")[0]
    forged = url.replace(mac, mac[::-1])
    expired = receiver.addresses.address(JOB, receiver.now_s - 7200)
    refusals = {
        "path": [post(f"{base}/"), post(f"{base}/callbacks/x"), post(f"{url}/"), post(f"{base}/../healthz")],
        "method": [
            httpx.request(method, url, trust_env=False, timeout=60)
            for method in ("GET", "PUT", "DELETE", "OPTIONS", "BREW")
        ],
        "address": [post(forged), post(expired), post(url.replace(JOB, JOB.replace("4", "5")))],
        "not_json": [
            post(url, json=None),
            post(
                url,
                json=None,
                content=b"task_id=t-1",
                headers={"content-type": "application/x-www-form-urlencoded"},
            ),
        ]
        + [post(url, json=None, content=body, headers=JSON) for body in (b"", b"x", b"[]", b"[" * 60_000)],
        "too_big": [post(url, json=None, content=b" " * 65_537, headers=JSON)],
        "unknown_job": [
            post(receiver.addresses.address("11111111-9e62-5d5c-8a0c-3a2f6a8f6c11", receiver.now_s))
        ],
    }
    answers = {str(told(response)) for responses in refusals.values() for response in responses}
    assert len(answers) == 1
    assert "404" in answers.pop()
    assert receiver.store.kept == []
    assert set(receiver.outcomes) == {"refused"}


def test_a_refusal_says_its_reason_to_the_log_and_never_the_mac(receiver):
    mac = receiver.url.rsplit("/", 1)[1]
    with structlog.testing.capture_logs() as logs:
        post(receiver.url, json=None, content=b"x", headers=JSON)
        post(receiver.url.replace(mac, mac[::-1]))
    assert [(line["event"], line["reason"], line["request_id"]) for line in logs] == [
        ("callback.refused", "not_json", JOB),
        ("callback.refused", "address", JOB),
    ]
    assert mac not in str(logs)
    assert mac[::-1] not in str(logs)


def test_a_store_that_is_down_is_503_so_that_hidream_comes_again(receiver):
    receiver.store.down = True
    assert post(receiver.url).status_code == 503
    receiver.store.down = False
    assert post(receiver.url).status_code == 200
    assert receiver.outcomes == ["unavailable", "received"]


@pytest.mark.parametrize("receiver", [{"store_s": 0.3}], indirect=True, ids=["store_s"])
def test_a_store_that_does_not_answer_is_503_within_hidreams_patience(receiver):
    receiver.store.silent = True
    assert post(receiver.url).status_code == 503


@pytest.mark.parametrize("receiver", [{"read_s": 0.3}], indirect=True, ids=["read_s"])
def test_a_body_that_drips_is_refused_at_its_deadline(receiver):
    head = post_head(receiver, "content-length: 500")
    with receiver.connect() as connection:
        connection.sendall(head + b'{"task_id"')
        assert read_all(connection).startswith(b"HTTP/1.1 404 ")
    assert receiver.outcomes == ["refused"]


def test_a_body_announced_as_huge_is_refused_before_a_byte_of_it_is_read(receiver):
    head = post_head(receiver, "content-length: 10485760")
    with receiver.connect() as connection:
        connection.sendall(head)
        assert read_all(connection).startswith(b"HTTP/1.1 404 ")


def test_a_body_in_endless_chunks_is_refused_at_its_cap(receiver):
    head = post_head(receiver, "transfer-encoding: chunked")
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    with receiver.connect() as connection:
        connection.sendall(head + chunk * 4 + b"1\r\n \r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("receiver", [{"head_s": 0.3}], indirect=True, ids=["head_s"])
def test_a_silent_connection_is_hung_up_on(receiver):
    with receiver.connect() as silent, receiver.connect() as dripping:
        dripping.sendall(b"POST /callbacks/x HTTP/1.1\r\nx-half: ")
        assert read_all(silent) == b""
        assert read_all(dripping) == b""


def test_a_caller_that_hangs_up_in_its_body_leaves_the_receiver_working(receiver):
    head = post_head(receiver, "content-length: 500")
    for _ in range(5):
        with receiver.connect() as connection:
            connection.sendall(head)
    assert post(receiver.url).status_code == 200


def test_a_request_for_a_websocket_is_refused_like_any_other(receiver):
    head = f"GET {receiver.path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    with receiver.connect() as connection:
        connection.sendall(head.encode())
        assert read_all(connection).startswith(b"HTTP/1.1 404 ")


def test_a_storm_of_true_and_forged_callbacks_keeps_exactly_the_true_ones(receiver):
    mac = receiver.url.rsplit("/", 1)[1]
    codes = []

    def call(number):
        for index in range(10):
            url = receiver.url if index % 2 else receiver.url.replace(mac, f"{number * 10 + index:064x}")
            codes.append(post(url).status_code)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200] * 40 + [404] * 40
    assert len(receiver.store.kept) == 40


def test_health_is_200(receiver):
    assert (
        httpx.get(f"http://127.0.0.1:{receiver.port}/healthz", trust_env=False, timeout=60).status_code == 200
    )
    assert post(f"http://127.0.0.1:{receiver.port}/healthz").status_code == 404
