"""What `vton serve` with sites does: the server in place of this command, or beside our own Redis, which it needs."""

import os
import sys
import time
from collections.abc import Sequence

from jobs.cli.become import become
from jobs.cli.session import open_session
from jobs.cli.stopping import Stop
from jobs.cli.workers import changed_settings, worker_environment
from jobs.config.settings import Settings, secret_variable
from jobs.local.site_token import Site, entrance, own_token, ready
from jobs.local.supervisor import Program, Supervisor

_MODULE = "worker.callbacks"
#: How long the server may take to start on a busy machine, s.
_START_S = 60.0
#: Between two looks at it, s.
_LOOK_S = 0.25


def serve_sites(settings: Settings, sites: Sequence[Site]) -> None:
    """Serves until a signal comes. With a configured Redis it does not return: this process becomes the server.

    Raises:
        ConfigError: a setting, an address that is taken, a folder that is not ours.
    """
    data_dir = settings.data_dir.absolute()
    tokens = {
        site: getattr(settings, site).token.get_secret_value() or own_token(data_dir, site) for site in sites
    }
    os.environ.update({secret_variable(site, "token"): token for site, token in tokens.items()})
    words = [f"--{site}" for site in sites]
    if settings.redis.url.get_secret_value():
        os.environ.update(changed_settings(settings))
        become(_MODULE, *words)
    with Stop(), open_session(settings, buying=True) as opened, Supervisor(data_dir / "logs") as supervisor:
        name, argv = "-".join(sites), (sys.executable, "-m", _MODULE, *words)
        supervisor.start(Program(name=name, argv=argv, env=worker_environment(opened)))
        for site, token in tokens.items():
            line = supervisor.ready_line(name, ready(site), _START_S)
            address = line.removeprefix(ready(site)).partition(" ")[0]
            said = entrance(site, address, token, data_dir, terminal=sys.stdout.isatty())
            sys.stdout.write(f"{said}\n")
        sys.stdout.flush()
        while True:
            supervisor.poll()
            time.sleep(_LOOK_S)
