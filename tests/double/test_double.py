"""The double, asked over bare sockets: what it answers, what it charges, and what its books say of it."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.double.process import Double

SUBMIT = "/api-pub/ec/v3/image/vton/async"


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Double]:
    made = Double(tmp_path / "double", tokens=["sk-one"], latency_s=0)
    made.start()
    yield made
    made.kill()


def exchange(double: Double, *requests: bytes) -> bytes:
    """Everything that comes back for requests on one connection."""
    received = b""
    with socket.create_connection(("127.0.0.1", double.port), timeout=60) as connection:
        try:
            connection.sendall(b"".join(requests))
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                received += part
        except OSError:
            received += b"RESET"
    return received


def submit(garment: str = "g", token: str = "sk-one", **more: str) -> bytes:
    asked = {"person": "https://a/p", "upper_clothes": f"https://a/{garment}", "request_id": garment} | more
    body = json.dumps(asked).encode()
    head = f"POST {SUBMIT} HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def results(task_id: str) -> bytes:
    return f"GET {SUBMIT}/results?task_id={task_id} HTTP/1.1\r\nAuthorization: Bearer sk-one\r\n\r\n".encode()


def read(raw: bytes) -> tuple[int, Any]:
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body)


def test_a_pair_becomes_a_task_and_the_task_a_picture(double: Double) -> None:
    status, content = read(exchange(double, submit()))
    task_id = content["result"]["task_id"]
    assert (status, content["code"], content["request_id"]) == (200, 0, "g")
    _, content = read(exchange(double, results(task_id)))
    (sub,) = content["result"]["sub_task_results"]
    assert sub["task_status"] == 1
    raw = exchange(double, f"GET /image/{sub['sub_task_id']}.jpg HTTP/1.1\r\n\r\n".encode())
    assert raw.partition(b"\r\n\r\n")[2].startswith(b"\xff\xd8")
    kinds = [entry["kind"] for entry in double.books.entries()]
    assert kinds == ["submit", "task", "named", "poll", "download"]
    assert double.named() == {task_id}


def test_the_same_pair_twice_is_two_tasks_and_a_wrong_token_or_body_none(double: Double) -> None:
    exchange(double, submit(), submit(), submit(token="sk-two"), submit(dress="https://a/d"))
    assert double.totals()["tasks"] == 2
    assert double.bought_twice() == ["g"]
    assert double.totals()["refused"] == {"token": 1, "dress excludes the others": 1}


@pytest.mark.parametrize(("body", "named"), [("html", False), ("envelope", False), ("task", True)])
def test_a_503_may_come_after_the_task_was_made(double: Double, body: str, *, named: bool) -> None:
    double.set_faults([{"at": "submit", "do": "status", "status": 503, "after": True, "body": body}])
    assert exchange(double, submit()).startswith(b"HTTP/1.1 503 ")
    assert len(double.tasks()) == 1
    assert bool(double.named()) is named


def test_the_limits_are_enforced_when_they_are_set(double: Double) -> None:
    double.set_account(in_flight=1, latency_s=60)
    assert exchange(double, submit("a"), submit("b")).count(b"HTTP/1.1 429 ") == 1
    double.set_account(in_flight=0, per_minute=2)
    assert b"Retry-After: 1" in exchange(double, submit("c"))
    assert double.totals()["refused"] == {"parallel": 1, "rate": 1}


def test_rules_count_and_their_script_changes_while_it_runs(double: Double) -> None:
    double.set_faults([{"at": "submit", "do": "reset", "when": {"match": "/b", "ordinals": [2]}}])
    assert [exchange(double, submit(name))[-5:] == b"RESET" for name in "abab"] == [False, False, False, True]
    double.set_faults([{"at": "submit", "do": "surrogate"}])
    status, content = read(exchange(double, submit("c")))
    assert (status, content["code"], content["message"][-1]) == (200, 2007, "\ud83d")
    assert len(double.tasks()) == 3
    assert double.totals()["faults"] == {"submit:reset": 1, "submit:surrogate": 1}


def test_bytes_may_lie_behind_an_answer(double: Double) -> None:
    double.set_faults([{"at": "submit", "do": "surplus"}])
    assert exchange(double, submit()).count(b"HTTP/1.1 200 ") == 2


def test_the_books_outlive_the_process(double: Double) -> None:
    task_id = read(exchange(double, submit()))[1]["result"]["task_id"]
    double.kill()
    assert len(double.tasks()) == 1
    double.start()
    assert read(exchange(double, results(task_id)))[1]["result"]["task_id"] == task_id
