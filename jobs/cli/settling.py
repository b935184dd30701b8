"""What `vton settle` does."""

import sys
from collections import Counter

import typer

from jobs.cli.advice import command
from jobs.cli.repeating import run_again
from jobs.cli.session import Session
from jobs.errors import UsageError
from jobs.ledger import Ledger
from jobs.money.settlement import settle_one
from jobs.money.settling import Decision, UnknownRow, unknown_rows
from jobs.producing.producer import send_missing_messages
from jobs.records import BatchId, Job, JobState, RequestId
from jobs.units import counted, iso


def check_batch(opened: Session, batch_id: BatchId) -> None:
    """Raises NotFoundError: no such batch."""
    opened.ledger.batch(batch_id)


def list_unknown(opened: Session, batch_id: BatchId, *, simulated: bool) -> None:
    """Prints the unknown rows with their times and ids, and what can be said of them."""
    out = sys.stdout.write
    first: UnknownRow | None = None
    for one in unknown_rows(opened.ledger, batch_id):
        first = first or one
        left = "  left as it is" if one.job.settled else ""
        out(
            f"{one.name}  may have been sent at {iso(one.job.posted_ms) or '?'}  {one.job.request_id}  {one.sku}{left}\n"
        )
    if first is None:
        out(f"{batch_id}: no row is unknown\n")
        return

    def said(words: str) -> str:
        return command(f"settle {batch_id} {words}", simulated=simulated)

    # The number of a row means its first version.
    which = f"--row {first.row}" if first.version == 1 else f"--request-id {first.job.request_id}"
    out("HiDream may have charged these. Look for each time on its bill, then say of each:\n")
    ways = {
        said(f"{which} --task-id TASK"): "it was bought: its picture is fetched, nothing is bought",
        said(f"{which} --not-bought"): "it was not: it is sent once more",
        said(f"{which} --leave"): "it stays as it is",
    }
    width = max(map(len, ways))
    for words, meaning in ways.items():
        out(f"  {words:<{width}}  {meaning}\n")
    out(
        f"or of all in one table: {said('--template')} > unknown.csv, fill it in, {said('--csv unknown.csv')}\n"
    )


def apply_decisions(
    opened: Session, batch_id: BatchId, decisions: list[Decision], *, by: str, force: bool, yes: bool
) -> bool:
    """Settles what persons have found out, says what became of it; whether all of it holds now.

    Raises:
        UsageError: nobody can be asked whether pairs may be sent once more.
    """
    ledger = opened.ledger
    named = [(one, _request_id(ledger, batch_id, one)) for one in decisions]
    jobs = ledger.jobs(request_id for _, request_id in named if request_id)
    if not yes and not _confirmed(opened, named, jobs, force=force):
        sys.stderr.write("nothing is settled\n")
        return True
    counts: Counter[str] = Counter()
    for one, request_id in named:
        word, refused = settle_one(
            ledger, batch_id, one, request_id, jobs.get(request_id or ""), by=by, force=force
        )
        counts[word] += 1
        if refused:
            sys.stderr.write(f"{one.where}: {refused}\n")
    send_missing_messages(ledger, opened.queue)
    words = {
        "bought": "bought: fetched by their tasks", "not_bought": "not bought: wait again",
        "leave": "left as they are", "known": "settled so before", "refused": "not settled",
    }  # fmt: skip
    found = ", ".join(f"{counts[word]} {text}" for word, text in words.items() if counts[word])
    goes_on = counts["bought"] + counts["not_bought"]
    then = f"; gone on with by workers that run, or by: {run_again(ledger, batch_id)}" if goes_on else ""
    sys.stdout.write(f"{batch_id}: {found or 'nothing to settle'}{then}\n")
    if counts.keys() - {"known", "refused"} and (opened.settings.output_dir / batch_id).is_dir():
        opened.exporter.export(batch_id, tables=True, rest=False)
    return not counts["refused"]


def _request_id(ledger: Ledger, batch_id: BatchId, one: Decision) -> RequestId | None:
    if one.request_id or one.row is None:
        return one.request_id
    row = ledger.rows_at(batch_id, [one.row]).get(one.row)
    return row.job if row else None


def _confirmed(
    opened: Session, named: list[tuple[Decision, RequestId | None]], jobs: dict[str, Job], *, force: bool
) -> bool:
    """Whether what would be sent once more may be: a wrong word buys it twice."""
    again = [
        jobs[request_id]
        for one, request_id in named
        if one.outcome == "not_bought" and request_id in jobs
        and (force or jobs[request_id].state is JobState.UNKNOWN)
    ]  # fmt: skip
    if not again:
        return True
    price = opened.settings.limits.price
    cost = f", {price.words(len(again))}" if price else ""
    sys.stderr.write(
        f"sent once more, and charged twice if HiDream has them after all: {counted(len(again), 'picture')}{cost}\n"
    )
    if not sys.stdin.isatty():
        raise UsageError("--not-bought may charge twice: say --yes")
    return typer.confirm("Were they not bought?", err=True)
