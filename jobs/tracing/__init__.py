"""Traces: what each process says of the jobs that pass through it, one trace a job from its row to its file.

A wake-up message names no job, so none can carry a trace; nor does the ledger hold one. Every process works a job's trace
out of what it knows of the job anyway, see jobs.tracing.otel. Off, which is the default, nothing of it is loaded.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from jobs.config.settings import TracingSettings
from jobs.errors import ConfigError
from jobs.records import BatchId, Job, ResultLine

__all__ = ["UNTRACED", "LedgerClock", "Traces", "traces_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerClock:
    """Goes on from a moment that the ledger has told just now."""

    told_ms: int
    #: On this process' own clock, s.
    _since: float = field(default_factory=time.monotonic, init=False)

    def ms(self) -> float:
        """The ledger's time, by what has passed here since."""
        return self.told_ms + (time.monotonic() - self._since) * 1000


class Traces:
    """Where spans go; this one forgets them. Never raises, never waits, but for `close`. From any thread."""

    #: Whether anybody wants them.
    on = False

    def span(
        self,
        job: Job,
        name: str,
        begun_ms: float,
        ended_ms: float,
        *,
        failed: bool = False,
        **facts: str | int | None,
    ) -> None:
        """Says what a process did with a job.

        Args:
            job: the job.
            name: what was done.
            begun_ms: when it began, on the ledger's clock.
            ended_ms: when it ended, by the same.
            failed: it went wrong.
            facts: numbers, ids and words of the code; nothing that a manifest or the vendor has written. None is left out.
        """

    def exported(self, lines: Iterable[ResultLine], created_ms: int) -> None:
        """Says that rows have ended and are written. `created_ms`: when their batch was opened."""

    def fed(self, batch_id: BatchId, created_ms: int, begun_s: float, facts: dict[str, int]) -> None:
        """Says that a manifest was read. `created_ms`: when its batch was opened; `begun_s`: host's time."""

    def close(self) -> None:
        """Sends what is left, for a bounded time. Nothing may be said after it."""


#: Off.
UNTRACED = Traces()


def traces_of(settings: TracingSettings) -> Traces:
    """Where this process' spans go.

    Raises:
        ConfigError: they are wanted, and OpenTelemetry is not installed or cannot be set up so.
    """
    if not settings.enabled:
        return UNTRACED
    try:
        from jobs.tracing.otel import OpenTelemetry  # noqa: PLC0415 an extra, and it takes long to load
    except ImportError:
        raise ConfigError(
            "tracing.enabled: OpenTelemetry is not installed: pip install 'vton-batch[otel]'"
        ) from None
    try:
        return OpenTelemetry(settings.end_s)
    except ValueError as error:
        raise ConfigError(f"tracing.enabled: {error}") from None
