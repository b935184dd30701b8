"""Budgets of a batch and of a day, in pictures or in money: how much is used, and the warning before they are spent."""

from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from jobs.config.settings import LimitSettings
from jobs.ledger import Ledger
from jobs.records import BatchId

log = structlog.get_logger()

#: Share of a budget from which on it is warned of.
NEAR = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A budget that is set, and how much of it is used."""

    #: `batch` or `day`.
    span: str
    #: Pictures that may be bought, and those that count against it.
    pictures: int
    used: int
    #: As it is set, and the setting's name.
    words: str
    setting: str

    @property
    def reached(self) -> bool:
        """Nothing more may be bought."""
        return self.used >= self.pictures

    @property
    def reached_words(self) -> str:
        """That it is, for whoever waits."""
        return f"the {self.span}'s budget of {self.words} is reached ({self.setting})"

    @property
    def near(self) -> bool:
        """Most of it is used."""
        return self.used >= self.pictures * NEAR


def budgets(ledger: Ledger, limits: LimitSettings, batch_id: BatchId | None = None) -> list[Budget]:
    """The budgets that are set: the batch's own, if one is named, and the day's."""
    of_batch = ledger.spent_by(batch_id) if limits.batch_budget and batch_id else None
    return budgets_of(limits, of_batch, ledger.spent_today() if limits.day_budget else 0)


def budgets_of(limits: LimitSettings, of_batch: int | None, of_day: int) -> list[Budget]:
    """The budgets that are set, by what a batch (None: no batch) and the day have used of them."""
    found = []
    if limits.batch_budget and of_batch is not None:
        found.append(_budget(limits, "batch", of_batch))
    if limits.day_budget:
        found.append(_budget(limits, "day", of_day))
    return found


def _budget(limits: LimitSettings, span: str, used: int) -> Budget:
    of_batch = span == "batch"
    pictures = limits.batch_budget if of_batch else limits.day_budget
    in_pictures = limits.max_images_per_batch if of_batch else limits.max_images_per_day
    cost = limits.max_cost_per_batch if of_batch else limits.max_cost_per_day
    by_count = pictures == in_pictures
    return Budget(
        span=span,
        pictures=pictures,
        used=used,
        words=f"{in_pictures} pictures" if by_count else f"{limits.price.amount(cost)} ({pictures} pictures)",
        setting=f"limits.max_{'images' if by_count else 'cost'}_per_{span}",
    )


class BudgetWarnings:
    """Warns of each budget once while most of it is used; of one process."""

    def __init__(self, ledger: Ledger, limits: LimitSettings) -> None:
        self._ledger = ledger
        self._limits = limits
        #: Spans and batches whose warning was given.
        self._given: set[tuple[str, str]] = set()

    def look(self, batches: Iterable[BatchId]) -> None:
        """Looks at the day's budget, and at those of these batches. Raises RedisDownError."""
        limits = self._limits
        if limits.batch_budget:
            for batch_id in batches:
                self._warn(_budget(limits, "batch", self._ledger.spent_by(batch_id)), batch_id)
        if limits.day_budget:
            self._warn(_budget(limits, "day", self._ledger.spent_today()))

    def _warn(self, one: Budget, batch_id: str = "") -> None:
        key = (one.span, batch_id)
        if not one.near:
            self._given.discard(key)
        elif key not in self._given:
            self._given.add(key)
            cost = self._limits.price.words(one.used) if self._limits.price else None
            log.warning(
                "budget.near", span=one.span, batch=batch_id or None,
                used=one.used, of=one.pictures, cost=cost, budget=one.words, setting=one.setting,
            )  # fmt: skip
