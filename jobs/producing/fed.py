"""What a batch was last fed with: the same again, and nothing has written to its rows since, needs no reading.

Only good rows of addresses are noted: a local picture may be another one by now, and bad rows are said again. A note holds
until the first of its addresses ends. Any doubt means that the rows are read and compared one by one.

Producers up to 0.1 do not count what they write: while one of them feeds the same batch by other settings, a note may hold
that should not. Then its rows stay as that one has left them; nothing is lost or bought twice.
"""

from hashlib import sha256
from importlib.metadata import version

from msgspec import Struct

from jobs.ledger import Admitted, Ledger
from jobs.ledger.codec import decode, encode
from jobs.ledger.records import BatchRecord
from jobs.ledger.script import script
from jobs.producing.planning import Planner
from jobs.records import BatchId

#: Moved when the same line of a manifest becomes another row or job than before.
_FORM = 2


class Fed(Struct, frozen=True, kw_only=True):
    """What a batch was fed with, whole, and how it stood then."""

    #: See what_feeds.
    of: str
    #: Chunks of rows that had been written by then, see admit.lua.
    row_writes: int
    rows: int
    #: When the first of its addresses ends, seconds since the epoch; None when none says so.
    until_s: float | None = None


def what_feeds(content: str, planner: Planner) -> str:
    """All that makes rows and jobs of a manifest, as one digest; "" when the planner cannot say how it judges addresses.

    `content`: the manifest's digest, and the epoch.
    """
    if not planner.judges_by:
        return ""
    made_by = [version("vton-batch"), str(_FORM), script("jobs.ledger", "admit").sha]
    parts = [content, planner.judges_by, str(planner.folder), sorted(planner.volatile), made_by]
    return sha256(encode(parts).encode()).hexdigest()


class Feeding:
    """One feeding of a batch, from before its first row: is it needed, and may it be noted?"""

    def __init__(self, ledger: Ledger, batch_id: BatchId, of: str) -> None:
        """Looks at the batch as it is now. `of`: see what_feeds."""
        self._ledger = ledger
        self._batch_id = batch_id
        self._of = of
        self._batch = ledger.batch(batch_id)
        self._written = 0

    def unchanged(self, now_s: float) -> Fed | None:
        """The note, if every row is as this feeding would leave it; `now_s`: seconds since the epoch."""
        noted = _read(self._batch)
        if noted is None or not self._of or noted.of != self._of:
            return None
        batch, retakes = self._batch, self._batch.retakes
        if (batch.row_writes, batch.rows - retakes) != (noted.row_writes, noted.rows):
            return None
        if batch.counts.get("invalid"):
            return None
        if noted.until_s is not None and noted.until_s <= now_s:
            return None
        return noted if self._ledger.rows_are_whole(self._batch_id, batch.rows) else None

    def count(self, admitted: Admitted) -> None:
        """Takes what became of a chunk."""
        self._written += admitted.wrote

    def note(self, *, rows: int, bad: int, planner: Planner) -> None:
        """Notes that the manifest is in, whole, if nobody else has written rows meanwhile and only time could change one.

        Not with bad or odd rows: whoever gives it again wants them reported again.
        """
        if not self._of or bad or not planner.addresses_only:
            return
        batch = self._ledger.batch(self._batch_id)
        if batch.row_writes != self._batch.row_writes + self._written:
            return
        fed = Fed(
            of=self._of,
            row_writes=batch.row_writes,
            rows=rows,
            until_s=planner.first_end_s,
        )
        self._ledger.note_fed(self._batch_id, encode(fed))


def _read(batch: BatchRecord) -> Fed | None:
    try:
        return decode(batch.fed, Fed) if batch.fed else None
    except ValueError:
        return None  # a newer version's
