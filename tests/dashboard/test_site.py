"""What the dashboard gives to whom, what it refuses, and that every act does what was shown and nothing else."""

import asyncio
import http.client
import itertools
import threading

import pytest
from pydantic import SecretStr

from jobs.config.settings import RedisSettings
from jobs.health.account import shut_words
from jobs.health.assessment import assess
from jobs.health.reading import read_health
from jobs.records import JobState
from jobs.redis.client import connect
from tests.dashboard.conftest import LIMITS, LOOK_TOKEN, TOKEN, beat, ended, rows, words
from worker.dashboard.acts import ACTS
from worker.dashboard.feed import Feed
from worker.dashboard.look import Look
from worker.site.access import Access

NAMES = ("flow", "execution", "liveness")
#: Whoever may look may ask for these.
READING = {"/healthz", "/pages/{name}", "/enter", "/", "/events", "/b/{batch}/{path:path}"}


def acting_addresses(site):
    """Every method and address by which something is done, or shown before it is."""
    for route in site.made.routes():
        if route.path not in READING:
            for method, act in itertools.product(sorted(route.methods - {"HEAD"}), ACTS):
                yield method, route.path.replace("{act}", act)


def state_of(site, batch):
    """All that an act could change."""
    return site.counts(batch), site.ledger.gate(), site.made.shop.queue.waiting("collect")


@pytest.fixture
def batch(site):
    """One picture there, one failed, one unknown, two waiting."""
    batch = site.books.feed(rows("S1", "S2", "S3", "S4", "S5"))
    site.books.finish(ended(JobState.SUCCEEDED, JobState.FAILED, JobState.UNKNOWN), most=3)
    site.books.exporter.export(batch)
    return batch


def unknown_job(site):
    (name,) = site.ledger.client.zrange(site.ledger.key("unknown"), 0, -1)
    return name


def test_without_a_token_every_address_asks_for_it_and_says_nothing(site, batch):
    for path in ["/", "/events", "/ask/pause", f"/ask/retry?batch={batch}", f"/b/{batch}/images/S1_0001.jpg"]:
        answer = site.client.get(path)
        assert (answer.status_code, batch in answer.text, "<h1>Dashboard</h1>" in answer.text) == (
            401,
            False,
            True,
        )
    before = state_of(site, batch)
    for act in ACTS:
        assert site.send(act, {"page": Access(TOKEN).page_token, "batch": batch}).status_code == 403
    assert state_of(site, batch) == before
    assert site.client.get("/healthz").text == "ok\n"
    assert site.looks == []


def test_each_token_opens_its_role_and_the_browser_has_one_at_a_time(site):
    for wrong in ("", TOKEN[:-1], "\u4e2d"):
        assert site.enter(wrong).status_code == 403
    cookie = site.enter(LOOK_TOKEN).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    page = site.page()
    assert ("looking only" in page, "/ask/" in page) == (True, False)
    site.enter(TOKEN)
    page = site.page()
    assert ("looking only" in page, "/ask/pause" in page) == (False, True)
    site.enter(LOOK_TOKEN)
    assert "looking only" in site.page()
    assert TOKEN not in page
    assert LOOK_TOKEN not in page


def test_who_may_only_look_is_refused_at_every_act(site, batch):
    site.enter(LOOK_TOKEN)
    before, addresses = state_of(site, batch), list(acting_addresses(site))
    assert len(addresses) == 2 * len(ACTS)
    for page_token in (Access(TOKEN).page_token, Access(LOOK_TOKEN).page_token):
        given = {"page": page_token, "batch": batch, "which": "failed", "pictures": "9", "job": unknown_job(site),
                 "outcome": "not_bought", "by": "Ana", "posted": ""}  # fmt: skip
        for method, path in addresses:
            answer = site.client.request(
                method, path, data=given if method == "POST" else None, params={"batch": batch},
                headers={"sec-fetch-site": "same-origin"},
            )  # fmt: skip
            assert (answer.status_code, answer.text) == (403, "role\n"), path
    assert state_of(site, batch) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": None, "origin": "http://evil.example"},
        {"sec-fetch-site": None, "origin": "null"},
        # A name that leads here since a moment ago: what the page calls itself is not what is asked.
        {"sec-fetch-site": None, "origin": "http://evil.example:80", "host": "127.0.0.1"},
        {"sec-fetch-site": None},
    ],
)
def test_no_act_comes_from_another_page_than_ours(entered, batch, headers):
    before = state_of(entered, batch)
    for act in ACTS:
        given = {"page": Access(TOKEN).page_token, "batch": batch, "why": "x"}
        sent = {name: value for name, value in headers.items() if value is not None}
        assert entered.client.post(f"/do/{act}", data=given, headers=sent).status_code == 403
        assert entered.send(act, given | {"page": ""}).status_code == 403
        assert entered.send(act, given | {"page": Access(LOOK_TOKEN).page_token}).status_code == 403
    assert state_of(entered, batch) == before


def test_a_browser_that_names_its_origin_only_is_believed_for_our_own(entered):
    own = {"origin": f"http://127.0.0.1:{entered.port}"}
    given = entered.ask("pause")[1]
    assert entered.client.post("/do/pause", data=given, headers=own).status_code == 303
    assert entered.ledger.gate().paused == "paused by a person"


def test_a_form_that_is_none_does_nothing(entered, batch):
    before, page = state_of(entered, batch), Access(TOKEN).page_token
    same = {"sec-fetch-site": "same-origin"}
    for content, status in ((b"\xff\xfe", 400), (b"a=1&" * 50, 400), (b"x" * 9000, 413), (b"", 403)):
        assert entered.client.post("/do/pause", content=content, headers=same).status_code == status
    assert entered.client.get("/do/pause").status_code == 405
    assert entered.send("prune", {"page": page}).status_code == 404
    assert entered.client.get("/ask/prune").status_code == 404
    for act in ("cancel", "retry", "settle"):
        assert entered.send(act, {"page": page, "batch": "none"}).status_code == 404
        assert entered.client.get(f"/ask/{act}?batch=none").status_code == 404
    assert entered.send("retry", {"page": page, "batch": batch, "which": "lost"}).status_code == 409
    assert state_of(entered, batch) == before


def test_every_answer_forbids_framing_scripts_of_others_and_guessing_types(entered, batch):
    addresses = [
        "/",
        "/ask/pause",
        f"/ask/cancel?batch={batch}",
        "/ask/prune",
        "/pages/dashboard.js",
        "/nothing",
    ]
    answers = [
        *(entered.client.get(path) for path in addresses),
        entered.send("pause", {}),
        entered.do("pause"),
    ]
    assert [each.status_code for each in answers] == [200, 200, 200, 404, 200, 404, 403, 303]
    for each in answers:
        policy = each.headers["content-security-policy"]
        assert each.headers["x-frame-options"] == "DENY"
        assert each.headers["x-content-type-options"] == "nosniff"
        assert {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy.split("; "))
        assert "unsafe" not in policy
    page = entered.page()
    assert "<script>" not in page
    assert "style=" not in page
    assert "http:" not in page.replace("http://www.w3.org", "")


def test_pause_and_resume_say_what_waits_and_what_it_would_cost(entered, batch):
    told, _ = entered.ask("pause")
    assert "2 jobs waiting (2 pictures, 0.70 CNY), of every batch" in told
    assert entered.do("pause", more={"why": "look at the faces"}).status_code == 303
    assert entered.ledger.gate().paused == "look at the faces"
    page = words(entered.page())
    assert "Nothing goes out paused: look at the faces" in page
    assert "paused: look at the faces" in page.partition("Done from here")[2]
    told, _ = entered.ask("resume")
    assert "2 jobs waiting: up to 2 pictures, 0.70 CNY" in told
    assert entered.do("resume").status_code == 303
    assert shut_words(entered.ledger.gate(), simulated=False) == ""
    assert "The gate is open" in entered.ask("resume")[0]


def test_cancel_takes_what_waits_of_one_batch(entered, batch):
    other = entered.books.feed(rows("T1"), "other.csv")
    told, _ = entered.ask("cancel", batch=batch)
    assert "2 rows waiting: at most 2 pictures, 0.70 CNY" in told
    assert entered.do("cancel", batch=batch).headers["location"] == "../"
    assert entered.counts(batch) == {"succeeded": 1, "failed": 1, "unknown": 1, "cancelled": 2}
    assert entered.counts(other) == {"queued": 1}


def test_retry_does_what_was_shown_and_no_more(entered, batch):
    assert "Which ones?" in entered.ask("retry", batch=batch)[0]
    told, form = entered.ask("retry", batch=batch, which="failed")
    assert "1 job would wait again: up to 1 picture, 0.35 CNY" in told
    assert "paid for twice" in entered.ask("retry", batch=batch, which="unknown")[0]
    entered.books.finish(ended(JobState.FAILED), most=1)
    answer = entered.send("retry", form)
    assert answer.status_code == 409
    assert "it would be 2 pictures by now, 1 were shown" in words(answer.text)
    assert entered.counts(batch)["failed"] == 2
    assert entered.do("retry", batch=batch, which="failed").status_code == 303
    assert entered.counts(batch) == {"succeeded": 1, "unknown": 1, "queued": 3}
    # A second click on what was shown finds nothing more.
    assert entered.send("retry", form).status_code == 303
    assert entered.counts(batch) == {"succeeded": 1, "unknown": 1, "queued": 3}


def test_an_unknown_row_is_listed_with_its_time_and_settled_as_a_person_says(entered, batch):
    job = unknown_job(entered)
    page = entered.page()
    assert job in page
    assert f"/ask/settle?batch={batch}&amp;job={job}" in page
    told, form = entered.ask("settle", batch=batch, job=job)
    assert "SKU S3" in told
    assert "sent once more, 1 picture, 0.35 CNY; and charged twice" in told
    for more in (
        {"outcome": "bought", "by": "Ana"}, {"outcome": "leave", "task_id": "t", "by": "Ana"},
        {"outcome": "bought", "task_id": "two words", "by": "Ana"}, {"outcome": "leave"}, {"by": "Ana"},
        {"outcome": "not_bought", "by": "Ana", "posted": "1"}, {"outcome": "not_bought", "by": "Ana", "posted": ""},
        {"outcome": "bought", "task_id": "t1", "by": "Ana"},
    ):  # fmt: skip
        answer = entered.send("settle", form | more)
        assert (answer.status_code, "nothing was settled" in answer.text) == (409, True), more
    assert entered.ledger.jobs([job])[job].settled == ()
    assert entered.send("settle", form | {"outcome": "leave", "by": "Ana"}).status_code == 303
    assert f"{job}: left as it is" in words(entered.page())
    assert "<h2>Unknown" not in entered.page()
    # Somebody has found out more since; and what was said then is not taken back by a click.
    given = {"outcome": "bought", "task_id": "theirs", "by": "Ben"}
    assert entered.send("settle", form | given).status_code == 303
    assert entered.send("settle", form | {"outcome": "not_bought", "by": "Cy"}).status_code == 409
    assert [each.by for each in entered.ledger.jobs([job])[job].settled] == ["Ana", "Ben"]


@pytest.mark.parametrize(
    ("outcome", "task_id", "state"), [("bought", "theirs", "submitted"), ("not_bought", "", "queued")]
)
def test_what_was_settled_goes_on_once(entered, batch, outcome, task_id, state):
    job = unknown_job(entered)
    _, form = entered.ask("settle", batch=batch, job=job)
    given = form | {"outcome": outcome, "task_id": task_id, "by": "Ana"}
    assert [entered.send("settle", given).status_code for _ in range(2)] == [303, 303]
    found = entered.ledger.jobs([job])[job]
    assert (found.state, found.task_id or "", found.settled[0].by) == (state, task_id, "Ana")
    assert "nothing to settle" in entered.ask("settle", batch=batch, job=job)[0]
    assert entered.send("settle", form | {"outcome": "leave", "by": "Ben"}).status_code == 409


def test_the_verdict_is_that_of_vton_status(entered, batch):
    beat(entered.ledger)
    page = words(entered.page())
    look = entered.looks[-1]
    _, health = read_health(
        entered.ledger, entered.made.shop.settings, lost="", lost_action="", simulated=False
    )
    assert look.health == assess(look.facts)
    assert [getattr(look.health, name).state for name in NAMES] == [
        getattr(health, name).state for name in NAMES
    ]
    for name in NAMES:
        found = getattr(look.health, name)
        assert f"{name} {found.state} {found.evidence}" in page.replace("&#39;", "'")
        assert found.action in page.replace("&#39;", "'").replace("&gt;", ">")
    assert f"of {LIMITS.in_flight}" in page


def test_a_lost_ledger_is_said(entered, batch):
    entered.made.shop.settings.data_dir.mkdir()
    for key in entered.ledger.client.scan_iter(f"{entered.ledger.prefix}:*"):
        entered.ledger.client.delete(key)
    page = words(entered.page())
    assert "nothing is bought" in page
    assert entered.looks[-1].health.flow.state == "wrong"


def test_processes_stand_in_the_list_and_the_silent_ones_first(entered):
    beat(entered.ledger, "submit", idle_ms=3000)
    beat(entered.ledger, "collect", pid=12)
    key = entered.ledger.key("heartbeats")
    at_ms, _, said = entered.ledger.client.hget(key, "collect-12").partition(" ")
    entered.ledger.client.hset(key, "collect-12", f"{int(at_ms) - 60_000} {said}")
    page = words(entered.page()).partition("Processes")[2]
    assert page.index("collect silent for 1 min") < page.index("submit last act 3 s ago")
    assert "host-a:4711 · 1.2.3 · up 1 min 0 s" in page


def test_failures_are_grouped_by_reason_and_owner(entered):
    entered.books.feed(rows("S1", "S2", "S3"))
    entered.books.finish(ended(JobState.FAILED, JobState.REJECTED, JobState.FAILED))
    page = words(entered.page()).partition("Failures")[2]
    assert "of the last 3 ends" in page
    assert page.index("2 no_result vendor") < page.index("1 moderated merch")


def test_the_last_pictures_are_small_ones_of_the_output_folder(entered, batch):
    page = entered.page()
    path = f"/b/{batch}/images/S1_0001.jpg"
    assert f'src=".{path}"' in page
    answer = entered.client.get(path)
    assert (answer.headers["content-type"], answer.content[8:12]) == ("image/webp", b"WEBP")
    entered.books.exporter.export(batch, tables=True)
    assert "/report/thumbnails/" in entered.page()
    assert str(entered.books.folder) not in entered.page()


PATHS = [
    "results.jsonl",
    "summary.json",
    "report/index.html",
    "report/rows/0001.js",
    "images/../results.jsonl",
    "images/..%2f..%2fsecret.jpg",
    "images/%2e%2e/%2e%2e/secret.jpg",
    "images//secret.jpg",
    "images/link.jpg",
    "images/broken.jpg",
    "",
]


@pytest.mark.parametrize("path", PATHS)
def test_nothing_but_pictures_is_given(entered, batch, path):
    entered.books.exporter.export(batch, tables=True)
    images = entered.books.out / batch / "images"
    (entered.books.out / "secret.jpg").write_bytes(b"secret")
    (images / "link.jpg").symlink_to(entered.books.out / "secret.jpg")
    (images / "broken.jpg").write_bytes(b"secret")
    connection = http.client.HTTPConnection("127.0.0.1", entered.port, timeout=60)
    access = entered.made.acting
    connection.putrequest("GET", f"/b/{batch}/{path}", skip_accept_encoding=True)
    connection.putheader("cookie", f"{access.cookie_name}={access.cookie}")
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, b"secret" in answer.read()) == (404, False)
    connection.close()


def test_a_stream_begins_with_everything_and_goes_on_with_what_changes(entered, batch):
    events = entered.events()
    first = next(events)
    assert set(first) >= {"account", "verdict", "numbers", "batches", "processes"}
    entered.ledger.client.hset(entered.ledger.key("gate"), "paused", "a moment")
    while "account" not in (changed := next(events)):
        pass
    assert "a moment" in changed["account"]
    assert "batches" not in changed
    events.close()


def test_the_server_ends_though_somebody_looks(site):
    site.enter()
    events = site.events()
    next(events)
    site.made.ending = lambda: True
    assert list(events) == []


def test_one_look_serves_all_viewers_and_none_is_taken_for_nobody():
    taken = []
    health = Look(health=None)  # type: ignore[arg-type]  # nobody reads it

    def take():
        taken.append(threading.current_thread())
        return health

    async def main():
        feed = Feed(take, period_s=3600)
        found = await asyncio.gather(*(feed.look() for _ in range(20)))
        assert all(each is health for each in found)
        assert len(taken) == 1
        await feed.look()
        feed.forget()
        await feed.look()
        assert len(taken) == 2
        assert threading.current_thread() not in taken

    asyncio.run(main())


def test_what_redis_does_not_answer_is_not_known(entered, batch, monkeypatch):
    entered.page()
    client = entered.made.shop.ledger.client
    away = connect(RedisSettings(url=SecretStr("unix:///nowhere/redis.sock")), db=0, patience_s=0.1)
    monkeypatch.setattr(client, "connection_pool", away.connection_pool)
    page = words(entered.page())
    assert entered.looks[-1].known is False
    assert "Not known whether anything goes out" in page
    assert "slots in use not known" in page
    assert page.count("not known now") >= 2
    assert "flow unknown" in page
    answer = entered.client.get("/ask/pause")
    assert answer.status_code == 503
    assert "Whether anything was done is not known" in answer.text
    monkeypatch.undo()
    assert "Open the account may submit" in words(entered.page())
