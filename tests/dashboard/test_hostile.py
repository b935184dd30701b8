"""Whatever stands in the ledger is text on the page: every field that a look holds, one after the other."""

import dataclasses
from collections.abc import Iterator, Mapping

import msgspec
import pytest
from markupsafe import escape

from jobs.ledger import steps
from jobs.producing import control
from jobs.records import BatchId, Failure, JobState, Owner
from tests.dashboard.conftest import TOKEN, beat, ended, rows
from tests.driver import Driver
from tests.report.test_page import DESK
from worker.dashboard.view import Done, draw

HOSTILE = (
    "<script>document.body.dataset.run=1</script><img src=x onerror=document.body.dataset.run=1>\"'`&{{7*7}}"
)
#: The same for a batch's name, which the ledger's own marks may not stand in.
NAME = "<script>document.write(1)</script><b>\"'`&{{7*7}}"
ESCAPED = str(escape(HOSTILE))


def fields_of(value):
    """Name and value of each field of a record; empty for what is none."""
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    if dataclasses.is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    return {}


def spoilt(value: object, where: str = "look") -> Iterator[tuple[str, object]]:
    """Where a text stands in a value, and the value with the hostile one in its place; one for each text."""
    if isinstance(value, str):
        yield where, HOSTILE
    elif isinstance(value, tuple):
        for index, each in enumerate(value):
            for place, other in spoilt(each, f"{where}[{index}]"):
                yield place, (*value[:index], other, *value[index + 1 :])
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if isinstance(key, str):
                yield f"{where}: {key}", {**value, HOSTILE: each}
            for place, other in spoilt(each, f"{where}.{key}"):
                yield place, {**value, key: other}
    else:
        replace = msgspec.structs.replace if isinstance(value, msgspec.Struct) else dataclasses.replace
        for name, each in fields_of(value).items():
            for place, other in spoilt(each, f"{where}.{name}"):
                yield place, replace(value, **{name: other})


def test_no_field_of_a_look_is_ever_more_than_text(entered):
    batch = entered.books.feed(rows("S1", "S2", "S3", "S4"))
    entered.books.finish(ended(JobState.SUCCEEDED, JobState.FAILED, JobState.UNKNOWN), most=3)
    entered.books.exporter.export(batch)
    beat(entered.ledger, idle_ms=1)
    entered.page()
    look = entered.looks[-1]
    assert look.pictures
    assert look.unknown
    tried, seen = set(), set()
    for place, other in spoilt(look):
        for acting in (True, False):
            said = "".join(draw(other, [Done(at_ms=0, words=HOSTILE)], acting=acting).values())
            assert said.count(ESCAPED) >= 1
            assert "<script" not in said, place
            assert "<img src=x" not in said, place
            assert "49" not in said.partition(ESCAPED)[2][:4], place
        tried.add(place)
        seen |= {place} if said.count(ESCAPED) > 1 else set()
    assert len(tried) > 60
    # What people read most is among what was seen.
    for part in ("evidence", "action", "batch_id", "host", "version", "sku", "request_id", "kind", "role"):
        assert any(place.rpartition(".")[2] == part for place in seen), (part, seen)


@pytest.fixture
def hostile(site):
    """A ledger that was told the worst in every place that somebody else fills."""
    driver, batch = Driver(site.ledger), BatchId(NAME)
    driver.admit(batch, ["u", "f", "w", "v"], seal=True)
    driver.unknown()
    permit = driver.submitting()
    failure = Failure(kind=HOSTILE, message=HOSTILE, retryable=True, owner=Owner.OPS)
    site.ledger.run(steps.accept(permit.request_id, permit.claim, HOSTILE, [HOSTILE], first_poll_ms=10))
    assert site.ledger.run(steps.fail(permit.request_id, failure))
    books = site.books.feed(
        'sku,person,upper\n"' + HOSTILE.replace('"', '""') + '",https://a.example/p,https://a.example/1\n'
    )
    site.books.finish(most=2)
    site.books.exporter.export(books)
    beat(site.ledger, host=HOSTILE, version=HOSTILE)
    control.pause(site.ledger, HOSTILE)
    return batch


def test_what_the_ledger_holds_runs_in_no_browser(site, hostile, browser):
    context = browser.new_context(**DESK)
    page, said = context.new_page(), []
    page.goto(f"{site.address}#token={TOKEN}")
    page.wait_for_selector("#verdict .judged", timeout=120_000)
    page.on("console", lambda message: said.append(message.text))
    for link in (None, f"Cancel what waits of {NAME}", f"Retry jobs of {NAME}", "Settle"):
        if link:
            page.goto(site.address)
            page.get_by_role("link", name=link).click()
        text = page.locator("body").inner_text()
        assert NAME in text, link
        assert link or HOSTILE in text
        assert page.evaluate("document.body.dataset.run") is None
        assert page.locator("img[onerror], main script").count() == 0
    assert said == []
    context.close()
