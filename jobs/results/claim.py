"""Whose a batch folder is: results of another ledger, or of what this ledger has forgotten, are never written over."""

import platform
from itertools import count
from pathlib import Path

import structlog
from msgspec.structs import replace

from jobs.config.advice import command
from jobs.errors import ForeignResultsError
from jobs.ledger import Ledger
from jobs.ledger.codec import encode_path
from jobs.ledger.high_water import Mark
from jobs.records import BatchId
from jobs.redis.client import translated
from jobs.results.checkpoint import (
    CHECKPOINT,
    NOTHING,
    RESULTS,
    SIMULATED,
    Checkpoint,
    is_drawn,
    read_checkpoint,
    write_checkpoint,
)
from jobs.results.files import Renew
from jobs.results.jsonl import ResultsFile

log = structlog.get_logger()

#: The checkpoint goes last: until then the folder still says whose it was.
KEPT = (RESULTS, "results.csv", "failed.csv", "summary.json", "report.html", "report", CHECKPOINT)
IMAGES = "images"


def claim(
    folder: Path, ledger: Ledger, batch_id: BatchId, renew: Renew, *, accept: bool = False
) -> ResultsFile:
    """The folder's results.jsonl, ready for this ledger's rows; what may go gets other names first.

    `renew`: renews the exporter's lease; the other arguments and the errors are those of `check_folder`.
    """
    found, going = _judged(folder, ledger, batch_id, accept=accept)
    if going:
        keep_aside(folder, going, renew, images=found is not None and is_drawn(found))
        found = None
    marks = ledger.marks()
    mark = marks[1] if marks else Mark(ledger="", orders=0)
    file = ResultsFile(folder, mark.ledger, ledger.prefix, mark.orders)
    if found is None:
        file.begin(renew)
    elif not (folder / CHECKPOINT).exists():
        # From the file's last line, where earlier versions had it, to its own place.
        write_checkpoint(folder, replace(found, prefix=ledger.prefix), renew)
    return file


def check_folder(folder: Path, ledger: Ledger, batch_id: BatchId, *, accept: bool = False) -> None:
    """Refuses a folder with results that this ledger does not have; changes nothing.

    Args:
        folder: the batch folder.
        ledger: where the rows stand.
        batch_id: the batch.
        accept: a person goes on without what the folder's own ledger knew.

    Raises:
        ForeignResultsError: it holds them, and nobody has accepted that.
    """
    _judged(folder, ledger, batch_id, accept=accept)


def _judged(
    folder: Path, ledger: Ledger, batch_id: BatchId, *, accept: bool
) -> tuple[Checkpoint | None, str]:
    """The folder's checkpoint, and the mark under which its files are kept when they have to go; empty: they stay."""
    found = read_checkpoint(folder)
    if found is None:
        # Torn by an earlier version, or somebody's own.
        somebodys = (folder / RESULTS).exists() and (folder / RESULTS).stat().st_size
        return None, "unclaimed" if somebodys else ""
    if not (why := _objection(found, ledger, batch_id)):
        return found, ""
    if not is_drawn(found) and ledger.prefix.endswith(SIMULATED):
        raise ForeignResultsError(f"{folder}: its results are not simulated; write elsewhere (-o)")
    if not (accept or is_drawn(found) or _accepted(found, ledger)):
        recover = command(f"recover {batch_id}", simulated=ledger.prefix.endswith(SIMULATED))
        raise ForeignResultsError(
            f"{folder}: its results {why}; nothing in it was changed. Restore that ledger, or bring its results in with"
            f" {recover}, or write elsewhere (-o), or say --accept-new-ledger: then they are kept under"
            " other names"
        )
    return found, found.ledger[:8]


def keep_aside(folder: Path, mark: str, renew: Renew, *, images: bool = False) -> None:
    """Gives the files of a batch folder other names, e.g. `results.<mark>.jsonl`; its pictures too with `images`."""
    names = (IMAGES, *KEPT) if images else KEPT
    marks = (mark if number == 1 else f"{mark}-{number}" for number in count(1))
    free = next(one for one in marks if not any(_aside(folder / name, one).exists() for name in names))
    renew()
    for name in names:
        if (folder / name).exists():
            (folder / name).replace(_aside(folder / name, free))
    if images:
        (folder / IMAGES).mkdir(mode=0o700)
    log.warning("export.kept", folder=str(folder), name=_aside(Path(RESULTS), free).name)


def _mark(ledger: Ledger) -> Mark:
    """The ledger's mark; its id is empty before its first batch."""
    return ledger.mark() or Mark(ledger="", orders=0)


def _aside(path: Path, mark: str) -> Path:
    return path.with_name(f"{path.stem}.{mark}{path.suffix}")


def _objection(found: Checkpoint, ledger: Ledger, batch_id: BatchId) -> str:
    """What these results have that the ledger has not; empty when it has all of them."""
    mark = _mark(ledger)
    if found.ledger != mark.ledger:
        return f"are of another ledger ({found.ledger[:8]})"
    if found.orders > mark.orders:
        return f"were made when this ledger counted {found.orders} orders, and now it counts {mark.orders}"
    if found.entry == NOTHING:
        return ""
    with translated():
        known = ledger.client.xrange(ledger.key("out", batch_id), found.entry, found.entry)
    return "" if known else "have rows whose end this ledger has forgotten"


def _accepted(found: Checkpoint, ledger: Ledger) -> bool:
    """Whether a person goes on with this ledger in the place of theirs, or no order was lost with what it forgot."""
    mark = _mark(ledger)
    return found.orders <= mark.orders if found.ledger == mark.ledger else ledger.replaces(found.ledger)


def output_place(output_dir: Path) -> str:
    """Where a batch's files belong, as its hash has it: this host and the folder of all batches."""
    return f"{platform.node()}:{encode_path(str(output_dir.resolve()))}"
