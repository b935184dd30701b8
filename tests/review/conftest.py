"""The contact sheets of a real ledger and real files, served on loopback."""

import asyncio
import json
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.ledger import Ledger
from jobs.ledger.verdicts import verdicts_of
from jobs.records import BatchId, Verdict
from jobs.redis.client import connect
from tests.report.conftest import browser  # noqa: F401  # a fixture
from tests.report.test_page import DESK
from tests.results.conftest import Books
from tests.runs.conftest import shop, vendor  # noqa: F401  # fixtures
from worker.callbacks.server import bounded_server
from worker.review.app import ReviewSite
from worker.review.known import Known
from worker.site.access import HEADER, Access

TOKEN = "letters-of-a-token-4711"
LOOK_TOKEN = "letters-to-look-only-4711"
MANIFEST = "sku,person,upper\n" + "".join(
    f"S{n},https://a.example/p,https://a.example/{n}\n" for n in range(1, 4)
)


@dataclass
class Site:
    """A served site, and one who asks it."""

    port: int
    ledger: Ledger
    books: Books
    batch: BatchId
    access: Access
    client: httpx.Client

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def folder(self) -> Path:
        return self.books.out / self.batch

    @property
    def page(self) -> str:
        return f"/b/{self.batch}/report/index.html"

    def lines(self) -> list[dict[str, Any]]:
        return self.books.lines(self.batch)

    def enter(self, token: str = TOKEN, **headers: str) -> httpx.Response:
        given = {HEADER: "enter", "sec-fetch-site": "same-origin"} | headers
        return self.client.post("/enter", json={"token": token}, headers=given)

    def send(
        self, *verdicts: dict[str, Any], since: str = "", batch: str = "", **headers: str
    ) -> httpx.Response:
        given = {HEADER: self.access.page_token, "sec-fetch-site": "same-origin"} | headers
        body = json.dumps({"since": since, "verdicts": verdicts})
        return self.client.post(f"/b/{batch or self.batch}/verdicts", content=body, headers=given)

    def kept(self) -> list[Verdict]:
        return verdicts_of(self.ledger, self.batch)


def said_of(line: dict[str, Any], verdict: str = "approve", **more: Any) -> dict[str, Any]:
    """What a page sends of a row's picture."""
    return {
        "row": line["row"],
        "request_id": line["request_id"],
        "picture_sha256": line["images"][0]["sha256"],
        "verdict": verdict,
        "reviewer": "Ana",
        "at": "2026-11-27T10:00:00.000Z",
    } | more


@pytest.fixture
def reviewers(browser):  # noqa: F811  # the fixture above
    """Opens a sheet for somebody with a browser of their own, by the address and the token that were passed on to them."""
    contexts, errors = [], []

    def enter(address, token, batch, name, where="#order=row"):
        context = browser.new_context(**DESK)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{address}#token={token}")
        page.get_by_role("link", name=batch).wait_for(timeout=120_000)
        assert "token" not in page.url
        page.goto(f"{address}b/{batch}/report/index.html{where}")
        page.wait_for_selector("body[data-ready]", timeout=120_000)
        # Who may only look has no such field.
        if name:
            page.fill("#reviewer", name)
            page.locator("#reviewer").blur()
        return page

    yield enter
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def site(request, ledger, queue, redis_settings, tmp_path):
    """Of three rows; a test may have its own manifest (indirect)."""
    books = Books(folder=tmp_path, ledger=ledger, queue=queue)
    batch = books.feed(getattr(request, "param", MANIFEST))
    books.finish()
    books.exporter.export(batch, tables=True)
    client = connect(redis_settings, db=redis_settings.ledger_db, patience_s=1)
    access = Access(TOKEN)
    made = ReviewSite(
        known=Known(Ledger(client, redis_settings.prefix)),
        judging=access,
        looking=Access(LOOK_TOKEN),
        output_dir=books.out,
    )
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = bounded_server(made.app(), host="127.0.0.1", port=port, head_s=60)
    thread = threading.Thread(target=asyncio.run, args=(server.serve(sockets=[listening]),))
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as asking:
        yield Site(port=port, ledger=ledger, books=books, batch=batch, access=access, client=asking)
    server.should_exit = True
    thread.join(60)
    listening.close()
    client.close()
