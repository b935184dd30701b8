"""The command line: `vton`. Data goes to stdout, logs to stderr; the exit code says how it ended."""

import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn

from jobs.cli.output import make_output_safe
from jobs.deferred import defer_unused
from jobs.errors import ConfigError, VtonError

__all__ = ["main"]


def main() -> None:
    """Runs a command; an error is one line that names its cause, and only what is our own mistake is in the log."""
    # Pictures of people, catalogs and the ledger are this user's only.
    os.umask(0o077)
    make_output_safe()
    _load_less()
    # Not before: it loads what reads the options.
    from jobs.cli.commands import cli  # noqa: PLC0415

    try:
        try:
            cli()
        finally:
            # Here, where its failing is reported, and not when the interpreter ends.
            sys.stdout.flush()
    except VtonError as error:
        sys.stderr.write(f"vton: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        with suppress(OSError):
            # What is left of the output has nowhere to go; the interpreter would try it once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _fail(f"{error.filename}: " if error.filename else "", error.strerror or type(error).__name__)
    except UnicodeError as error:
        _fail("text that cannot be read or written here: ", str(error))
    except Exception as error:  # noqa: BLE001 the last resort, for people
        # Not loaded before it is needed: that would take longer than many a command.
        import structlog  # noqa: PLC0415
        from redis import RedisError  # noqa: PLC0415

        if isinstance(error, RedisError):
            _fail("redis: ", str(error) or type(error).__name__)
        # Through the log, so that no secret stands in a raw traceback.
        structlog.get_logger().exception("actor.failed", what="vton")
        sys.stderr.write(f"vton: internal error: {type(error).__name__}\n")
        sys.exit(1)


def _load_less() -> None:
    """What of the libraries no command needs."""
    # It would look through every installed package for plugins, in our processes too.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Modules are no garbage: to look for some while they are loaded takes a tenth of the time. `load` ends it.
    gc.disable()
    defer_unused()


def _fail(where: str, cause: str) -> NoReturn:
    """Ends for a cause outside that a person can fix: no room, no rights, a server that refuses."""
    sys.stderr.write(f"vton: {where}{cause}\n")
    sys.exit(ConfigError.exit_code)
