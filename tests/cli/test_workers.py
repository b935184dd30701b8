"""Worker processes of a run."""

import pytest
import structlog

from jobs.cli.workers import tell_crowd
from jobs.config.settings import WorkerSettings


@pytest.mark.parametrize(
    ("submits", "collects", "processors", "crowded"),
    [(1, 1, 1, False), (1, 1, 2, False), (4, 1, 2, True), (2, 2, 4, False), (3, 2, 4, True)],
)
def test_more_processes_than_processors_are_said(submits, collects, processors, crowded):
    workers = WorkerSettings(submit_processes=submits, collect_processes=collects)
    with structlog.testing.capture_logs() as events:
        tell_crowd(workers, processors)
    assert [(each["event"], each["processes"]) for each in events] == [
        ("workers.crowded", submits + collects)
    ] * crowded
