"""The command line: `vton`. Data goes to stdout, logs to stderr; the exit code tells how the night went."""

import os
import sys

import structlog

from jobs.cli.commands import cli
from jobs.cli.output import make_output_safe
from jobs.errors import VtonError

__all__ = ["main"]


def main() -> None:
    """Runs a command; an error is one line, and what we did not foresee is in the log."""
    # Pictures of people, catalogs and the ledger are this user's only.
    os.umask(0o077)
    make_output_safe()
    try:
        cli()
    except VtonError as error:
        sys.stderr.write(f"vton: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 the last resort, for people
        # Through the log, so that no secret stands in a raw traceback.
        structlog.get_logger().exception("actor.failed", what="vton")
        sys.stderr.write(f"vton: internal error: {type(error).__name__}\n")
        sys.exit(1)
