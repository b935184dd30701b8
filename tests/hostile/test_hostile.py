"""Every hostile file is refused or handled as its case says, within 64 MB and 5 seconds of processor time."""

import json
import re
import sys
from subprocess import PIPE, run

import pytest

from tests.hostile.case import CASES, MB_ALLOWED, SECONDS_ALLOWED
from tests.hostile.runner import LOADED

#: One of them waits for all: on a busy machine that takes its time.
pytestmark = pytest.mark.timeout(1600)
QUICK = [key for key, case in CASES.items() if not case.heavy]


@pytest.fixture(scope="module")
def measured():
    """Key → what became of it; one run for all."""
    assert LOADED
    runner = [sys.executable, "-m", "tests.hostile.runner"]
    ended = run(runner, input="\n".join(QUICK), stdout=PIPE, text=True, timeout=1500, check=True)
    return {found["key"]: found for found in map(json.loads, ended.stdout.splitlines())}


@pytest.mark.parametrize("key", QUICK)
def test_a_hostile_file_does_no_harm(measured, key):
    found = measured[key]
    assert re.search(CASES[key].expected, found["said"], re.DOTALL), found
    assert found["megabytes"] <= MB_ALLOWED, found
    assert found["seconds"] <= SECONDS_ALLOWED, found


def test_there_are_many_of_them():
    assert len(CASES) >= 60
