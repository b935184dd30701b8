"""The page in a browser: it follows what goes on, acts after a second word, and says when it has heard nothing."""

import re

import pytest

from jobs.records import JobState
from tests.dashboard.conftest import TOKEN, beat, ended, rows
from tests.report.test_page import DESK, PHONE, TROUBLE, until

#: Without the token the server says 401, which a console calls an error.
ASKED = re.compile("status of 401")
DARK = DESK | {"color_scheme": "dark"}


def text_of(part):
    return f"document.getElementById('{part}').innerText"


@pytest.fixture
def viewers(browser, site):
    """Opens the dashboard for somebody; no script may have failed, and no console have said a word."""
    contexts, said = [], []

    def enter(token=TOKEN, **options):
        context = browser.new_context(**(DESK | options))
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: message.type in TROUBLE and said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{site.address}#token={token}")
        page.wait_for_selector("#verdict .judged", timeout=120_000)
        assert "token" not in page.url
        return page

    yield enter
    for context in contexts:
        context.close()
    assert [words for words in said if not ASKED.search(words)] == []


def test_it_follows_what_goes_on_and_pause_resume_cancel_and_retry_work(site, viewers):
    ana = viewers()
    until(ana, f"{text_of('batches')}.includes('There is no batch.')")
    batch = site.books.feed(rows("S1", "S2", "S3", "S4"))
    until(ana, f"{text_of('verdict')}.includes('worker lives')")
    for role in ("submit", "collect"):
        beat(site.ledger, role)
    until(ana, f"{text_of('verdict')}.includes('4 rows open') && !{text_of('verdict')}.includes('no submit')")
    site.books.finish(ended(JobState.SUCCEEDED, JobState.FAILED), most=2)
    site.books.exporter.export(batch)
    until(ana, f"{text_of('batches')}.includes('1 of 4 with their picture')")
    until(ana, "[...document.querySelectorAll('.pictures img')].some((img) => img.naturalWidth > 0)")
    until(ana, f"{text_of('failures')}.includes('no_result')")
    ana.get_by_role("link", name="Pause…").click()
    ana.get_by_label("Why").fill("faces look odd")
    ana.get_by_role("button", name="Pause").click()
    until(ana, f"{text_of('account')}.includes('faces look odd')")
    assert site.ledger.gate().paused == "faces look odd"
    until(ana, f"{text_of('verdict')}.includes('WRONG')")
    ana.get_by_role("link", name="Resume…").click()
    ana.get_by_role("button", name="Resume").click()
    until(ana, f"{text_of('account')}.includes('Open')")
    assert site.ledger.gate().paused is None
    ana.get_by_role("link", name="Retry jobs").click()
    ana.get_by_role("link", name="Failed ones").click()
    assert ana.get_by_text("up to 1 picture, 0.35 CNY").is_visible()
    ana.get_by_role("button", name="Retry 1 job").click()
    until(ana, f"{text_of('acts')}.includes('1 job waiting again')")
    ana.get_by_role("link", name="Cancel what waits").click()
    ana.get_by_role("link", name="Back").click()
    assert site.counts(batch)["queued"] == 3
    ana.get_by_role("link", name="Cancel what waits").click()
    ana.get_by_role("button", name="Cancel these rows").click()
    until(ana, f"{text_of('batches')}.includes('complete')")
    assert site.counts(batch) == {"succeeded": 1, "cancelled": 3}


def test_an_unknown_row_is_settled_by_hand(site, viewers):
    batch = site.books.feed(rows("S1"))
    site.books.finish(ended(JobState.UNKNOWN))
    ana = viewers()
    ana.get_by_role("link", name="Settle").click()
    ana.get_by_label("It was bought").check()
    ana.get_by_label("Task id").fill("their-task")
    ana.get_by_label("Who says so").fill("Ana")
    ana.get_by_role("button", name="Settle").click()
    until(ana, f"{text_of('acts')}.includes('bought, fetched by its task')")
    assert site.counts(batch) == {"submitted": 1}
    assert ana.locator("#unknown").inner_text() == ""


def test_silence_is_said_and_passes(site, viewers):
    site.books.feed(rows("S1"))
    ana = viewers()
    until(ana, f"{text_of('heard')}.startsWith('heard')")
    site.made.ending = lambda: True
    until(ana, "!document.getElementById('silent').hidden")
    assert "Nothing heard since" in ana.locator("#silent").inner_text()
    assert set(ana.locator(".judged .state").all_inner_texts()) == {"UNKNOWN"}
    site.made.ending = lambda: False
    until(ana, "document.getElementById('silent').hidden")
    until(
        ana, "![...document.querySelectorAll('.judged .state')].some((each) => each.innerText === 'UNKNOWN')"
    )


@pytest.mark.parametrize("options", [DESK, DARK, PHONE], ids=["light", "dark", "phone"])
def test_a_screen_reader_a_weak_eye_and_a_phone_can_use_it(site, viewers, options):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="NOT PROVEN: axe is not installed"
    )
    batch = site.books.feed(rows(*(f"S{n}" for n in range(12)), "S" * 60))
    states = (JobState.SUCCEEDED, JobState.FAILED, JobState.REJECTED, JobState.UNKNOWN, JobState.UNKNOWN)
    site.books.finish(ended(*states), most=7)
    site.books.exporter.export(batch)
    beat(site.ledger)
    page = viewers(**options)
    (job, *_) = site.ledger.client.zrange(site.ledger.key("unknown"), 0, -1)
    retry = f"ask/retry?batch={batch}"
    for path in (
        "",
        "ask/pause",
        f"ask/cancel?batch={batch}",
        retry,
        f"{retry}&which=failed",
        f"ask/settle?batch={batch}&job={job}",
    ):
        page.goto(f"{site.address}{path}")
        found = axe.Axe().run(page).response["violations"]
        assert [
            (path, each["id"], [node["target"] for node in each["nodes"]])
            for each in found
            if each["impact"] in {"serious", "critical"}
        ] == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
