"""`vton serve`: the callback receiver, the contact sheets for people who judge together, and the dashboard."""

from typing import Annotated

import typer

from jobs.cli.become import become
from jobs.cli.options import ConfigOpt, OutputOpt, SimulateOpt
from jobs.cli.serving import serve_sites
from jobs.cli.session import command_settings
from jobs.errors import UsageError
from jobs.local.site_token import SITES


def serve(
    *,
    review: Annotated[
        bool, typer.Option("--review", help="Serve the contact sheets; verdicts are saved as they are given.")
    ] = False,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Serve a page of what goes on, and what can be done about it.")
    ] = False,
    output: OutputOpt = None,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Receive callbacks at callbacks.host and callbacks.port, behind your ingress; or serve sites, or both."""
    wanted = {"review": review, "dashboard": dashboard}
    sites = [site for site in SITES if wanted[site]]
    settings = command_settings(config, output=output, simulate=simulate)
    if sites:
        serve_sites(settings, sites)
    elif output is not None or simulate:
        raise UsageError("serve: --output and --simulate need --review or --dashboard")
    become("worker.callbacks")
