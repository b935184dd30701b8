"""What the budgets say: a sentence when one is reached, for whoever waits and for whoever asks."""

from jobs.ledger import Ledger
from jobs.records import BatchId
from jobs.settings import LimitSettings


def budget_reached(ledger: Ledger, limits: LimitSettings, batch_id: BatchId | None = None) -> str:
    """Which budget keeps jobs waiting: the batch's own, if one is named, or the day's; empty when none does."""
    of_batch, of_day = limits.max_images_per_batch, limits.max_images_per_day
    if of_batch and batch_id and int(ledger.batch_fields(batch_id).get("spent", 0)) >= of_batch:
        return f"the batch's budget of {of_batch} pictures is reached (limits.max_images_per_batch)"
    if of_day and ledger.spent_today() >= of_day:
        return f"the day's budget of {of_day} pictures is reached (limits.max_images_per_day)"
    return ""
