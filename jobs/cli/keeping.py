"""`data.keep_days`: what a run prunes when it has ended."""

import structlog

from jobs.cli.session import Session
from jobs.errors import VtonError

log = structlog.get_logger()

_DAY_MS = 86_400_000


def prune_old(opened: Session) -> None:
    """Prunes batches that ended longer ago than is kept; what goes wrong is logged, and nothing of the run."""
    if not (days := opened.settings.data.keep_days):
        return
    # Loaded for it alone.
    from jobs.cli.prune import pruned  # noqa: PLC0415
    from jobs.results.pruning import Wanted  # noqa: PLC0415

    try:
        gone, _ = pruned(opened, Wanted(older_than_ms=days * _DAY_MS))
    except (VtonError, OSError) as error:
        log.warning("ledger.unpruned", why=str(error))
        return
    if gone.batches:
        log.info("ledger.pruned", batches=list(gone.batches), jobs=gone.jobs, bytes=gone.files.bytes)
