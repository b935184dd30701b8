"""A worker process of `vton run`: `python -m worker QUEUE THREADS`. Whoever has no supervisor starts `dramatiq worker.app`.

Dramatiq's own command has a master, a second Python that only starts a dead worker again, as our supervisor does, and its
worker looks once a second whether it was asked to end.
"""

import gc
import signal
import sys

from jobs.deferred import certificates_left_out, left_out

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: How often an idle thread looks whether it is to end, ms.
_LOOK_MS = 250


def main(queue: str, threads: int) -> None:
    """Works until it is asked to end; asked twice, it ends but once."""
    # Threads inherit it: no signal interrupts any of them, whatever it is doing, and none is missed while modules load.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    gc.disable()
    with left_out("opentelemetry"):
        # For its own metrics.
        import redis  # noqa: F401, PLC0415
    # structlog and dramatiq would load it for a terminal.
    with left_out("rich"):
        with certificates_left_out():
            # aiohttp would make two contexts; ours is `make_ssl_context`.
            from worker.hidream import session  # noqa: F401, PLC0415
        from dramatiq import Worker  # noqa: PLC0415

        from worker.app import broker  # noqa: PLC0415
    gc.freeze()
    gc.enable()
    broker.emit_after("process_boot")
    worker = Worker(broker, queues={queue}, worker_threads=threads, worker_timeout=_LOOK_MS)
    worker.start()
    signal.sigwait(_ENDINGS)
    worker.stop()
    broker.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
