"""What is odd about rows that are sent all the same: pictures, suffixes, addresses that end. Plans and runs say it alike."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime

from jobs.ledger import Ledger, RowFate
from jobs.manifest.addresses import other_kind
from jobs.problems import Problem, Problems, Severity, short
from jobs.producing.fates import Seen
from jobs.producing.planning import Planned, column_name, question
from jobs.records import BadRow, BatchId, RequestId, Row
from jobs.signed_addresses import ends_at

#: Takes a row that is to be sent, a slot, and the address in it.
Addressed = Callable[[Row, str, str], None]


class Noticing:
    """Takes the rows of one manifest, chunk by chunk, and hands on what is noticed in the order of the rows."""

    def __init__(
        self, problems: Problems, *, pace_s: float, begins_s: float, addressed: Addressed | None = None
    ) -> None:
        """Takes where it goes.

        Args:
            problems: takes what is wrong or odd.
            pace_s: seconds from one submit to the next at the account's limits.
            begins_s: when the first is sent, seconds since the epoch.
            addressed: is given the addresses of every row that is to be sent.
        """
        self.problems = problems
        self._pace_s = pace_s
        self._begins_s = begins_s
        self._addressed = addressed
        self._waiting: list[Problem | BadRow] = []
        #: Rows that have an address that ends before its turn comes; when the first of these ends, s since the epoch.
        self.too_late = 0
        self.first_end_s: float | None = None
        #: Suffix → addresses that end in it and may be no picture that HiDream takes.
        self.other_kinds: Counter[str] = Counter()

    def refuse(self, row: BadRow) -> None:
        """Takes a bad row."""
        self._waiting.append(row)

    def take(self, planned: Planned, ahead: int) -> None:
        """Takes a row that is to be sent; `ahead`: how many are sent until it is, itself among them."""
        row = planned.row
        if planned.ends_s is not None and planned.ends_s < self._begins_s + ahead * self._pace_s:
            self.too_late += 1
            self.first_end_s = min(planned.ends_s, self.first_end_s or planned.ends_s)
            self._warn_of_end(row)
        for slot, remark in planned.remarks:
            self._warn(row, slot, remark.kind, remark.words)
        for slot, url in planned.addresses():
            if kind := other_kind(url):
                self.other_kinds[kind] += 1
                words = f"the address ends in {kind}; HiDream is known to take JPEG, PNG and WEBP"
                self._warn(row, slot, "other_kind", words)
            if self._addressed is not None:
                self._addressed(row, slot, url)

    def hand_on(self) -> None:
        """Hands on what was noticed since."""
        for each in sorted(
            self._waiting, key=lambda each: each.row if isinstance(each, Problem) else each.number
        ):
            if isinstance(each, BadRow):
                self.problems.refuse(each)
            else:
                self.problems.add(each)
        self._waiting.clear()

    def _warn(self, row: Row, slot: str, kind: str, words: str) -> None:
        column = column_name(row, slot)
        self._waiting.append(
            Problem(
                kind=kind,
                severity=Severity.WARNING,
                words=words,
                file=row.file or self.problems.file,
                where=self.problems.where(row, column),
                row=row.number,
                sku=short(row.sku),
                column=column,
                value=short(row.inputs[slot]),
            )
        )

    def _warn_of_end(self, row: Row) -> None:
        """Of the address that ends first."""
        end, slot = min(
            (end, slot) for slot, text in row.inputs.items() if (end := ends_at(text)) is not None
        )
        when = datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%d %H:%M UTC")
        self._warn(row, slot, "address_ends", f"the address ends at {when}, before its turn comes")


class OddWhenFed:
    """Notices what is odd about the rows of one feeding whose pairs wait or are under way now, each pair once."""

    def __init__(self, ledger: Ledger, batch_id: BatchId, noticing: Noticing) -> None:
        self._ledger = ledger
        self._batch_id = batch_id
        self._noticing = noticing
        self._seen = Seen()
        self._queued = 0

    def notice(self, fed: Iterable[Planned | BadRow], queued: Collection[RequestId]) -> None:
        """Takes a chunk that was admitted; `queued`: the jobs that it has put into the line.

        Few rows are odd: the ledger is asked about those alone whose job may have been there before.
        """
        odd = [each for each in fed if isinstance(each, Planned) and _may_be_odd(each)]
        unsure = [each for each in odd if each.request_id not in queued]
        asked = map(question, unsure)
        fates = self._ledger.fates(self._batch_id, list(asked), self._seen) if unsure else []
        waiting = {
            each.row.number for each, fate in zip(unsure, fates, strict=True) if fate is RowFate.WAITING
        }
        for each in odd:
            waits = each.request_id in queued or each.row.number in waiting
            if waits and each.request_id not in self._seen:
                self._seen.add(each.request_id)
                self._noticing.take(each, self._queued + 1)
        self._queued += len(queued)
        self._noticing.hand_on()


def _may_be_odd(planned: Planned) -> bool:
    return bool(
        planned.remarks
        or planned.ends_s is not None
        or any(other_kind(url) for _, url in planned.addresses())
    )
