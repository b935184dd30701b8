"""The actors: decode, one call, done. A message only wakes a worker up; the ledger knows what is to be done."""

import os
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import dramatiq
import structlog
from dramatiq import ActorNotFound
from dramatiq.brokers.redis import RedisBroker

from jobs.errors import LedgerLostError
from jobs.producing.queue import COLLECT, EXPORT, SUBMIT
from jobs.records import BatchId
from worker.consumer import WokenConsumer

if TYPE_CHECKING:
    from jobs.results.exporter import Exporter

log = structlog.get_logger()

#: Takes the wake-up messages of actors that only another version has.
STRANGER = "stranger"


class TolerantBroker(RedisBroker):  # type: ignore[misc]  # dramatiq is untyped for us
    """Dramatiq's broker, for which the wake-up message of another version's actor is one too many, not a dead letter."""

    @property
    def consumer_class(self) -> type[WokenConsumer]:
        """Dramatiq's own hook."""
        return WokenConsumer

    def declare_queue(self, queue_name: str) -> None:
        """Without a queue of delayed messages beside it: nobody sends any, and its consumer would ask Redis for ever."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def get_actor(self, actor_name: str) -> Any:
        """The actor of this name, or the one that drops what nobody knows: the reconciler sends what is missing."""
        try:
            return super().get_actor(actor_name)
        except ActorNotFound:
            log.warning("message.unknown", actor=actor_name)
            return super().get_actor(STRANGER)


#: Set by the first thread that finds the ledger to be another one.
_ending = threading.Event()


def _end_process(why: str) -> None:
    """Ends this worker, once: started again by its supervisor, it begins with the ledger there is."""
    if not _ending.is_set():
        _ending.set()
        log.error("ledger.lost", why=f"{why}; the worker ends")
        os.kill(os.getpid(), signal.SIGTERM)


def declare(
    broker: dramatiq.Broker, submit_all: Callable[[], None], exporter: Callable[[], "Exporter"]
) -> None:
    """Declares the actors on a broker; their parts are built at the first message, in the process that needs them."""

    def submit(_reason: str) -> None:
        """Submits jobs until none waits or the process stops: one message keeps its thread as long as there is work."""
        try:
            submit_all()
        except LedgerLostError as error:
            _end_process(str(error))

    def export(batch_id: str) -> None:
        """Brings a batch's files up to date."""
        exporter().follow(BatchId(batch_id))

    def stranger(*args: object, **kwargs: object) -> None:
        """Drops a wake-up message whose actor this version does not have."""
        del args, kwargs

    dramatiq.actor(submit, broker=broker, queue_name=SUBMIT, actor_name=SUBMIT)
    dramatiq.actor(export, broker=broker, queue_name=COLLECT, actor_name=EXPORT)
    dramatiq.actor(stranger, broker=broker, queue_name=COLLECT, actor_name=STRANGER)
