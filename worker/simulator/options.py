"""The simulator's switches, from the command line to one record."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, NoReturn

from jobs.errors import UsageError
from worker.simulator.tasks import SHAPES, CallbackShape, Dialect


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What kind of account is simulated. A limit of 0 is no limit."""

    host: str = "127.0.0.1"
    #: 0: any free one.
    port: int = 8790
    #: SQLite file; None: memory only.
    state: Path | None = None
    images_per_minute: int = 0
    #: Parallel tasks.
    in_flight: int = 0
    #: Pictures that can be paid; None: without end.
    credits: int | None = None
    #: Median seconds from submit to end, and the spread of its logarithm.
    latency_s: float = 12.0
    latency_sigma: float = 0.35
    #: How long a submit takes to be answered, after the task was made and before the work on it begins.
    submit_delay_s: float = 0.05
    faults: Path | None = None
    seed: int = 0
    #: The same request_id gives the same task; the vendor promises nothing of the kind.
    dedupe: bool = False
    #: The one good token, or `any`.
    token: str = "sk-simulator"  # noqa: S105 a stand-in's token guards nothing
    #: The one good api-key, or `any`.
    api_key: str = "any"
    #: Lifetime of a token given for an api-key.
    token_life_s: float = 86400.0
    #: What picture names are joined to; empty: this server as the caller addressed it, `/image/`.
    pictures_base: str = ""
    #: Sub-tasks, that is pictures, per task.
    sub_tasks: int = 1
    bare_ids: bool = False
    extension: Literal["jpg", "png", "mixed"] = "jpg"
    dialect: Dialect = "classic"
    callback_shape: CallbackShape | Literal["mixed"] = "envelope"
    #: Too many parallel tasks: HTTP 200 with this code instead of 429.
    parallel_code: int | None = None
    #: Larger bodies are answered with 413.
    max_body_bytes: int = 50_000_000
    #: One small picture for all instead of composed ones, for benchmarks.
    plain_pictures: bool = False
    #: Results do not say how far a task is.
    no_progress: bool = False
    #: Exit when this process is gone.
    parent_pid: int | None = None


class _Parser(argparse.ArgumentParser):
    """argparse whose error is ours."""

    def error(self, message: str) -> NoReturn:
        """Raises it as one of ours."""
        raise UsageError(message)


def read_options(words: Sequence[str]) -> Options:
    """Reads the command line.

    Raises:
        UsageError: an unknown switch or a value that cannot be.
    """
    given = vars(_parser().parse_args(words))
    return Options(**{field.name: given[field.name] for field in fields(Options)})


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m worker.simulator", description="A stand-in for HiDream's try-on API.")
    parser.set_defaults(**{field.name: field.default for field in fields(Options)})
    add = parser.add_argument
    add("--host", help="address to listen on (127.0.0.1)")
    add("--port", type=_port, help="0: any free one (8790)")
    add("--state", type=Path, metavar="FILE", help="SQLite file that keeps tasks and charges; else memory")
    add("--images-per-minute", type=_whole, metavar="N", help="pictures a minute (0: no limit)")
    add("--in-flight", type=_whole, metavar="N", help="parallel tasks (0: no limit)")
    add(
        "--parallel-code",
        type=int,
        metavar="CODE",
        help="too many parallel: HTTP 200 with this code, not 429",
    )
    add("--credits", type=_whole, metavar="N", help="pictures that can be paid (without end)")
    add("--latency-s", type=_seconds, metavar="MEDIAN", help="seconds a task takes, log-normal (12)")
    add("--latency-sigma", type=_seconds, metavar="SIGMA", help="spread of its logarithm (0.35)")
    add("--submit-delay-s", type=_seconds, metavar="S", help="seconds a submit takes (0.05)")
    add("--faults", type=Path, metavar="FILE", help="fault script, see docs/simulator.md")
    add("--seed", type=int, help="same seed, same latencies and faults (0)")
    add("--dedupe", action="store_true", help="the same request_id gives the same task")
    add("--token", help="the good token, or `any` (sk-simulator)")
    add("--api-key", metavar="KEY", help="the api-key that buys tokens, or `any` (any)")
    add("--token-life-s", type=_seconds, metavar="S", help="lifetime of an exchanged token (86400)")
    add("--pictures-base", metavar="URL", help="prefix of picture addresses (this server's /image/)")
    add("--sub-tasks", type=_positive, metavar="N", help="pictures per task (1)")
    add("--bare-ids", action="store_true", help="results name pictures by bare id")
    add("--extension", choices=["jpg", "png", "mixed"], help="of result pictures (jpg)")
    add("--dialect", choices=["classic", "newer"], help="field names of the gateway's generation (classic)")
    add("--callback-shape", choices=[*SHAPES, "mixed"], help="body of callbacks (envelope)")
    add("--max-body-bytes", type=_positive, metavar="N", help="larger bodies get 413 (50000000)")
    add("--plain-pictures", action="store_true", help="one small picture for all, drawn once")
    add("--no-progress", action="store_true", help="results do not say how far a task is")
    add("--parent-pid", type=_positive, metavar="PID", help="exit when this process is gone")
    return parser


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:  # noqa: PLR2004 the largest port
        raise ValueError
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError
    return number


# argparse names a type by its function's name in the error.
_whole.__name__, _positive.__name__ = "whole number", "number from 1 up"
_port.__name__, _seconds.__name__ = "port", "number of seconds"
