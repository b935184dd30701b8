"""`vton notify`: one look at what deserves a notice, for cron; or a try whether notices arrive."""

import sys
from typing import Annotated

import typer

from jobs.cli.ledger_identity import lost_action
from jobs.cli.options import ConfigOpt, SimulateOpt
from jobs.cli.session import command_settings, open_session
from jobs.config.exit_codes import ExitCode
from jobs.errors import ConfigError
from jobs.notices.looking import Looking
from jobs.notices.notice import Event, Notice
from jobs.notices.sender import Notices
from jobs.results.ledger_loss import lost_ledger


def notify(
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    test: Annotated[
        bool, typer.Option("--test", help="Send a test notice every way that is set; code 7 when one fails.")
    ] = False,
) -> None:
    """Look once at what somebody should hear of and send it, unless somebody has. For cron, where no worker may live."""
    settings = command_settings(config, simulate=simulate)
    with open_session(settings) as opened:
        notices = Notices(opened.ledger, settings.notify)
        if not notices.on:
            raise ConfigError("notify: no way is set; notify.command, notify.webhook or VTON_NOTIFY__APPRISE")
        if test:
            raise typer.Exit(_try(notices))
        lost = lost_ledger(opened)
        looking = Looking(opened.ledger, settings, notices, lost=lost, lost_action=lost_action(opened, lost))
        sent = looking.look()
    for notice in sent:
        sys.stdout.write(f"{notice.event}: {notice.title}\n")
    sys.stdout.write("" if sent else "nothing new to say\n")


def _try(notices: Notices) -> ExitCode:
    """Prints what became of a test notice."""
    found = notices.deliver(
        Notice(
            event=Event.TEST, severity="info", title="a test: notices arrive", todo="nothing is to be done"
        )
    )
    for sent in found:
        sys.stdout.write(f"{sent.channel}: {sent.why or 'sent'}\n")
    return ExitCode.CONFIG if any(sent.why for sent in found) else ExitCode.OK
