"""What docs/simulator.md and the example say is so."""

import re
import shlex
from pathlib import Path

import pytest

from worker.simulator.app import RESULTS_PATH, SUBMIT_PATH, TOKEN_PATH
from worker.simulator.faults import parse_rules
from worker.simulator.options import _parser
from worker.simulator.words import PLACES, Word

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")


def line(do: str, word: Word) -> str:
    plain = {
        name: str(value).lower() if isinstance(value, bool) else value for name, value in word.params.items()
    }
    params = ", ".join(f"`{name}: {value}`" for name, value in plain.items())
    return f"| `{do}` | {word.what} | {params} |"


@pytest.mark.parametrize("at", PLACES)
def test_the_fault_table_is_the_vocabulary(at):
    section = PAGE.split(f"### At {at}\n")[1].split("\n#")[0]
    rows = [row for row in section.splitlines() if row.startswith("| `")]
    assert rows == [line(do, word) for do, word in PLACES[at].items()]


def test_the_pages_command_is_understood():
    (line,) = re.findall(r"^python -m worker\.simulator (.+)$", PAGE, re.MULTILINE)
    assert _parser().parse_args(shlex.split(line))


def test_every_switch_and_address_is_documented():
    switches = [
        name for action in _parser()._actions for name in action.option_strings if name.startswith("--")
    ]
    for word in [*switches, SUBMIT_PATH, RESULTS_PATH, TOKEN_PATH]:
        if word != "--help":
            assert f"`{word}" in PAGE, word


def test_the_example_faults_can_be_read_and_touch_every_place_of_a_run():
    path = ROOT / "examples" / "faults.yaml"
    rules = parse_rules(path.read_text(encoding="utf-8"), name=str(path))
    assert {rule.at for rule in rules} == {"submit", "task", "poll", "callback", "download"}
    assert any(rule.do == "reset-after" for rule in rules)


def test_the_pages_own_example_can_be_read():
    assert parse_rules(PAGE.split("```yaml\n")[1].split("```")[0])
