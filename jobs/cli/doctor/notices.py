"""Whether notices have a way to go."""

import shutil
from importlib.util import find_spec

from jobs.cli.doctor.check import Check, ok, wrong
from jobs.config.advice import command
from jobs.config.settings import NotifySettings


def check_notices(settings: NotifySettings) -> Check:
    """Which ways are set; nothing is sent."""
    ways = [
        *(["command"] if settings.command else []),
        *(["webhook"] if settings.webhook.get_secret_value() else []),
        *(["apprise"] if settings.apprise.get_secret_value() else []),
    ]
    if not ways:
        return ok("notices", "off: nobody is told when a batch ends or the account is shut (docs/notices.md)")
    if settings.command and shutil.which(settings.command[0]) is None:
        return wrong(
            "notices", f"notify.command: no program {settings.command[0]}", "install it, or set its full path"
        )
    if "apprise" in ways and find_spec("apprise") is None:
        return wrong("notices", "Apprise is not installed", "pip install 'vton-batch[apprise]'")
    return ok("notices", f"by {', '.join(ways)} ({command('notify --test', simulated=False)} tries them)")
