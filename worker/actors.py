"""The actors: decode, one call, done. A message is a ticket; the ledger knows what is to be done."""

from collections.abc import Callable

import dramatiq

from jobs.queue import COLLECT, EXPORT, SUBMIT
from jobs.records import BatchId
from jobs.results import Exporter
from worker.submission import Submission


def declare(
    broker: dramatiq.Broker, submission: Callable[[], Submission], exporter: Callable[[], Exporter]
) -> None:
    """Declares both actors on a broker; their parts are built at the first message, in the process that needs them."""

    def submit(request_id: str) -> None:
        """Submits the job whose turn it is; the id only says that one was waiting."""
        del request_id
        submission().submit_next()

    def export(batch_id: str) -> None:
        """Brings a batch's files up to date."""
        exporter().export(BatchId(batch_id))

    dramatiq.actor(submit, broker=broker, queue_name=SUBMIT, actor_name=SUBMIT)
    dramatiq.actor(export, broker=broker, queue_name=COLLECT, actor_name=EXPORT)
