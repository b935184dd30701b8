"""Exit codes: what a cron job or a script learns of a run."""

from collections import Counter
from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """The codes, see docs/operations.md."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    NOT_FOUND = 4
    #: Ended; running it again (or `vton retry`) may bring more: retryable failures or `unknown` left.
    RETRYABLE = 5
    #: Ended; only a person can fix what is left.
    FINAL_FAILURES = 6
    CONFIG = 7
    BUDGET = 8
    #: `vton status`: something does not go on, and none of the other codes says what.
    ATTENTION = 9
    DEADLINE = 10
    INTERRUPTED = 130


def ended(summary: Mapping[str, Any]) -> ExitCode:
    """The code of a batch whose every row has ended, by its summary; second takes count like rows."""
    counts = Counter(summary["status"]) + Counter(summary.get("second_takes", {}))
    if counts["succeeded"] == counts.total():
        return ExitCode.OK
    if counts["unknown"] or summary["retryable_rows"]:
        return ExitCode.RETRYABLE
    return ExitCode.FINAL_FAILURES
