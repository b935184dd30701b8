"""The command line: `vton`. Data goes to stdout, logs to stderr; the exit code tells how the night went."""

import sys

from jobs.cli.commands import cli
from jobs.errors import VtonError

__all__ = ["main"]


def main() -> None:
    """Runs a command; an error of ours is one line, not a traceback."""
    try:
        cli()
    except VtonError as error:
        sys.stderr.write(f"vton: {error}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output has seen enough.
        sys.stderr.close()
        sys.exit(0)
