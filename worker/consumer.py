"""A consumer that Redis wakes: Dramatiq's own asks an empty queue ten times a second, and takes a message as much later."""

import threading
import time
from typing import Any

import dramatiq
import redis
from dramatiq import ConnectionClosed, Middleware
from dramatiq.brokers.redis import _RedisConsumer

#: How long an empty queue is waited for without a word, s: Dramatiq wants a heartbeat a minute.
IDLE_S = 5.0
#: The same where Redis does not let a connection be woken (CLIENT UNBLOCK): a worker that ends waits for it.
UNWOKEN_S = 1.0
#: Between two looks whether a message may be fetched, while there are as many as may be, s.
FULL_S = 0.1
#: Between two tries to wake a consumer that is to end, s.
_WAKE_S = 0.05


class WokenConsumer(_RedisConsumer):  # type: ignore[misc]  # dramatiq is untyped for us
    """Blocks on its empty queue."""

    def __init__(self, broker: Any, queue_name: str, prefetch: int, timeout: int) -> None:
        """As its base; `timeout` is of no use: nothing is slept through."""
        del timeout
        super().__init__(broker, queue_name, prefetch, 1)
        #: How long it blocks; None until it is known whether it may be woken.
        self._idle_s: float | None = None
        #: The connection that it blocks on, by the server's number.
        self._connection: int | None = None

    def __next__(self) -> Any:
        """The next message; None after a while, to be asked again."""
        message = super().__next__()
        if message is None and self.outstanding_message_count < self.prefetch:
            self._block()
        elif message is None:
            time.sleep(FULL_S)
        return message

    def _block(self) -> None:
        """Returns when the queue has a message, which stays where it is."""
        queue = f"{self.broker.namespace}:{self.queue_name}"
        try:
            with self.broker.client.client() as client:
                self._connection = client.client_id()
                self._idle_s = self._idle_s or _idle_s(client, self._connection)
                client.blmove(queue, queue, self._idle_s, "LEFT", "LEFT")
        except redis.ResponseError:
            # Its user may not do it, or it takes no writes for now: it is asked, as Dramatiq does, only not as often.
            time.sleep(UNWOKEN_S)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise ConnectionClosed(error) from None
        finally:
            self._connection = None

    def wake(self) -> None:
        """Ends its waiting. For other threads; raises RedisError."""
        if (blocked := self._connection) is not None:
            self.broker.client.client_unblock(blocked)


def _idle_s(client: Any, connection: int) -> float:
    try:
        # It does not block now: nothing happens, if that is allowed.
        client.client_unblock(connection)
    except redis.ResponseError:
        return UNWOKEN_S
    return IDLE_S


class WakesConsumers(Middleware):  # type: ignore[misc]
    """Wakes the consumers of a worker that ends; those that Redis does not let it wake do so by themselves."""

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Does it as each is to end, which is after the last message has been worked on."""
        del broker
        threading.Thread(target=_wake, args=(worker,), name="wakes-consumers", daemon=True).start()


def _wake(worker: Any) -> None:
    while consumers := [each for each in worker.consumers.values() if each.is_alive()]:
        for each in consumers:
            if not each.running and each.consumer is not None:
                try:
                    each.consumer.wake()
                except redis.RedisError:
                    return
        time.sleep(_WAKE_S)
