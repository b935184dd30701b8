"""Orders are counted before they are sent; a ledger that counts fewer than were seen buys nothing."""

from pathlib import Path
from typing import Any

import pytest

from jobs.config.settings import LimitSettings
from jobs.errors import LedgerLostError
from jobs.ledger import Ledger
from jobs.ledger.high_water import HighWaterMark, Mark
from tests.driver import Driver
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


def test_an_order_counts_when_its_intent_is_written_and_once(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    permit = driver.granted()
    assert counted(driver.ledger) == 0
    assert driver.begin(permit.request_id, permit.claim) == "go"
    assert driver.begin(permit.request_id, permit.claim) == "go", "its reply was lost"
    assert counted(driver.ledger) == 1
    driver.submitting()
    assert counted(driver.ledger) == 2


def test_what_was_seen_is_noted_when_the_process_ends(driver: Driver, mark: HighWaterMark) -> None:
    driver.admit("a", ["x", "y"])
    buyer = gate(driver.ledger, mark)
    order(buyer)
    order(buyer)
    buyer.stop()
    assert mark.read() == driver.ledger.mark() == Mark(ledger=driver.ledger.ledger_id() or "", orders=2)


def test_a_ledger_that_goes_back_under_a_running_process_pauses_the_account(driver: Driver) -> None:
    driver.admit("a", ["x", "y", "z"])
    buyer = gate(driver.ledger)
    order(buyer)
    order(buyer)
    forget(driver.ledger, 1)
    seen = buyer._orders.seen
    answer = driver.ask(seen_orders=seen.orders)
    assert (answer.kind, answer.reason) == ("wait", "paused")
    assert answer.detail == "ledger: it counts 1 orders, but 2 were seen"
    assert driver.ask().reason == "paused", "whoever has seen less stops too"


def test_a_process_that_starts_knows_what_earlier_ones_have_seen(driver: Driver, mark: HighWaterMark) -> None:
    driver.admit("a", ["x"])
    mark.raise_to(Mark(ledger=driver.ledger.ledger_id() or "", orders=5))
    later = gate(driver.ledger, mark)
    assert later._orders.begin().orders == 5
    assert driver.ask(seen_orders=5).reason == "paused"


def test_a_process_that_knows_another_ledger_buys_nothing(driver: Driver, mark: HighWaterMark) -> None:
    driver.admit("a", ["x"])
    mark.raise_to(Mark(ledger="of last week", orders=5))
    with pytest.raises(LedgerLostError):
        gate(driver.ledger, mark).acquire()


def test_what_a_person_accepts_holds_for_every_data_folder(driver: Driver, mark: HighWaterMark) -> None:
    driver.admit("a", ["x", "y"])
    mark.raise_to(Mark(ledger="of last week", orders=5))
    accepted = driver.ledger.accept([Mark(ledger="of last week", orders=5)])
    assert accepted == driver.ledger.mark()
    order(gate(driver.ledger, mark))


def test_an_older_state_that_a_person_accepts_counts_on_from_what_was_seen(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    driver.submitting()
    ledger_id = driver.ledger.ledger_id() or ""
    assert driver.ask(seen_orders=7).reason == "paused"
    assert driver.ledger.accept([Mark(ledger=ledger_id, orders=7)]).orders == 7
    assert driver.ledger.accept([Mark(ledger=ledger_id, orders=7)]).orders == 7
    assert "paused" not in driver.gate()
    assert driver.granted(seen_orders=7).kind == "granted"


def test_a_persons_own_pause_outlives_the_acceptance(driver: Driver) -> None:
    driver.admit("a", ["x"])
    driver.gate(paused="Friday")
    driver.ledger.accept([])
    assert driver.gate()["paused"] == "Friday"
