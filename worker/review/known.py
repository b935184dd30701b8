"""Verdicts of batches in the order in which this process has heard of them, so that pages ask only for what is new.

The ledger stays the one place where they are kept; this is a copy of it that grows, made anew when a ledger has lost some.
"""

import secrets
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from jobs.ledger import Ledger
from jobs.ledger.verdicts import add_verdicts, count_verdicts, pictures_of, verdicts_of
from jobs.records import BatchId, JobState, Verdict

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a page has not heard yet."""

    #: What to ask with next time.
    position: str
    #: These are all: the page asked for the first time, or what it knew was of another copy.
    whole: bool
    verdicts: Sequence[Verdict]


@dataclass(slots=True)
class _Copy:
    """The verdicts of one batch; only added to."""

    name: str = field(default_factory=lambda: secrets.token_hex(4))
    verdicts: list[Verdict] = field(default_factory=list)
    keys: set[_Key] = field(default_factory=set)

    def add(self, verdicts: Iterable[Verdict]) -> None:
        for one in verdicts:
            if _key(one) not in self.keys:
                self.keys.add(_key(one))
                self.verdicts.append(one)


class Known:
    """For threads. Every method raises RedisDownError when Redis does not answer."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._copies: dict[BatchId, _Copy] = {}
        #: Held while a copy changes, never while Redis is asked.
        self._lock = threading.Lock()

    def exists(self, batch: BatchId) -> bool:
        """Whether the ledger has such a batch. Raises NotFoundError: no batch has such a name."""
        return self._ledger.exists(batch)

    def batches(self) -> list[BatchId]:
        """Every batch, newest first."""
        return self._ledger.batches()

    def replaced(self, batch: BatchId, verdicts: Sequence[Verdict]) -> set[Verdict]:
        """Those on pictures that the batch does not have today."""
        jobs = self._ledger.jobs({one.request_id for one in verdicts if one.request_id})
        today = {
            picture.sha256
            for job in jobs.values()
            if job.state is JobState.SUCCEEDED and batch in job.refs
            for picture in job.pictures
        }
        if any(one.picture_sha256 not in today for one in verdicts):
            today = set(pictures_of(self._ledger, batch))
        return {one for one in verdicts if one.picture_sha256 not in today}

    def add(self, batch: BatchId, verdicts: Sequence[Verdict]) -> None:
        """Writes verdicts into the ledger; the same ones again change nothing."""
        add_verdicts(self._ledger, batch, verdicts)
        with self._lock:
            copy = self._copies.get(batch)
            if copy is not None:
                copy.add(verdicts)

    def since(self, batch: BatchId, position: str) -> News:
        """What was said behind a position, by whomever and however it came into the ledger."""
        self._catch_up(batch)
        with self._lock:
            copy = self._copies[batch]
            name, _, count = position.partition(":")
            begin = int(count) if name == copy.name and count.isdecimal() else 0
            return News(
                position=f"{copy.name}:{len(copy.verdicts)}",
                whole=begin == 0,
                verdicts=copy.verdicts[begin:],
            )

    def _catch_up(self, batch: BatchId) -> None:
        with self._lock:
            copy = self._copies.setdefault(batch, _Copy())
            before = len(copy.verdicts)
        if count_verdicts(self._ledger, batch) == before:
            return
        found = verdicts_of(self._ledger, batch)
        there = {_key(one) for one in found}
        with self._lock:
            copy = self._copies[batch]
            # Nothing is ever taken out of a ledger: one that lacks some is an older one, or another.
            if any(_key(one) not in there for one in copy.verdicts[:before]):
                copy = self._copies[batch] = _Copy()
            copy.add(found)


def _key(one: Verdict) -> _Key:
    return one.picture_sha256, one.at, one.reviewer
