"""Request ids in little memory."""

from hypothesis import given
from hypothesis import strategies as st

from jobs.producing.fates import Seen


@given(st.lists(st.uuids(version=5).map(str), max_size=50))
def test_what_was_added_is_there_and_nothing_else(ids: list[str]) -> None:
    seen, known = Seen(), set[str]()
    for request_id in ids:
        assert (request_id in seen) == (request_id[:4] + request_id[-12:] in known)
        seen.add(request_id)
        known.add(request_id[:4] + request_id[-12:])
        assert request_id in seen
    assert "" not in seen


def test_it_grows() -> None:
    seen = Seen()
    ids = [f"{number:04x}0000-0000-5000-8000-{number:012x}" for number in range(1, 20_001)]
    assert not any(request_id in seen for request_id in ids)
    for request_id in ids:
        seen.add(request_id)
    assert all(request_id in seen for request_id in ids)
    assert f"ffff0000-0000-5000-8000-{1:012x}" not in seen
