"""Orders are counted before they are sent; a ledger that counts fewer than were seen buys nothing."""

from pathlib import Path
from typing import Any

import pytest

from jobs.config.settings import LimitSettings
from jobs.errors import LedgerLostError
from jobs.ledger import Ledger
from jobs.ledger.high_water import HighWaterMark, Mark
from tests.heart import Heart
from tests.on_loop import gate_of

ENOUGH = LimitSettings(in_flight=100, images_per_minute=1e6)


@pytest.fixture
def mark(tmp_path: Path) -> HighWaterMark:
    return HighWaterMark(tmp_path, "vton")


def gate(ledger: Ledger, mark: HighWaterMark | None = None) -> Any:
    return gate_of(ledger, ENOUGH, submit_timeout_s=60, mark=mark)


def order(bought_by: Any) -> None:
    permit = bought_by.acquire()
    assert permit is not None
    assert bought_by.begin(permit) == "go"


def counted(ledger: Ledger) -> int:
    found = ledger.mark()
    assert found is not None
    return found.orders


def forget(ledger: Ledger, orders: int) -> None:
    """As an older copy of Redis' file would."""
    ledger.client.hset(ledger.key("meta"), "orders", orders)


def test_an_order_counts_when_its_intent_is_written_and_once(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    permit = heart.granted()
    assert counted(heart.ledger) == 0
    assert heart.begin(permit.request_id, permit.claim) == "go"
    assert heart.begin(permit.request_id, permit.claim) == "go", "its reply was lost"
    assert counted(heart.ledger) == 1
    heart.submitting()
    assert counted(heart.ledger) == 2


def test_what_was_seen_is_noted_when_the_process_ends(heart: Heart, mark: HighWaterMark) -> None:
    heart.admit("a", ["x", "y"])
    buyer = gate(heart.ledger, mark)
    order(buyer)
    order(buyer)
    buyer.stop()
    assert mark.read() == heart.ledger.mark() == Mark(ledger=heart.ledger.ledger_id() or "", orders=2)


def test_a_ledger_that_goes_back_under_a_running_process_pauses_the_account(heart: Heart) -> None:
    heart.admit("a", ["x", "y", "z"])
    buyer = gate(heart.ledger)
    order(buyer)
    order(buyer)
    forget(heart.ledger, 1)
    seen = buyer._orders.seen
    answer = heart.ask(seen_orders=seen.orders)
    assert (answer.kind, answer.reason) == ("wait", "paused")
    assert answer.detail == "ledger: it counts 1 orders, but 2 were seen"
    assert heart.ask().reason == "paused", "whoever has seen less stops too"


def test_a_process_that_starts_knows_what_earlier_ones_have_seen(heart: Heart, mark: HighWaterMark) -> None:
    heart.admit("a", ["x"])
    mark.raise_to(Mark(ledger=heart.ledger.ledger_id() or "", orders=5))
    later = gate(heart.ledger, mark)
    assert later._orders.begin().orders == 5
    assert heart.ask(seen_orders=5).reason == "paused"


def test_a_process_that_knows_another_ledger_buys_nothing(heart: Heart, mark: HighWaterMark) -> None:
    heart.admit("a", ["x"])
    mark.raise_to(Mark(ledger="of last week", orders=5))
    with pytest.raises(LedgerLostError):
        gate(heart.ledger, mark).acquire()


def test_what_a_person_accepts_holds_for_every_data_folder(heart: Heart, mark: HighWaterMark) -> None:
    heart.admit("a", ["x", "y"])
    mark.raise_to(Mark(ledger="of last week", orders=5))
    accepted = heart.ledger.accept([Mark(ledger="of last week", orders=5)])
    assert accepted == heart.ledger.mark()
    order(gate(heart.ledger, mark))


def test_an_older_state_that_a_person_accepts_counts_on_from_what_was_seen(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    heart.submitting()
    ledger_id = heart.ledger.ledger_id() or ""
    assert heart.ask(seen_orders=7).reason == "paused"
    assert heart.ledger.accept([Mark(ledger=ledger_id, orders=7)]).orders == 7
    assert heart.ledger.accept([Mark(ledger=ledger_id, orders=7)]).orders == 7
    assert "paused" not in heart.gate()
    assert heart.granted(seen_orders=7).kind == "granted"


def test_a_persons_own_pause_outlives_the_acceptance(heart: Heart) -> None:
    heart.admit("a", ["x"])
    heart.gate(paused="Friday")
    heart.ledger.accept([])
    assert heart.gate()["paused"] == "Friday"
