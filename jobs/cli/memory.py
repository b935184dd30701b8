"""Remembers which ledger this data folder has worked with, so that an emptied Redis is noticed before anything is bought.

The ledger is the only memory of what was bought. If it is gone, the same manifests would be bought again in silence.
"""

from pathlib import Path

from jobs.cli.station import Station
from jobs.errors import LedgerLostError


def check_ledger(opened: Station, *, accept_new: bool) -> None:
    """Compares the ledger with the one this data folder knows; call before anything is enqueued.

    Raises:
        LedgerLostError: it is empty or another one, and nobody has accepted that.
    """
    lost = lost_ledger(opened)
    if lost and not accept_new:
        raise LedgerLostError(f"{lost}. Restore it, or say --accept-new-ledger")


def lost_ledger(opened: Station) -> str:
    """Why the ledger cannot be the one of last time, a sentence without its full stop; empty when it may be."""
    note = _note(opened)
    known = note.read_text(encoding="utf-8").strip() if note.exists() else ""
    current = opened.ledger.ledger_id() or ""
    if not known or known == current:
        return ""
    what = "is another one" if current else "is empty"
    return (
        f"the ledger in Redis {what}, but {note} remembers one: what was bought before would be bought again"
    )


def remember_ledger(opened: Station) -> None:
    """Notes the ledger's id; call once a batch is open."""
    note = _note(opened)
    note.parent.mkdir(parents=True, exist_ok=True)
    new = note.with_suffix(".tmp")
    new.write_text(f"{opened.ledger.ledger_id()}\n", encoding="utf-8")
    new.replace(note)


def _note(opened: Station) -> Path:
    return opened.settings.data_dir / f"ledger-{opened.settings.redis.prefix}.id"
