"""Which pictures may be delivered: the one question that delivery asks of the verdicts."""

from collections import defaultdict
from collections.abc import Mapping

from jobs.ledger import Ledger
from jobs.ledger.verdicts import verdicts_of
from jobs.records import BatchId, Verdict, standing


def standing_verdicts(ledger: Ledger, batch: BatchId) -> dict[str, Verdict]:
    """SHA-256 of every picture of the batch, as HiDream made it, of which a verdict stands → that verdict."""
    by_picture: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts_of(ledger, batch):
        by_picture[verdict.picture_sha256].append(verdict)
    found = ((sha256, standing(verdicts)) for sha256, verdicts in by_picture.items())
    return {sha256: last for sha256, last in found if last is not None}


def approved(standing_on: Mapping[str, Verdict]) -> frozenset[str]:
    """The pictures whose verdict that counts is: approved."""
    return frozenset(sha256 for sha256, last in standing_on.items() if last.verdict == "approve")
