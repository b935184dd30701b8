"""`--check-urls`: asks whether the pictures are at their addresses, before anything is bought."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jobs.addresses.asking import Asker, AskLimits
from jobs.addresses.checking import HOSTS, check
from jobs.addresses.findings import KINDS
from jobs.addresses.found import Found, open_found
from jobs.cli.address_progress import AddressProgress
from jobs.cli.plan_counts import plan_of
from jobs.cli.session import Session
from jobs.config.settings import Settings
from jobs.manifest import Manifest
from jobs.manifest.addresses import unreachable
from jobs.manifest.several import Manifests
from jobs.problems import Problem, Problems, Severity, short
from jobs.producing.planning import Planner, column_name
from jobs.records import BatchId, Row
from jobs.units import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The addresses of what is to be sent, in numbers."""

    #: Different ones.
    addresses: int
    #: Of these, those that were asked now; what is left was known.
    asked: int
    #: Rows that cannot be bought as they are.
    bad_rows: int

    def __str__(self) -> str:
        known = self.addresses - self.asked
        more = f", {known:,} known from the last hours" if known else ""
        return f"addresses: {self.asked:,} asked{more}"


class AddressCheck:
    """Gathers the addresses of one plan, then asks for them."""

    def __init__(
        self, found: Found, settings: Settings, problems: Problems, take: Callable[[Problem], object]
    ) -> None:
        self._found = found
        self._problems = problems
        self._settings = settings
        self._take = take

    def take(self, row: Row, slot: str, url: str) -> None:
        """Takes an address of a row that is to be sent."""
        column = column_name(row, slot)
        where = self._problems.where(row, column)
        self._found.use(row.number, row.file, where, row.sku, column=column, url=url)

    def refused(self, url: str) -> str:
        """Why a pair is not to be bought with an address that was asked for; "" when it may be."""
        found = self._found.finding(url)
        bad = found is not None and found.kind in KINDS and KINDS[found.kind][0] is Severity.ERROR
        return found.words if found and bad else ""

    def run(self, *, ask_again: bool) -> Checked:
        """Asks; `ask_again`: also for what had a problem a while ago."""
        total, known = self._found.recall(only_good=ask_again)
        with AddressProgress(total - known) as progress:
            asyncio.run(self._ask(progress.tell))
        bad_rows = last = 0
        for problem in self._found_problems():
            self._take(problem)
            if problem.severity is Severity.ERROR and problem.row != last:
                bad_rows, last = bad_rows + 1, problem.row
        return Checked(addresses=total, asked=total - known, bad_rows=bad_rows)

    async def _ask(self, tell: Callable[[int], None]) -> None:
        settings = self._settings.address_check
        limits = AskLimits(
            max_bytes=self._settings.pictures.max_bytes, timeout_s=settings.timeout_s, slow_s=settings.slow_s
        )
        # As for rows: whoever serves us from this network reaches its hosts.
        inside = self._settings.pictures.private_hosts == "allow" or unreachable(
            self._settings.hidream.base_url
        )
        asker = Asker(
            limits, connections=HOSTS * settings.parallel, allowed=(lambda _address: True) if inside else None
        )
        try:
            await check(self._found, asker, settings, tell)
        finally:
            await asker.aclose()

    def _found_problems(self) -> Iterator[Problem]:
        for use in self._found.problems():
            severity, owner = KINDS[use.finding.kind]
            yield Problem(
                kind=use.finding.kind,
                severity=severity,
                words=use.finding.words,
                file=use.file or self._problems.file,
                where=use.where,
                row=use.row,
                sku=short(use.sku),
                column=use.column,
                value=short(use.url),
                owner=owner,
            )


@contextmanager
def address_check(
    settings: Settings, problems: Problems, take: Callable[[Problem], object] | None = None
) -> Iterator[AddressCheck]:
    """The check of one manifest's addresses. `take`: is given what is wrong or odd; None: `problems` are.

    Raises:
        ConfigError: the data folder has no place for what is found.
    """
    keep_s = settings.address_check.keep_hours * 3600
    with open_found(settings.data_dir / "addresses.sqlite3", keep_s) as found:
        yield AddressCheck(found, settings, problems, take or problems.add)


@contextmanager
def leaving_out(
    opened: Session, manifest: Manifest | Manifests, planner: Planner, batch_id: BatchId, problems: Problems
) -> Iterator[None]:
    """Asks for the addresses of what is to be sent; inside, rows are refused whose picture is not there.

    `problems`: takes what is odd at addresses. Raises ManifestError, ConfigError: as a plan does.
    """

    def warn(problem: Problem) -> None:
        if problem.severity is Severity.WARNING:
            problems.add(problem)

    # Bad rows and what is odd about pictures are said when the rows are fed.
    aside = Problems(problems.file, problems.where)
    with address_check(opened.settings, aside, warn) as check:
        ledger, settings = opened.ledger, opened.settings
        plan_of(manifest, batch_id, planner, ledger, settings, problems=aside, addressed=check.take)
        checked = check.run(ask_again=False)
        sys.stderr.write(f"{checked}\n")
        if checked.bad_rows:
            sys.stderr.write(
                f"{counted(checked.bad_rows, 'row')} left out: a picture of theirs is not there\n"
            )
        planner.refuse(check.refused)
        yield
