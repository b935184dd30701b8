"""Whether the ledger is the one of last time, and whole; looked at before anything is bought and while it is bought.

The ledger is the only memory of what was bought. Without it, or with an older state of it, the same manifests would be
bought again in silence. Outside of Redis two places remember it: the data folder's mark, and each batch's results.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import structlog

from jobs.cli.advice import SIMULATED, command, is_simulated
from jobs.cli.session import Session
from jobs.errors import ConfigError, LedgerLostError, NotFoundError
from jobs.ledger.high_water import HighWaterMark, Mark, older_words
from jobs.records import BatchId
from jobs.results.checkpoint import Checkpoint, is_drawn, read_checkpoint

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
    if why := lost_ledger(opened):
        raise LedgerLostError(f"{why}. {what_to_do(opened)}")
    if why := foreign_results(opened, batch_id):
        # What was bought is not brought into a simulated shop.
        raise LedgerLostError(f"{why}. {ELSEWHERE if is_simulated(opened.ledger) else what_to_do(opened)}")


def what_to_do(opened: Session) -> str:
    """The way out for whoever has lost a ledger."""
    recover = command("recover --all", simulated=is_simulated(opened.ledger))
    return (
        f"Restore the ledger; or bring in what the results know ({recover}) and then accept that the rest may be bought"
        " again: --accept-new-ledger"
    )


def lost_ledger(opened: Session) -> str:
    """Why the ledger cannot be the whole one of last time, a sentence without its full stop; empty when it may be."""
    found = result_marks(opened.settings.output_dir)
    marks = [(folder, mark) for folder, mark, _ in found if mark is not None]
    # Asked after what it is compared with was read: workers may be counting on.
    known, current = mark_of(opened).read(), opened.ledger.mark()
    again = "what was bought before would be bought again"
    if current is None:
        return (
            f"the ledger in Redis is empty, but {mark_of(opened).path} remembers one: {again}"
            if known
            else ""
        )
    if known is not None and known.ledger != current.ledger and not opened.ledger.replaces(known.ledger):
        return f"the ledger in Redis is another one than {mark_of(opened).path} remembers: {again}"
    if known is not None:
        marks.append((mark_of(opened).path, known))
    for where, mark in marks:
        if mark.ledger == current.ledger and mark.orders > current.orders:
            return f"{older_words(mark, current.orders)} (see {where})"
    return _copied(opened)


def _copied(opened: Session) -> str:
    """Why the data folder may be a copy, whose original buys what waits in both; empty when it is not."""
    note = _inode_note(opened)
    if note is None or not note.exists() or note.read_text(encoding="ascii").strip() == _inode(note.parent):
        return ""
    both = "what waits in its ledger would be bought by both"
    return f"{note.parent} is a copy of another data folder, or was restored: {both}"


def _inode_note(opened: Session) -> Path | None:
    """The file that says which folder the embedded Redis' files were made in; a configured Redis has none."""
    embedded = not opened.settings.redis.url.get_secret_value()
    return opened.settings.data_dir / "redis" / "inode" if embedded else None


def _inode(folder: Path) -> str:
    """What a move within a file system keeps, and a copy does not; a device's number may change at a reboot."""
    return str(folder.stat().st_ino)


def foreign_results(opened: Session, batch_id: BatchId | None = None) -> str:
    """Why the results in the output folder are not this ledger's, as `lost_ledger`; empty when nothing speaks for it.

    With a new data folder any batch's results count: whoever stands in another folder than last time has bought them.
    Drawn ones never do: nothing was bought for them, and they make room by themselves.
    """
    settings = opened.settings
    current = opened.ledger.mark()
    new = current is None and mark_of(opened).read() is None
    simulated = settings.data_dir.name == SIMULATED
    for folder, mark, drawn in result_marks(settings.output_dir):
        own = folder.name == batch_id
        if drawn or (not own and (simulated or not new)):
            continue
        if mark is not None and (_is_ours(opened, mark, current) or _is_simulated(opened, mark)):
            continue
        if mark is None and (batch_id is None or not own or _knows(opened, batch_id)):
            continue
        if simulated:
            return f"{folder} has results that were not simulated"
        whose = f"the data folder {settings.data_dir.absolute()} {'is new' if new else 'does not know them'}"
        return f"{folder} has results of another ledger and {whose}: what they tell of would be bought again"
    return ""


def settle(opened: Session, batch_id: BatchId, *, accept_new: bool) -> None:
    """Takes over what is remembered: all of it if a person has said so, else only what a simulated shop has left."""
    known, current = mark_of(opened).read(), opened.ledger.mark()
    lost = [known] if known is not None and accept_new else []
    for folder, mark, _ in result_marks(opened.settings.output_dir):
        if mark is None:
            continue
        own = folder.name == batch_id or (current is not None and mark.ledger == current.ledger)
        if (accept_new and own) or (folder.name == batch_id and _is_simulated(opened, mark)):
            lost.append(mark)
    note = _inode_note(opened)
    if note is not None and (accept_new or not note.exists()):
        note.write_text(f"{_inode(note.parent)}\n", encoding="ascii")
    if lost or accept_new:
        accepted = opened.ledger.accept(lost)
        if accept_new:
            try:
                mark_of(opened).replace(accepted)
            except OSError as error:
                raise ConfigError(f"{mark_of(opened).path}: cannot be written: {error.strerror}") from None


def mark_of(opened: Session) -> HighWaterMark:
    """The data folder's mark."""
    return HighWaterMark(opened.settings.data_dir, opened.settings.redis.prefix)


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

    def look(self) -> bool:
        """Compares, and now and then notes what was seen; False while the ledger is empty and was before.

        Raises:
            LedgerLostError: it is gone, another one or older than what was seen.
        """
        due = time.monotonic() - self._noted_s >= NOTE_S
        # Before the ledger is asked: a worker that sees more meanwhile must not make it look older.
        known = self._mark.read() if due else None
        current = self._opened.ledger.mark()
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
                raise LedgerLostError(f"{older_words(seen, current.orders)}. {what_to_do(self._opened)}")
        self._seen = current
        if due:
            self._note(current)
        return True

    def _note(self, current: Mark) -> None:
        self._noted_s = time.monotonic()
        try:
            self._mark.raise_to(current)
        except OSError as error:
            log.warning("ledger.unnoted", why=f"{self._mark.path}: {error.strerror}")


def result_marks(output_dir: Path) -> Iterator[tuple[Path, Mark | None, bool]]:
    """The folders that hold results, which ledger's they are (None: they do not say), and whether they were drawn."""
    for results in sorted(output_dir.glob("*/results.jsonl")):
        found = _checkpoint(results.parent)
        mark = Mark(ledger=found.ledger, orders=found.orders) if found and found.ledger else None
        yield results.parent, mark, found is not None and is_drawn(found)


def of_other_shop(opened: Session, folder: Path) -> bool:
    """Whether a batch folder's results were drawn though this shop buys, or the other way round; False: not known."""
    found = _checkpoint(folder)
    if found is None:
        return False
    if not found.prefix:
        # Earlier versions did not say, but the simulated shop beside may know its own.
        return _is_simulated(opened, Mark(ledger=found.ledger, orders=found.orders))
    return is_drawn(found) != is_simulated(opened.ledger)


def _checkpoint(folder: Path) -> Checkpoint | None:
    try:
        return read_checkpoint(folder)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be read: {error.strerror}") from None


def _is_ours(opened: Session, mark: Mark, current: Mark | None) -> bool:
    return current is not None and (mark.ledger == current.ledger or opened.ledger.replaces(mark.ledger))


def _is_simulated(opened: Session, mark: Mark) -> bool:
    """Whether the simulated shop of this one's data folder has made it: nothing was bought for it."""
    settings = opened.settings
    if settings.data_dir.name == SIMULATED:
        return False
    simulated = HighWaterMark(settings.data_dir / SIMULATED, f"{settings.redis.prefix}-{SIMULATED}").read()
    return simulated is not None and simulated.ledger == mark.ledger


def _knows(opened: Session, batch_id: BatchId) -> bool:
    try:
        return bool(opened.ledger.batch(batch_id))
    except NotFoundError:
        return False
