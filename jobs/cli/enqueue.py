"""`vton enqueue`: a manifest goes into the ledger and the queue; workers elsewhere do the rest."""

import sys

from jobs.cli.given import Given, takes_given
from jobs.cli.intake import intake
from jobs.cli.ledger_identity import remember_ledger
from jobs.cli.session import command_settings
from jobs.health.heartbeats import Heartbeats
from jobs.producing import control
from jobs.units import counted


@takes_given("output")
def enqueue(given: Given) -> None:
    """Put a manifest into the ledger and the queue; workers do the rest. Twice is once."""
    settings = command_settings(given.config)
    with intake(settings, given) as taken:
        opened, batch_id = taken.session, taken.batch_id
        with Heartbeats(opened.redis, "producer", batch=batch_id):
            produced = taken.producer.feed(taken.manifest, batch_id)
        retried = control.retry_failed(opened.ledger, opened.queue, batch_id) if produced.resumed else 0
        remember_ledger(opened)
    sys.stdout.write(
        f"{produced.batch_id}: {counted(produced.rows, 'row')}, {produced.queued} to submit, "
        f"{produced.reused} reused, {produced.duplicate} duplicate, {produced.bad} invalid"
        + (f", {produced.changed} changed" if produced.changed else "")
        + (f", {retried} failed ones again" if retried else "")
        + (" (resumed)" if produced.resumed else "")
        + "\n"
    )
    for line in taken.producer.unread():
        sys.stderr.write(f"vton: {line}\n")
    for line in taken.producer.problems.lines():
        sys.stderr.write(f"  {line}\n")
