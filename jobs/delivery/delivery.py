"""The delivery itself: every object made, sent and noted, some at once; again after a kill it goes on where it stood."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice

import msgspec

from jobs.delivery.journal import Journal, Sent
from jobs.delivery.making import UNFIT, Made, Maker, sidecar
from jobs.delivery.selection import Item
from jobs.delivery.target import NotStoredError, Target


class Outcome(StrEnum):
    """What became of one object."""

    DELIVERED = "delivered"
    #: It was there before.
    PRESENT = "present"
    #: Something else has its name.
    CLASH = "clash"
    #: It cannot be made so.
    UNFIT = "unfit"
    #: The target did not take it now.
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """One object's end."""

    item: Item
    outcome: Outcome
    why: str = ""


@dataclass(slots=True, kw_only=True)
class Summary:
    """What a delivery has come to."""

    counts: Counter[Outcome] = field(default_factory=Counter)
    #: Those that were not delivered.
    gaps: list[Ended] = field(default_factory=list)
    #: The target took nothing any more: the rest was not tried.
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One batch, one profile, one target."""

    batch: str
    profile: str
    target: Target
    maker: Maker
    journal: Journal
    #: Objects under way at once.
    parallel: int
    sidecar: bool = True
    #: An object of an earlier delivery of this batch gives way to the one made now.
    replace: bool = False

    def run(self, items: Sequence[Item], show: Callable[[Ended], None] = lambda _: None) -> Summary:
        """Delivers them; a target that takes none of as many as are under way at once is not asked further.

        Raises:
            ConfigError: the target lets nobody in, or the marks cannot be written here.
        """
        summary, failing = Summary(), 0
        for ended in self._ends(items, lambda: summary.stopped):
            show(ended)
            summary.counts[ended.outcome] += 1
            if ended.why:
                summary.gaps.append(ended)
            failing = failing + 1 if ended.outcome is Outcome.FAILED else 0
            summary.stopped = summary.stopped or failing >= self.parallel
        return summary

    def _ends(self, items: Iterable[Item], stopped: Callable[[], bool]) -> Iterator[Ended]:
        """As they end; a bounded number is under way, and what is under way is waited for whatever happens."""
        rest = iter(items)
        with ThreadPoolExecutor(self.parallel) as threads:
            under_way = {threads.submit(self.deliver, item) for item in islice(rest, 2 * self.parallel)}
            try:
                while under_way:
                    ended: set[Future[Ended]]
                    ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                    for future in ended:
                        yield future.result()
                    if not stopped():
                        under_way |= {threads.submit(self.deliver, item) for item in islice(rest, len(ended))}
            finally:
                threads.shutdown(wait=True, cancel_futures=True)

    def deliver(self, item: Item) -> Ended:
        """One object."""
        address, recipe = self.target.address(item.name), self.maker.recipe(item)
        before = self.journal.stored(address)
        if before is not None and before.recipe == recipe and before.rows == item.rows:
            return Ended(item=item, outcome=Outcome.PRESENT)
        try:
            made = self.maker.made(item)
            sent = self._sent(item, address, recipe, made)
            self.journal.add(sent)
            outcome, sent = self._store(item, made, sent)
        except UNFIT as error:
            return Ended(item=item, outcome=Outcome.UNFIT, why=str(error))
        except NotStoredError as error:
            return Ended(item=item, outcome=Outcome.FAILED, why=str(error))
        if outcome is Outcome.CLASH:
            why = "another file has this name"
            if before is not None:
                why = "it was delivered otherwise before: --replace puts this in its place"
            return Ended(item=item, outcome=outcome, why=why)
        self.journal.add(msgspec.structs.replace(sent, at=_now()))
        return Ended(item=item, outcome=outcome)

    def _store(self, item: Item, made: Made, sent: Sent) -> tuple[Outcome, Sent]:
        """Sends it, and its sidecar behind it; what is noted is what lies there."""
        outcome = Outcome.DELIVERED
        try:
            self.target.create(item.name, made.content)
        except FileExistsError:
            there = hashlib.sha256(self.target.read(item.name) or b"").hexdigest()
            ours = self.journal.stored_as(sent.address, there, sent.recipe)
            if ours is not None:
                # By a reply that was lost or a writer that died: it is known by its hash.
                outcome, sent = Outcome.PRESENT, ours
            elif self.replace and self.journal.is_ours(sent.address, there):
                self.target.replace(item.name, made.content)
            else:
                return Outcome.CLASH, sent
        if self.sidecar:
            summary = {name: getattr(sent, name) for name in ("sha256", "bytes", "width", "height", "marks")}
            self.target.replace(f"{item.name}.json", sidecar(item, self.batch, self.profile, summary))
        return outcome, sent

    def _sent(self, item: Item, address: str, recipe: str, made: Made) -> Sent:
        return Sent(
            address=address,
            recipe=recipe,
            sha256=made.sha256,
            bytes=len(made.content),
            width=made.width,
            height=made.height,
            rows=item.rows,
            sku=item.sku,
            profile=self.profile,
            picture_sha256=item.picture_sha256,
            marks=made.marks,
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
