"""A simulator on loopback, and a caller."""

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from PIL import Image

from tests.simulator.serving import serving
from worker.simulator.app import RESULTS_PATH, SUBMIT_PATH
from worker.simulator.options import Options

TOKEN = "sk-simulator"


def picture(colour: str = "navy", *, size: int = 80, kind: str = "JPEG") -> str:
    file = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


class Client:
    """What a test asks of a running simulator."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.http = httpx.Client(base_url=address, headers={"authorization": f"Bearer {TOKEN}"}, timeout=60)

    def submit(self, request_id: str = "r", **fields: object) -> httpx.Response:
        body = {"person": picture(), "upper_clothes": picture("olive"), "request_id": request_id} | fields
        return self.http.post(
            SUBMIT_PATH, json={key: value for key, value in body.items() if value is not None}
        )

    def task_id(self, request_id: str = "r", **fields: object) -> str:
        return self.submit(request_id, **fields).json()["result"]["task_id"]

    def poll(self, task_id: str) -> httpx.Response:
        return self.http.get(RESULTS_PATH, params={"task_id": task_id})

    def parts(self, task_id: str) -> list[dict]:
        return self.poll(task_id).json()["result"]["sub_task_results"]

    def totals(self) -> dict:
        return self.http.get("/_sim/ledger").json()["totals"]

    def faults(self, script: str) -> httpx.Response:
        return self.http.post("/_sim/faults", content=script)


@contextmanager
def running(options: Options) -> Iterator[Client]:
    with serving(options) as server:
        client = Client(server.address)
        with client.http:
            yield client


@pytest.fixture
def simulate() -> Iterator[Callable[..., Client]]:
    """Starts a simulator that answers at once and ends tasks at once, unless it is asked for something else."""
    with ExitStack() as stack:

        def start(**changes: object) -> Client:
            usual = {"port": 0, "latency_s": 0.0, "submit_delay_s": 0.0}
            return stack.enter_context(running(Options(**(usual | changes))))

        yield start
