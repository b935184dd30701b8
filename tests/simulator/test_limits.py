from hypothesis import given
from hypothesis import strategies as st

from worker.simulator.limits import SlidingWindow, draw_latency, windows_over


def test_a_full_window_says_how_long_until_there_is_room():
    window = SlidingWindow(2)
    assert [window.admit(0), window.admit(10), window.admit(30)] == [0, 0, 30]
    assert window.admit(60) == 0


def test_several_pictures_wait_for_as_many_places():
    window = SlidingWindow(3)
    assert [window.admit(0), window.admit(5), window.admit(10)] == [0, 0, 0]
    assert window.admit(20, 2) == 45


def test_more_pictures_than_a_minute_holds_never_fit():
    assert SlidingWindow(2).admit(0, 3) == 60


def test_no_limit_admits_all():
    assert not any(SlidingWindow(0).admit(0) for _ in range(1000))


def test_what_was_admitted_before_a_restart_still_counts():
    window = SlidingWindow(2)
    window.replay([0, 1])
    assert window.admit(10) == 50


@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 10))
def test_what_the_window_admits_is_never_over_the_limit(gaps, limit):
    window, now, admitted = SlidingWindow(limit), 0.0, []
    for gap in gaps:
        now += gap * 5
        if not window.admit(now):
            admitted.append(now)
    assert windows_over(admitted, limit) == 0


def test_windows_over_the_limit_are_counted_by_their_first_arrival():
    assert windows_over([0, 1, 2, 61, 62], 2) == 1
    assert windows_over([0, 1, 2, 3], 2) == 2
    assert windows_over([0, 60, 120], 1) == 0
    assert windows_over([0, 1, 2], 0) == 0


def test_latency_is_log_normal_and_the_same_for_the_same_seed():
    drawn = sorted(draw_latency(12, 0.35, seed=1, ordinal=number) for number in range(2001))
    assert 11 < drawn[1000] < 13
    assert draw_latency(12, 0.35, seed=1, ordinal=5) == draw_latency(12, 0.35, seed=1, ordinal=5)
    assert draw_latency(0, 0.35, seed=1, ordinal=5) == 0
