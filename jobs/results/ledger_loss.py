"""Whether a ledger can be the whole one of last time, by what is remembered of it outside of Redis."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from jobs.config.settings import Settings
from jobs.errors import ConfigError, NotFoundError
from jobs.ledger import Ledger
from jobs.ledger.high_water import HighWaterMark, Mark, older_words
from jobs.records import BatchId
from jobs.results.checkpoint import SIMULATED, Checkpoint, is_drawn, read_checkpoint

#: What the embedded server is called where a ledger has been moved to.
DATA_FOLDER: Final = "the Redis of the data folder"
#: The simulated shop's folder inside a data folder.
_FOLDER: Final = SIMULATED.removeprefix("-")


class Shop(Protocol):
    """What is looked at."""

    @property
    def settings(self) -> Settings:
        """Where its folders are."""

    @property
    def ledger(self) -> Ledger:
        """Its ledger."""


def unusable(opened: Shop) -> str:
    """Why nobody can accept this ledger: it is written just now, or was moved; empty: that is not so."""
    if opened.ledger.is_being_written():
        return (
            "the ledger is not whole: vton restore or vton move-ledger is at it, or was killed; give it again"
        )
    if moved := opened.ledger.moved_to():
        home = moved == DATA_FOLDER
        say = "leave redis.url (VTON_REDIS__URL) empty" if home else "set redis.url (VTON_REDIS__URL) to it"
        return f"the ledger was moved to {moved}: {say}, or move it back by vton move-ledger"
    return ""


def lost_ledger(opened: Shop) -> str:
    """Why the ledger cannot be the whole one of last time, a sentence without its full stop; empty when it may be."""
    if why := unusable(opened):
        return why
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
        lacks = mark.ledger == current.ledger and mark.orders > current.orders
        if lacks and not opened.ledger.is_recovering(mark):
            return f"{older_words(mark, current.orders)} (see {where})"
    return _copied(opened)


def _copied(opened: Shop) -> str:
    """Why the data folder may be a copy, whose original buys what waits in both; empty when it is not."""
    note = inode_note(opened)
    if note is None or not note.exists() or note.read_text(encoding="ascii").strip() == inode(note.parent):
        return ""
    both = "what waits in its ledger would be bought by both"
    return f"{note.parent} is a copy of another data folder, or was restored: {both}"


def inode_note(opened: Shop) -> Path | None:
    """The file that says which folder the embedded Redis' files were made in; a configured Redis has none."""
    embedded = not opened.settings.redis.url.get_secret_value()
    return opened.settings.data_dir / "redis" / "inode" if embedded else None


def inode(folder: Path) -> str:
    """What a move within a file system keeps, and a copy does not; a device's number may change at a reboot."""
    return str(folder.stat().st_ino)


def foreign_results(opened: Shop, batch_id: BatchId | None = None) -> str:
    """Why the results in the output folder are not this ledger's, as `lost_ledger`; empty when nothing speaks for it.

    With a new data folder any batch's results count: whoever stands in another folder than last time has bought them.
    Drawn ones never do: nothing was bought for them, and they make room by themselves.
    """
    settings = opened.settings
    current = opened.ledger.mark()
    new = current is None and mark_of(opened).read() is None
    simulated = settings.data_dir.name == _FOLDER
    for folder, mark, drawn in result_marks(settings.output_dir):
        own = folder.name == batch_id
        if drawn or (not own and (simulated or not new)):
            continue
        if mark is not None and (_is_ours(opened, mark, current) or is_simulated_mark(opened, mark)):
            continue
        if mark is None and (batch_id is None or not own or _knows(opened, batch_id)):
            continue
        if simulated:
            return f"{folder} has results that were not simulated"
        whose = f"the data folder {settings.data_dir.absolute()} {'is new' if new else 'does not know them'}"
        return f"{folder} has results of another ledger and {whose}: what they tell of would be bought again"
    return ""


def mark_of(opened: Shop) -> HighWaterMark:
    """The data folder's mark."""
    return HighWaterMark(opened.settings.data_dir, opened.settings.redis.prefix)


def result_marks(output_dir: Path) -> Iterator[tuple[Path, Mark | None, bool]]:
    """The folders that hold results, which ledger's they are (None: they do not say), and whether they were drawn."""
    for results in sorted(output_dir.glob("*/results.jsonl")):
        found = _checkpoint(results.parent)
        mark = Mark(ledger=found.ledger, orders=found.orders) if found and found.ledger else None
        yield results.parent, mark, found is not None and is_drawn(found)


def of_other_shop(opened: Shop, folder: Path) -> bool:
    """Whether a batch folder's results were drawn though this shop buys, or the other way round; False: not known."""
    found = _checkpoint(folder)
    if found is None:
        return False
    if not found.prefix:
        # Earlier versions did not say, but the simulated shop beside may know its own.
        return is_simulated_mark(opened, Mark(ledger=found.ledger, orders=found.orders))
    return is_drawn(found) != opened.ledger.prefix.endswith(SIMULATED)


def _checkpoint(folder: Path) -> Checkpoint | None:
    try:
        return read_checkpoint(folder)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be read: {error.strerror}") from None


def _is_ours(opened: Shop, mark: Mark, current: Mark | None) -> bool:
    return current is not None and (mark.ledger == current.ledger or opened.ledger.replaces(mark.ledger))


def is_simulated_mark(opened: Shop, mark: Mark) -> bool:
    """Whether the simulated shop of this one's data folder has made it: nothing was bought for it."""
    settings = opened.settings
    if settings.data_dir.name == _FOLDER:
        return False
    simulated = HighWaterMark(settings.data_dir / _FOLDER, f"{settings.redis.prefix}{SIMULATED}").read()
    return simulated is not None and simulated.ledger == mark.ledger


def _knows(opened: Shop, batch_id: BatchId) -> bool:
    try:
        return bool(opened.ledger.batch(batch_id))
    except NotFoundError:
        return False
