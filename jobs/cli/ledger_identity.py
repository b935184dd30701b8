"""Whether the ledger is the one of last time, and whole; looked at before anything is bought and while it is bought.

The ledger is the only memory of what was bought. Without it, or with an older state of it, the same manifests would be
bought again in silence. Outside of Redis two places remember it: the data folder's mark, and each batch's results.
"""

import time
from collections.abc import Callable

import structlog

from jobs.cli.advice import command, is_simulated
from jobs.cli.session import Session
from jobs.errors import ConfigError, LedgerLostError
from jobs.health.account import LOST_ACTION
from jobs.ledger.high_water import Mark, Marks, older_words
from jobs.records import BatchId
from jobs.results.ledger_loss import (
    foreign_results,
    inode,
    inode_note,
    is_simulated_mark,
    lost_ledger,
    mark_of,
    result_marks,
    unusable,
)

log = structlog.get_logger()

#: How often a command that stays notes how many orders it has seen, s.
NOTE_S = 2.0
#: For a simulated run over real results.
ELSEWHERE = "Name another folder: --output FOLDER, or make demo ARGS='--output FOLDER'"


def check_ledger(opened: Session, batch_id: BatchId) -> None:
    """Compares the ledger with what is remembered of it; call before anything is enqueued.

    Raises:
        LedgerLostError: it is empty, another one or older; or the batch's results are another ledger's.
    """
    check_usable(opened)
    if why := lost_ledger(opened):
        raise LedgerLostError(f"{why}. {what_to_do(opened)}")
    if why := foreign_results(opened, batch_id):
        # What was bought is not brought into a simulated shop.
        raise LedgerLostError(f"{why}. {ELSEWHERE if is_simulated(opened.ledger) else what_to_do(opened)}")


def lost_action(opened: Session, lost: str) -> str:
    """What a person does about a lost ledger; empty when the reason itself says it."""
    return "" if lost and lost == unusable(opened) else LOST_ACTION


def check_usable(opened: Session) -> None:
    """Raises LedgerLostError: see `unusable`."""
    if why := unusable(opened):
        raise LedgerLostError(why)


def what_to_do(opened: Session) -> str:
    """The way out for whoever has lost a ledger."""
    recover = command("recover --all", simulated=is_simulated(opened.ledger))
    return (
        f"Restore the ledger; or bring in what the results know ({recover}) and then accept that the rest may be bought"
        " again: --accept-new-ledger"
    )


def settle(opened: Session, batch_id: BatchId, *, accept_new: bool) -> None:
    """Takes over what is remembered: all of it if a person has said so, else only what a simulated shop has left."""
    known, current = mark_of(opened).read(), opened.ledger.mark()
    lost = [known] if known is not None and accept_new else []
    for folder, mark, _ in result_marks(opened.settings.output_dir):
        if mark is None:
            continue
        own = folder.name == batch_id or (current is not None and mark.ledger == current.ledger)
        if (accept_new and own) or (folder.name == batch_id and is_simulated_mark(opened, mark)):
            lost.append(mark)
    note = inode_note(opened)
    if note is not None and (accept_new or not note.exists()):
        note.write_text(f"{inode(note.parent)}\n", encoding="ascii")
    if lost or accept_new:
        accepted = opened.ledger.accept(lost)
        if accept_new:
            try:
                mark_of(opened).replace(accepted)
            except OSError as error:
                raise ConfigError(f"{mark_of(opened).path}: cannot be written: {error.strerror}") from None


def remember_ledger(opened: Session) -> None:
    """Notes the ledger and its orders; call once a batch is open."""
    LedgerWatch(opened).look()


class LedgerWatch:
    """Looks after the ledger as long as a command stays."""

    def __init__(self, opened: Session) -> None:
        self._opened = opened
        self._mark = mark_of(opened)
        self._seen: Mark | None = None
        self._noted_s = float("-inf")

    def look(self, ask: Callable[[], Marks | None] | None = None) -> bool:
        """Compares, and now and then notes what was seen; False while the ledger is empty and was before.

        `ask`: asks the ledger for its marks, with whatever else is wanted of it.

        Raises:
            LedgerLostError: it is gone, another one or older than what was seen.
        """
        due = time.monotonic() - self._noted_s >= NOTE_S
        # Before the ledger is asked: a worker that sees more meanwhile must not make it look older.
        known = self._mark.read() if due else None
        current, safe = (ask or self._opened.ledger.marks)() or (None, None)
        if current is None and self._seen is None:
            return False
        if current is None or current.ledger != (self._seen or current).ledger:
            raise LedgerLostError("the ledger is gone: nothing is submitted until a person has looked")
        if known is not None and known.ledger != current.ledger:
            if not self._opened.ledger.replaces(known.ledger):
                raise LedgerLostError(
                    f"the ledger is another one than {self._mark.path} remembers. {what_to_do(self._opened)}"
                )
            self._mark.replace(current)
        for seen in (self._seen, known):
            if seen is not None and seen.ledger == current.ledger and seen.orders > current.orders:
                if self._opened.ledger.is_recovering(seen):
                    return True
                raise LedgerLostError(f"{older_words(seen, current.orders)}. {what_to_do(self._opened)}")
        self._seen = safe or current
        if due:
            self._note(self._seen)
        return True

    def _note(self, current: Mark) -> None:
        self._noted_s = time.monotonic()
        try:
            self._mark.raise_to(current)
        except OSError as error:
            log.warning("ledger.unnoted", why=f"{self._mark.path}: {error.strerror}")
