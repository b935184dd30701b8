"""A budget is warned of once before it is spent, in pictures or in money."""

from decimal import Decimal

from structlog.testing import capture_logs

from jobs.config.settings import LimitSettings
from jobs.ledger.budgets import BudgetWarnings
from jobs.records import BatchId
from tests.driver import Driver

A = BatchId("a")


def warnings(look: BudgetWarnings) -> list[tuple[str, str, int, int, str | None]]:
    with capture_logs() as events:
        look.look([A])
    return [(one["event"], one["span"], one["used"], one["of"], one["cost"]) for one in events]


def test_four_fifths_of_a_budget_in_money_are_warned_of_once(driver: Driver) -> None:
    driver.admit("a", list("vwxyz"), seal=True)
    price = Decimal("0.35")
    limits = LimitSettings(price_per_image=price, currency="CNY", max_cost_per_batch=5 * price)
    look = BudgetWarnings(driver.ledger, limits)
    for _ in range(3):
        driver.submitted()
    assert warnings(look) == []
    driver.submitted()
    assert warnings(look) == [("budget.near", "batch", 4, 5, "1.40 CNY")]
    assert warnings(look) == []


def test_the_smaller_of_both_budgets_counts_and_a_days_is_warned_of_too(driver: Driver) -> None:
    limits = LimitSettings(price_per_image=Decimal("0.35"), max_images_per_day=9, max_cost_per_day=Decimal(2))
    assert (limits.day_budget, limits.batch_budget) == (5, 0)
    assert (
        LimitSettings(
            price_per_image=Decimal(1), max_images_per_day=3, max_cost_per_day=Decimal(9)
        ).day_budget
        == 3
    )
    driver.admit("a", list("vwxyz"), seal=True)
    for _ in range(4):
        driver.submitted()
    assert warnings(BudgetWarnings(driver.ledger, limits)) == [("budget.near", "day", 4, 5, "1.40")]


def test_without_a_budget_nothing_is_looked_at(driver: Driver) -> None:
    driver.ledger.client = None
    assert warnings(BudgetWarnings(driver.ledger, LimitSettings())) == []
