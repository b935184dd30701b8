"""`python -m worker.simulator`: starts the simulator and prints one line when it is ready."""

import asyncio
import sys
from collections.abc import Sequence

import uvloop

from jobs.errors import VtonError
from worker.simulator.options import read_options
from worker.simulator.server import Server


def main(words: Sequence[str]) -> int:
    """Runs until a signal; the exit code."""
    try:
        options = read_options(words)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(Server(options, ready=_announce).work())
    except VtonError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


def _announce(address: str) -> None:
    sys.stdout.write(f"simulator ready {address}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
