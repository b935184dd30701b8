"""docs/notices.md says what is so."""

import json
import re
from pathlib import Path

from jobs.notices.notice import Event, Notice
from tests.test_docs import cells, section

PAGE = (Path(__file__).parents[2] / "docs" / "notices.md").read_text(encoding="utf-8")


def test_every_event_is_told_in_order():
    told = [row[0].strip("`") for row in cells(section("docs/notices.md", "Of what"))]
    assert told == list(Event)


def test_the_example_has_the_keys_of_a_notice_in_order():
    found = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    said = Notice(event=Event.TEST, severity="info", title="a").content("vton")
    assert list(json.loads(found[1])) == list(said)


def test_every_key_of_a_notice_is_told():
    told = " ".join(row[0] for row in cells(section("docs/notices.md", "What a notice holds")))
    said = Notice(event=Event.TEST, severity="info", title="a").content("vton")
    assert re.findall(r"`(\w+)`", told) == list(said)


def test_every_program_of_the_examples_is_named():
    folder = Path(__file__).parents[2] / "examples" / "notices"
    assert all(path.name in PAGE for path in folder.glob("*.py"))
