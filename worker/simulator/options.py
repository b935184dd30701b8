"""The simulator's switches, from the command line to one record."""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NoReturn

from jobs.errors import UsageError
from worker.simulator.tasks import SHAPES, CallbackShape, Dialect


def _at_least(least: int, name: str, most: float = math.inf) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text)
        if not least <= number <= most:
            raise ValueError
        return number

    read.__name__ = name  # argparse names a type by its function's name in the error
    return read


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < math.inf:
        raise ValueError
    return number


_seconds.__name__ = "number of seconds"
_WHOLE = _at_least(0, "whole number")
_POSITIVE = _at_least(1, "number from 1 up")


def _switch(default: Any, meaning: str, **reading: Any) -> Any:
    """A field with what argparse must know of it."""
    shown = "" if default is None or isinstance(default, bool) or default == "" else f" ({default})"
    how = {"action": "store_true"} if default is False else reading
    return field(default=default, metadata={"help": meaning + shown, **how})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What kind of account is simulated. A limit of 0 is no limit."""

    host: str = _switch("127.0.0.1", "address to listen on")
    port: int = _switch(8790, "0: any free one", type=_at_least(0, "port", 65535))
    state: Path | None = _switch(  # noqa: RUF009
        None, "SQLite file that keeps tasks and charges; else memory", type=Path, metavar="FILE"
    )
    images_per_minute: int = _switch(0, "pictures a minute; 0: no limit", type=_WHOLE, metavar="N")
    in_flight: int = _switch(0, "parallel tasks; 0: no limit", type=_WHOLE, metavar="N")
    parallel_code: int | None = _switch(
        None, "too many parallel tasks: HTTP 200 with this code, not 429", type=int, metavar="CODE"
    )
    credits: int | None = _switch(
        None, "pictures that can be paid; else without end", type=_WHOLE, metavar="N"
    )
    latency_s: float = _switch(12.0, "seconds a task takes, log-normal", type=_seconds, metavar="MEDIAN")
    latency_sigma: float = _switch(0.35, "spread of its logarithm", type=_seconds, metavar="SIGMA")
    submit_delay_s: float = _switch(
        0.05, "seconds until a submit is answered and work on its task begins", type=_seconds, metavar="S"
    )
    faults: Path | None = _switch(None, "fault script, see docs/simulator.md", type=Path, metavar="FILE")  # noqa: RUF009
    seed: int = _switch(0, "same seed, same latencies and faults", type=int)
    #: The vendor promises nothing of the kind.
    dedupe: bool = _switch(False, "the same request_id gives the same task")
    token: str = _switch("sk-simulator", "the good token, or `any`")
    api_key: str = _switch("any", "the api-key that is exchanged for tokens, or `any`", metavar="KEY")
    token_life_s: float = _switch(86400.0, "lifetime of an exchanged token", type=_seconds, metavar="S")
    pictures_base: str = _switch("", "prefix of picture addresses (this server's /image/)", metavar="URL")
    sub_tasks: int = _switch(1, "pictures per task", type=_POSITIVE, metavar="N")
    bare_ids: bool = _switch(False, "results name pictures by bare id")
    extension: Literal["jpg", "png", "mixed"] = _switch(
        "jpg", "of result pictures", choices=["jpg", "png", "mixed"]
    )
    dialect: Dialect = _switch(  # noqa: RUF009
        "classic", "field names of the gateway's generation", choices=["classic", "newer"]
    )
    callback_shape: CallbackShape | Literal["mixed"] = _switch(  # noqa: RUF009
        "envelope", "body of callbacks", choices=[*SHAPES, "mixed"]
    )
    max_body_bytes: int = _switch(50_000_000, "larger bodies get 413", type=_POSITIVE, metavar="N")
    plain_pictures: bool = _switch(False, "one small picture for all, drawn once, for benchmarks")
    no_progress: bool = _switch(False, "results do not say how far a task is")
    parent_pid: int | None = _switch(None, "exit when this process is gone", type=_POSITIVE, metavar="PID")


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
    return Options(**vars(_parser().parse_args(words)))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m worker.simulator", description="A stand-in for HiDream's try-on API.")
    for each in fields(Options):
        parser.add_argument(f"--{each.name.replace('_', '-')}", default=each.default, **each.metadata)
    return parser
