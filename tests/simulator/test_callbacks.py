"""The courier against a real receiver."""

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from worker.simulator.callbacks import forge


class Receiver:
    """Takes callbacks; `statuses` are answered in turn, then 200."""

    def __init__(self) -> None:
        self.got: queue.Queue[tuple[str, dict]] = queue.Queue()
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                receiver.got.put((self.path, body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def next(self) -> tuple[str, dict]:
        return self.got.get(timeout=60)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.close()


def settled(client, **expected: int) -> bool:
    """Asks until the counters say what is expected; every question is a round trip of its own."""
    return any(client.totals()["callbacks"] == expected for _ in range(2000))


def test_the_end_of_a_task_is_called_back(simulate, receiver):
    client = simulate()
    task_id = client.task_id("r1", notify_url=f"{receiver.address}/cb/1")
    path, body = receiver.next()
    assert (path, body["request_id"], body["result"]["task_id"]) == ("/cb/1", "r1", task_id)
    assert body["result"]["sub_task_results"][0]["task_status"] == 1
    assert settled(client, sent=1, accepted=1)


def test_only_200_counts_and_the_third_refusal_is_the_last(simulate, receiver):
    receiver.statuses = [500, 204, 404]
    client = simulate()
    client.task_id(notify_url=receiver.address)
    for _ in range(3):
        receiver.next()
    assert settled(client, sent=3, lost=1)


def test_the_shapes_take_turns_when_mixed(simulate, receiver):
    client = simulate(callback_shape="mixed")
    for number in range(4):
        client.task_id(f"r{number}", notify_url=receiver.address)
    shapes = {frozenset(receiver.next()[1]) for _ in range(4)}
    assert len(shapes) == 4


def test_a_callback_can_be_kept_back(simulate, receiver):
    client = simulate()
    client.faults("[{at: callback, do: never, times: 1}]")
    client.task_id("quiet", notify_url=receiver.address)
    client.task_id("again", notify_url=receiver.address)
    assert receiver.next()[1]["request_id"] == "again"
    assert settled(client, withheld=1, sent=1, accepted=1)


def test_a_callback_can_come_twice(simulate, receiver):
    client = simulate()
    client.faults("[{at: callback, do: twice}]")
    client.task_id(notify_url=receiver.address)
    assert receiver.next() == receiver.next()


def test_an_early_callback_comes_before_the_submit_reply(simulate, receiver):
    client = simulate(latency_s=60.0)
    client.faults("[{at: callback, do: early}]")
    task_id = client.task_id(notify_url=receiver.address)
    assert receiver.got.get_nowait()[1]["result"]["task_id"] == task_id


def test_a_forged_callback_goes_to_another_address_first(simulate, receiver):
    client = simulate()
    client.faults("[{at: callback, do: forged}]")
    client.task_id(notify_url=f"{receiver.address}/cb/abcd")
    assert [receiver.next()[0] for _ in range(2)] == ["/cb/abcA", "/cb/abcd"]
    assert forge("/A") == "/B"


def test_a_callback_out_of_order_comes_after_the_next_one(simulate, receiver):
    client = simulate()
    client.faults("[{at: callback, do: out-of-order, when: {ordinals: [1]}}]")
    for name in ("first", "second"):
        client.task_id(name, notify_url=receiver.address)
    assert [receiver.next()[1]["request_id"] for _ in range(2)] == ["second", "first"]


@pytest.mark.parametrize(
    ("rule", "key"), [("do: shape, shape: main", "main_task_id"), ("do: huge, bytes: 2000000", "padding")]
)
def test_one_callback_can_have_another_body(simulate, receiver, rule, key):
    client = simulate()
    client.faults(f"[{{at: callback, {rule}}}]")
    client.task_id(notify_url=receiver.address)
    assert key in receiver.next()[1]


def test_a_late_callback_comes_all_the_same(simulate, receiver):
    client = simulate()
    client.faults("[{at: callback, do: late, seconds: 0.05}]")
    client.task_id(notify_url=receiver.address)
    receiver.next()


def test_a_closed_port_loses_the_callback_but_not_the_task(simulate, receiver):
    client = simulate()
    receiver.close()
    task_id = client.task_id(notify_url=receiver.address)
    assert client.parts(task_id)[0]["task_status"] == 1
