"""Every hostile file is refused or handled as its case says, within 64 MB and 5 seconds of processor time."""

import json
import re
import sys
from subprocess import PIPE, Popen
from typing import Any

import pytest

from tests.hostile.case import CASES, MB_ALLOWED, SECONDS_ALLOWED
from tests.hostile.runner import LOADED

QUICK = [key for key, case in CASES.items() if not case.heavy]


@pytest.fixture(scope="module")
def measure():
    """Asks the runner what becomes of a file; each is made and read once, whoever asks."""
    assert LOADED
    with Popen(
        [sys.executable, "-m", "tests.hostile.runner"], stdin=PIPE, stdout=PIPE, text=True, bufsize=1
    ) as runner:
        assert runner.stdin is not None
        assert runner.stdout is not None

        def ask(key: str) -> dict[str, Any]:
            runner.stdin.write(f"{key}\n")
            answer = runner.stdout.readline()
            assert answer, f"the runner has ended: {runner.poll()}"
            return json.loads(answer)

        yield ask
        runner.stdin.close()


@pytest.mark.parametrize("key", QUICK)
def test_a_hostile_file_does_no_harm(measure, key):
    found = measure(key)
    assert re.search(CASES[key].expected, found["said"], re.DOTALL), found
    assert found["megabytes"] <= MB_ALLOWED, found
    assert found["seconds"] <= SECONDS_ALLOWED, found


def test_there_are_many_of_them():
    assert len(CASES) >= 60
