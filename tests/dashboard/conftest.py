"""The dashboard of a real ledger and real files, served on loopback."""

import asyncio
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from html.parser import HTMLParser

import httpx
import pytest

from jobs.config.settings import LimitSettings, Settings
from jobs.ledger import Ledger, steps
from jobs.ledger.records import Heartbeat
from jobs.producing.queue import Queue
from jobs.records import BatchId, JobState
from jobs.redis.client import connect
from tests.report.conftest import browser  # noqa: F401  # a fixture
from tests.results.conftest import Books, books  # noqa: F401  # a fixture
from tests.runs.conftest import shop, vendor  # noqa: F401  # fixtures
from worker.callbacks.server import bounded_server
from worker.dashboard.app import DashboardSite
from worker.dashboard.feed import Feed
from worker.dashboard.look import Eye, Look, Shop
from worker.dashboard.pictures import SmallPictures
from worker.site.access import HEADER, Access

TOKEN = "letters-of-a-token-4711"
LOOK_TOKEN = "letters-to-look-only-4711"
HEAD = "sku,person,upper\n"
LIMITS = LimitSettings(in_flight=10, images_per_minute=300, price_per_image=Decimal("0.35"), currency="CNY")


def rows(*skus: str) -> str:
    """A manifest of these SKUs, a pair of its own each."""
    return HEAD + "".join(f"{sku},https://a.example/p,https://a.example/{sku}\n" for sku in skus)


class _Forms(HTMLParser):
    """The hidden fields of the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("type") == "hidden":
            self.fields[given["name"] or ""] = given["value"] or ""


@dataclass
class Site:
    """A served dashboard, and one who asks it."""

    port: int
    made: DashboardSite
    books: Books
    client: httpx.Client
    #: Looks that were taken.
    looks: list[Look] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def ledger(self) -> Ledger:
        return self.books.ledger

    def enter(self, token: str = TOKEN, **headers: str) -> httpx.Response:
        given = {HEADER: "enter", "sec-fetch-site": "same-origin"} | headers
        return self.client.post("/enter", json={"token": token}, headers=given)

    def page(self) -> str:
        """The page with a new look."""
        self.made.feed.forget()
        answer = self.client.get("/")
        assert answer.status_code == 200
        return answer.text

    def ask(self, act: str, **names: str) -> tuple[str, dict[str, str]]:
        """What an act would touch, in words, and what its form would send."""
        answer = self.client.get(f"/ask/{act}", params=names)
        assert answer.status_code == 200, answer.text
        form = _Forms()
        form.feed(answer.text)
        return words(answer.text), form.fields

    def send(self, act: str, given: dict[str, str], **headers: str) -> httpx.Response:
        return self.client.post(f"/do/{act}", data=given, headers={"sec-fetch-site": "same-origin"} | headers)

    def do(self, act: str, *, more: dict[str, str] | None = None, **names: str) -> httpx.Response:
        """Asks, and confirms what was shown."""
        return self.send(act, self.ask(act, **names)[1] | (more or {}))

    def events(self) -> Iterator[dict[str, str]]:
        """The parts of each event."""
        with self.client.stream("GET", "/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    def counts(self, batch: BatchId) -> dict[str, int]:
        return dict(self.ledger.status(batch).counts)


def words(page: str) -> str:
    """What a page says."""
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def ended(*states: JobState) -> Callable[..., JobState]:
    """Outcomes in turns; then all succeed."""
    left = iter(states)
    return lambda _job: next(left, JobState.SUCCEEDED)


def beat(ledger: Ledger, role: str = "submit", **more: object) -> Heartbeat:
    """A process that was just heard."""
    given = {"role": role, "host": "host-a", "pid": 4711, "version": "1.2.3", "up_ms": 60_000} | more
    heard = Heartbeat(**given)  # type: ignore[arg-type]  # as a record of another version may have it
    ledger.run(steps.heartbeat(f"{role}-{heard.pid}", heard))
    return heard


@pytest.fixture
def site(books, redis_settings, tmp_path):  # noqa: F811  # the fixture above
    settings = Settings(redis=redis_settings, output_dir=books.out, data_dir=tmp_path / "data", limits=LIMITS)
    clients = [
        connect(redis_settings, db=db, patience_s=1)
        for db in (redis_settings.ledger_db, redis_settings.queue_db)
    ]
    prefix = redis_settings.prefix
    made_shop = Shop(settings=settings, ledger=Ledger(clients[0], prefix), queue=Queue(clients[1], prefix))
    looks: list[Look] = []
    eye = Eye(made_shop, clock=lambda: float(len(looks) * 100))

    def look() -> Look:
        looks.append(eye.look())
        return looks[-1]

    made = DashboardSite(
        shop=made_shop,
        feed=Feed(look, period_s=0.2),
        pictures=SmallPictures(output_dir=books.out),
        acting=Access(TOKEN),
        looking=Access(LOOK_TOKEN),
    )
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = bounded_server(made.app(), host="127.0.0.1", port=port, head_s=60)
    made.ending = lambda: server.should_exit
    thread = threading.Thread(target=asyncio.run, args=(server.serve(sockets=[listening]),))
    thread.start()
    # No connection is used twice: on a busy machine the server may just have closed it.
    options = {"trust_env": False, "timeout": 60, "limits": httpx.Limits(max_keepalive_connections=0)}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", **options) as asking:
        yield Site(port=port, made=made, books=books, client=asking, looks=looks)
    server.should_exit = True
    thread.join(60)
    listening.close()
    for client in clients:
        client.close()


@pytest.fixture
def entered(site):
    assert site.enter().status_code == 200
    return site
