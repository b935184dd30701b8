"""Looks for what deserves a notice, beside the watcher and the reconciler of each collect process."""

import asyncio
import threading
from typing import TYPE_CHECKING

import structlog

from jobs.errors import RedisDownError

if TYPE_CHECKING:
    from jobs.notices.looking import Looking

log = structlog.get_logger()


class NoticeLoop:
    """Looks every `notify.look_s`, in a thread of its own that nothing waits for: one that hangs holds up nothing else."""

    def __init__(self, looking: "Looking | None", period_s: float) -> None:
        """`looking`: None: no way is set that notices could go."""
        self._looking = looking
        self._period_s = period_s
        self._stopping = threading.Event()
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Runs until stopped."""
        if self._looking is not None:
            threading.Thread(target=self._main, args=(self._looking,), name="notices", daemon=True).start()
            await self._stopped.wait()

    def stop(self) -> None:
        """No further look is begun."""
        self._stopping.set()
        self._stopped.set()

    def _main(self, looking: "Looking") -> None:
        while not self._stopping.is_set():
            try:
                looking.look()
            except RedisDownError as error:
                log.warning("redis.waiting", why=str(error))
            except Exception:
                # Whatever it was, the next look is due all the same.
                log.exception("actor.failed", what="notices")
            self._stopping.wait(self._period_s)
