"""Work by several threads whose results come in order."""

import threading

import pytest

from jobs.results.at_once import AT_ONCE, at_once


def test_items_come_in_their_order_when_each_was_worked_on():
    done = set()
    for item in at_once(done.add, range(100)):
        assert item in done
    assert list(at_once(done.add, range(100))) == list(range(100))
    assert list(at_once(done.add, ())) == []


def test_few_items_are_taken_ahead():
    taken = iter(range(100))
    next(at_once(lambda _: None, taken))
    assert next(taken) <= 2 * AT_ONCE + 2


def test_what_the_work_raises_is_raised_here():
    def work(item):
        assert threading.current_thread() is not threading.main_thread()
        return 1 / (item - 3)

    items = at_once(work, range(10))
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        next(items)
