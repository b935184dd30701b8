"""The notices of `vton run`: how it ended, whoever else has looked meanwhile."""

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jobs.cli.advice import is_simulated
from jobs.cli.batch_run import RunEnd
from jobs.cli.session import IMPATIENT_S, Session
from jobs.config.exit_codes import ExitCode
from jobs.errors import VtonError
from jobs.ledger import Ledger
from jobs.notices.batches import batch_over, run_stopped
from jobs.notices.sender import Notices
from jobs.records import BatchId
from jobs.redis.client import connect
from jobs.units import iso

#: Ends by an error that somebody should hear of: not those that are about the command's own words, or a signal.
_SAID = frozenset({ExitCode.INTERNAL, ExitCode.CONFIG, ExitCode.DEADLINE})


class RunNotices:
    """A context manager around a run: an error that ends it is said too, unless it is about the command's own words."""

    def __init__(self, session: Session, batch_id: BatchId) -> None:
        redis = session.redis
        self._batch_id = batch_id
        self._began = iso(int(time.time() * 1000)) or ""
        self._output_dir = session.settings.output_dir
        # Impatient: a run that ends because Redis is away does not wait for it once more.
        self._simulated = is_simulated(session.ledger)
        self._client = connect(redis, db=redis.ledger_db, connections=1, patience_s=IMPATIENT_S)
        self._notices = Notices(Ledger(self._client, redis.prefix), session.settings.notify)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, VtonError) and error.exit_code in _SAID:
            self._notices.send(run_stopped(self._batch_id, error.exit_code, str(error)))
        self._client.close()

    def ended(self, end: RunEnd) -> None:
        """Says it, unless a signal has ended it: whoever gave that knows."""
        if not self._notices.on or end.code is ExitCode.INTERRUPTED:
            return
        summary = self._summary() if end.files else {}
        if end.code is ExitCode.OK:
            self._notices.send(batch_over(summary, self._began, simulated=self._simulated))
        else:
            self._notices.send(run_stopped(self._batch_id, end.code, end.why, summary))

    def _summary(self) -> dict[str, Any]:
        path = Path(self._output_dir, self._batch_id, "summary.json")
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
