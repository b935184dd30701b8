"""Pruning: which batches have long ended and go, with what nothing else refers to, and how much that frees."""

import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jobs.errors import UnwrittenError
from jobs.failpoints import reach
from jobs.ledger import Ledger
from jobs.ledger.codec import UNREADABLE, decode, decode_refs
from jobs.ledger.pruning import Begun, begin, begun, finish, forget_all_of_nobody, job_ids
from jobs.ledger.records import BatchRecord
from jobs.records import PAID_LOSSES, BatchId, Failure, JobState
from jobs.redis.client import translated
from jobs.results.checkpoint import read_checkpoint
from jobs.results.lease import Lease
from jobs.results.unreferenced import Files, needed, remove, unreferenced

_SETS = ("batch", "rows", "left", "out", "review")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What shall be forgotten."""

    #: So long ago, in ms, a batch has ended and was last given.
    older_than_ms: int
    #: A person lets go what may have been bought and what was paid for and brought no picture: it stays known as bought.
    unknown: bool = False
    lost: bool = False
    #: Where the folders of pruned batches are removed too; None: they are the shop's, and stay.
    results: Path | None = None

    @property
    def words(self) -> str:
        """As the scripts have them."""
        return " ".join(name for name in ("unknown", "lost") if getattr(self, name))


@dataclass(slots=True, kw_only=True)
class Survey:
    """What goes, and what is old and stays."""

    batches: dict[BatchId, BatchRecord] = field(default_factory=dict)
    #: Old batches that stay, and why.
    held: dict[BatchId, Begun] = field(default_factory=dict)
    rows: int = 0
    #: Jobs that nobody else wants.
    jobs: int = 0
    #: Of Redis, about.
    ledger_bytes: int = 0
    files: Files = field(default_factory=Files)


def survey(ledger: Ledger, wanted: Wanted) -> Survey:
    """Looks at every batch and job; changes nothing."""
    found, oldest = Survey(), ledger.now_ms() - wanted.older_than_ms
    active = set(ledger.active_batches())
    for batch_id in ledger.batches():
        batch = ledger.batch(batch_id)
        why = _why_not(batch, oldest, wanted, active=batch_id in active)
        if why is None:
            found.batches[batch_id] = batch
        elif why is not Begun.YOUNG and max(batch.created_ms, batch.opened_ms or 0) < oldest:
            found.held[batch_id] = why
    shared, doubtful = _jobs(ledger, found.batches)
    for state, batch_id in doubtful:
        if batch_id in found.batches and not getattr(wanted, state):
            found.held[batch_id] = Begun(state)
            del found.batches[batch_id]
    found.rows = sum(batch.rows for batch in found.batches.values())
    found.jobs = sum(count for batches, count in shared.items() if batches <= found.batches.keys())
    found.ledger_bytes = _bytes(ledger, found.batches, found.jobs)
    return found


def _why_not(batch: BatchRecord, oldest: int, wanted: Wanted, *, active: bool) -> Begun | None:
    """As prune_begin.lua judges it, which has the last word."""
    if batch.completed_ms is None:
        return Begun.OPEN
    if max(batch.completed_ms, batch.opened_ms or 0) > oldest:
        return Begun.YOUNG
    if active:
        return Begun.UNEXPORTED
    return Begun.UNKNOWN if batch.counts.get("unknown") and not wanted.unknown else None


def _jobs(
    ledger: Ledger, batches: Iterable[BatchId]
) -> tuple[Counter[frozenset[str]], set[tuple[str, BatchId]]]:
    """How many jobs only these batches want, by which of them; and batches with a job that only a person lets go."""
    among, shared, doubtful = set(batches), Counter[frozenset[str]](), set[tuple[str, BatchId]]()
    for ids in job_ids(ledger) if among else ():
        pipeline = ledger.client.pipeline(transaction=False)
        for each in ids:
            pipeline.hmget(ledger.key("job", each), "state", "refs", "failure")
        with translated():
            found = pipeline.execute()
        for state, refs, failure in found:
            wanting = frozenset(decode_refs(refs or ""))
            if wanting and wanting <= among:
                shared[wanting] += 1
            if doubt := _doubt(state, failure):
                doubtful.update((doubt, BatchId(batch)) for batch in wanting)
    return shared, doubtful


def _doubt(state: str | None, failure: str | None) -> str:
    """The word of a person that a job needs; empty: none."""
    if state == JobState.UNKNOWN:
        return "unknown"
    if state != JobState.FAILED:
        return ""
    try:
        kind = decode(failure or "", Failure).kind
    except ValueError:
        kind = UNREADABLE
    return "lost" if kind in PAID_LOSSES else "unknown" if kind == UNREADABLE else ""


def _bytes(ledger: Ledger, batches: Iterable[BatchId], jobs: int) -> int:
    """What Redis needs for them: batches as it says, jobs by a few of them."""
    pipeline = ledger.client.pipeline(transaction=False)
    for batch_id in batches:
        for kind in _SETS:
            pipeline.memory_usage(ledger.key(kind, batch_id))
    sample = next(iter(job_ids(ledger)), [])[:100] if jobs else []
    for each in sample:
        pipeline.memory_usage(ledger.key("job", each))
    with translated():
        found = [each or 0 for each in pipeline.execute()]
    per_job = sum(found[len(found) - len(sample) :]) / len(sample) if sample else 0
    return int(sum(found[: len(found) - len(sample)]) + per_job * jobs)


def surveyed_files(ledger: Ledger, found: Survey, data_dir: Path, wanted: Wanted) -> Files:
    """The files that would go with the batches of a survey."""
    gone = found.batches.keys()
    keep = needed(ledger, lambda batches: bool(batches) and batches <= gone)
    return _files(data_dir, keep, wanted, dry_run=True)


def prune(ledger: Ledger, found: Survey, data_dir: Path, wanted: Wanted, *, files: bool = True) -> Survey:
    """Forgets the batches of a survey, and those begun before; returns what has gone, and what stays after all."""
    gone = Survey(held=dict(found.held), ledger_bytes=found.ledger_bytes)
    before = begun(ledger)
    for batch_id in (*before, *found.batches):
        why = Begun.BEGUN if batch_id in before else _begin(ledger, batch_id, wanted)
        if why is not Begun.BEGUN:
            if why is not Begun.GONE:
                gone.held[batch_id] = why
            continue
        reach("prune_begun")
        _remove_results(ledger, batch_id, wanted)
        gone.jobs += finish(ledger, batch_id)
        if batch_id in found.batches:
            gone.batches[batch_id] = found.batches[batch_id]
            gone.rows += found.batches[batch_id].rows
    gone.jobs += forget_all_of_nobody(ledger, wanted.older_than_ms, wanted.words)
    if files:
        gone.files = _files(data_dir, needed(ledger), wanted, dry_run=False)
    return gone


def _begin(ledger: Ledger, batch_id: BatchId, wanted: Wanted) -> Begun:
    """An exporter that is at the batch goes first."""
    lease = Lease(ledger, batch_id, time.monotonic)
    if not lease.take():
        return Begun.UNEXPORTED if ledger.exists(batch_id) else Begun.GONE
    try:
        return ledger.run(begin(batch_id, wanted.older_than_ms, wanted.words))
    finally:
        lease.drop()


def _files(data_dir: Path, keep: set[int | None], wanted: Wanted, *, dry_run: bool) -> Files:
    old = unreferenced(data_dir, keep, wanted.older_than_ms / 1000, time.time())
    return remove(data_dir, old, dry_run=dry_run)


def _remove_results(ledger: Ledger, batch_id: BatchId, wanted: Wanted) -> None:
    """The batch's folder, if it has the results of this ledger."""
    if wanted.results is None:
        return
    folder = wanted.results / batch_id
    try:
        found = read_checkpoint(folder)
        if found is not None and found.ledger == ledger.ledger_id():
            shutil.rmtree(folder)
    except OSError as error:
        raise UnwrittenError(f"{folder}: cannot be removed: {error.strerror}") from error


def other_ledgers(data_dir: Path, prefix: str) -> Sequence[str]:
    """Prefixes of other ledgers that have their pictures in the same data folder."""
    return sorted(_prefixes(data_dir) - {prefix})


def _prefixes(data_dir: Path) -> set[str]:
    def named() -> Iterator[str]:
        for kind in ("json", "id"):
            for path in data_dir.glob(f"ledger-*.{kind}"):
                yield path.stem.removeprefix("ledger-")

    return set(named())
