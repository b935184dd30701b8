from contextlib import closing

import pytest

from tests.simulator.test_tasks import task
from worker.simulator.ledger import Ledger
from worker.simulator.tasks import Outcome


def test_the_same_request_id_twice_is_two_tasks_and_two_charges():
    with closing(Ledger()) as ledger:
        for name in ("t1", "t2"):
            ledger.open_task(task(task_id=name, sub_task_ids=(name,)))
            ledger.end_task(name, 120.0)
        totals = ledger.totals()
    assert totals["by_request_id"]["r"] == {"tasks": 2, "charges": 2, "bought": 2, "paid_tasks": 2}
    assert totals["bought_twice"] == ["r"]


@pytest.mark.parametrize("status", [3, 4, 1004, 7])
def test_a_task_without_a_picture_is_refunded(status):
    with closing(Ledger(credits=5)) as ledger:
        ledger.open_task(task(Outcome(status=status)))
        assert ledger.credits == 4
        ledger.end_task("t", 120.0)
        assert ledger.credits == 5
        (line,) = ledger.listing()
    assert (line["charged"], line["refunded"], line["bought"], line["status"]) == (1, 1, 0, status)


def test_a_partial_task_is_refunded_in_part():
    with closing(Ledger()) as ledger:
        ledger.open_task(task(Outcome(pictures=3, failed=1)))
        ended = ledger.end_task("t", 120.0)
    assert ended is not None
    assert ended.bought == 2


def test_a_task_ends_once():
    with closing(Ledger()) as ledger:
        ledger.open_task(task(Outcome(status=3)))
        assert ledger.end_task("t", 120.0) is not None
        assert ledger.end_task("t", 121.0) is None
        assert ledger.totals()["refunds"] == 1


def test_the_books_outlive_the_process(tmp_path):
    path = tmp_path / "state.db"
    with closing(Ledger(path, credits=5)) as ledger:
        ledger.arrive(100.0)
        ledger.open_task(task())
        ledger.count("refused:rate")
        ledger.keep_token("x", 200.0)
        before = ledger.totals(), ledger.listing(), ledger.tokens
    with closing(Ledger(path, credits=99)) as again:
        assert (again.totals(), again.listing(), again.tokens) == before
        assert again.credits == 4
        assert again.in_flight == 1
        assert again.of_sub_task("s0") == again.of_request("r")


def test_the_most_tasks_at_once_are_remembered():
    with closing(Ledger()) as ledger:
        for name in ("a", "b"):
            ledger.open_task(task(task_id=name))
        for name in ("a", "b"):
            ledger.end_task(name, 120.0)
        ledger.open_task(task(task_id="c"))
        assert ledger.totals()["max_in_flight_seen"] == 2
