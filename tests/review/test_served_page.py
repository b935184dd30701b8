"""The served page in browsers: what one says the others see, and nothing that a manifest says is run."""

import json

import pytest

from tests.report.test_page import press, stand_at, until
from tests.review.conftest import LOOK_TOKEN, TOKEN

ALL_SAVED = "document.getElementById('unsaved').textContent === 'all saved'"
#: Of the first row; cards stand in the page in the order in which they were drawn.
SAID = """document.querySelector('.card[aria-posinset="1"] .verdict p').textContent"""
HOSTILE = (
    "<img src=x onerror=document.body.dataset.run=1>\"'</script><script>document.body.dataset.run=1</script>"
)
QUOTED = '"' + HOSTILE.replace('"', '""') + '"'
HOSTILE_MANIFEST = f"sku,person,upper,{QUOTED}\n{QUOTED},https://a.example/p,https://a.example/1,{QUOTED}\n"


def test_two_tabs_and_a_later_word_of_somebody_else_agree_everywhere(site, reviewers):
    ana, bo = (reviewers(site.address, TOKEN, site.batch, name) for name in ("Ana", "Bo"))
    tab = ana.context.new_page()
    tab.goto(ana.url)
    tab.wait_for_selector("body[data-ready]")
    stand_at(ana, "S1")
    press(ana, "p")
    for page in (tab, bo):
        until(page, f"{SAID} === 'by Ana'")
    stand_at(bo, "S1")
    press(bo, "6", "n")
    bo.keyboard.type("six fingers")
    press(bo, "Enter")
    for page in (ana, tab, bo):
        until(page, f"{SAID} === 'Hands · six fingers · by Bo'")
    # Ana takes back what she sees, which is the last word by now.
    stand_at(tab, "S1")
    press(tab, "u")
    for page in (ana, bo):
        until(page, f"{SAID} === 'not judged yet'")
    for page in (ana, tab, bo):
        until(page, ALL_SAVED)
    site.books.exporter.export(site.batch, tables=True)
    words = [(each["reviewer"], each["verdict"]) for each in site.lines()[0]["review"]]
    assert (words[0], words[-1]) == (("Ana", "approve"), ("Ana", "clear"))
    assert ("Bo", "reject") in words


def test_a_page_opened_at_a_filter_by_verdict_shows_what_others_have_said(site, reviewers):
    ana = reviewers(site.address, TOKEN, site.batch, "Ana")
    stand_at(ana, "S2")
    press(ana, "p")
    until(ana, ALL_SAVED)
    bo = reviewers(site.address, TOKEN, site.batch, "Bo", "#verdict=approve")
    until(bo, "document.querySelector('.card h2')?.textContent === 'S2'")
    assert bo.locator(".card").count() == 1


def test_a_served_page_offers_to_save_or_load_no_review_csv(site, reviewers):
    ana = reviewers(site.address, TOKEN, site.batch, "Ana")
    for name in ("#save", "#load"):
        assert ana.locator(name).count() == 1
        assert not ana.locator(name).is_visible()


def test_a_verdict_on_a_replaced_picture_is_said_and_stays_counted(site, reviewers):
    ana = reviewers(site.address, TOKEN, site.batch, "Ana")
    job = site.lines()[1]["request_id"]
    site.ledger.client.hset(site.ledger.key("job", job), "state", "queued")
    stand_at(ana, "S3")
    press(ana, "p")
    stand_at(ana, "S2")
    press(ana, "p")
    said = "A verdict on S2 is not saved: its picture was replaced"
    until(ana, f"document.getElementById('said').textContent === {json.dumps(said)}")
    until(ana, "document.getElementById('unsaved').textContent === '1 not saved'")
    assert [one.row for one in site.kept()] == [3]


@pytest.mark.parametrize("site", [HOSTILE_MANIFEST], indirect=True)
def test_a_served_page_runs_nothing_that_a_manifest_or_a_reviewer_says(site, reviewers):
    ana = reviewers(site.address, TOKEN, site.batch, HOSTILE[:80])
    ana.locator(".card").first.focus()
    press(ana, "x", "n")
    ana.keyboard.insert_text(HOSTILE)
    press(ana, "Enter")
    until(ana, ALL_SAVED)
    bo = reviewers(site.address, TOKEN, site.batch, "Bo")
    until(bo, f"{SAID}.includes({json.dumps(HOSTILE)})")
    assert bo.locator("h2").first.text_content() == HOSTILE
    for page in (ana, bo):
        assert page.evaluate("document.body.dataset.run") is None
        assert page.locator("img[onerror], #sheet script").count() == 0


def test_who_may_only_look_is_offered_no_verdict_and_sees_those_of_others_as_they_come(site, reviewers):
    ana = reviewers(site.address, TOKEN, site.batch, "Ana")
    boss = reviewers(site.address, LOOK_TOKEN, site.batch, "")
    for name in ("#reviewer", "#undo", "#load", "[data-verdict]", "[data-give]", "#reasons"):
        assert not any(each.is_visible() for each in boss.locator(name).all()), name
    boss.keyboard.press("x")
    assert boss.text_content("#said") == "You may look here, and not judge."
    ana.keyboard.press("p")
    boss.wait_for_selector(
        '.card [data-give="approve"][aria-pressed="true"]', state="attached", timeout=60_000
    )
    assert boss.text_content("#unsaved") == "all saved"
    assert [one.reviewer for one in site.kept()] == ["Ana"]


def test_a_wrong_token_typed_is_said_and_the_right_one_enters(site, browser):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.address}b/{site.batch}/report/index.html#order=row")
    page.fill("#token", "not-the-token-at-all")
    press(page, "Enter")
    until(page, "document.getElementById('said').textContent === 'This is not the token.'")
    page.fill("#token", TOKEN)
    press(page, "Enter")
    page.wait_for_selector("body[data-ready]", timeout=120_000)
    assert page.url.endswith("#order=row")
    context.close()
