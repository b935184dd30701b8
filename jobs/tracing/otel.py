"""Spans for OpenTelemetry, sent by OTLP over HTTP; its own OTEL_* variables say where to, with what, and how many.

The trace of a job is a digest of its id and of the moment at which it was queued, and a span's id one of what it tells of.
So every process finds the same trace without a word from another one, whoever samples decides alike everywhere, and a span
that is said twice (a retried export, a batch written by two processes) is the same span.
"""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from socket import gethostname

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from jobs.records import BatchId, Job, JobState, ResultLine, Version
from jobs.tracing import Traces

log = structlog.get_logger()

#: The span that all others of a job, or of a batch, are under.
_ROOT = "job", "batch"


class OpenTelemetry(Traces):
    """Of one process; made in it, since it has a thread that sends."""

    on = True

    def __init__(self, end_s: float) -> None:
        """`end_s`: what `close` may take. Raises ValueError: an OTEL_* variable has a value that is none."""
        self._end_s = end_s
        if not logging.getLogger().isEnabledFor(logging.DEBUG):
            # Several lines for each batch of spans that cannot be sent: `_SaysOnce` has one for all.
            logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._ids = _GivenIds()
        self._provider = TracerProvider(resource=_resource(), id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_SaysOnce(OTLPSpanExporter())))
        self._tracer = self._provider.get_tracer("vton", version("vton-batch"))

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
        """See Traces."""
        if job.queued_ms is not None:
            trace_id = _trace_id(job.request_id, job.queued_ms)
            span_id = _span_id(trace_id, name, int(begun_ms))
            known: dict[str, str | int | None] = {"request_id": job.request_id, **facts}
            self._say(trace_id, span_id, name, (begun_ms, ended_ms), known, failed=failed)

    def exported(self, lines: Iterable[ResultLine], created_ms: int) -> None:
        """See Traces. A row whose job had ended before its batch was opened has no part in that job's trace."""
        for line in lines:
            ended = _ended_last(line)
            queued_ms, finished_ms = _ms(ended.timings.queued_at), _ms(ended.timings.finished_at)
            if ended.request_id is None or queued_ms is None or (finished_ms or created_ms + 1) <= created_ms:
                continue
            trace_id = _trace_id(ended.request_id, queued_ms)
            now_ms = max(time.time() * 1000, finished_ms or queued_ms)
            error = ended.error
            self._say(
                trace_id,
                _span_id(trace_id, "job"),
                "job",
                (queued_ms, now_ms),
                {
                    "request_id": ended.request_id,
                    "task_id": ended.task_id,
                    "outcome": ended.status,
                    "attempts": ended.attempts,
                    "error_class": error.kind if error else None,
                    "error_owner": error.owner.value if error else None,
                },
                link=_batch(line.batch, created_ms),
                failed=ended.status != JobState.SUCCEEDED,
            )
            self._say(
                trace_id,
                _span_id(trace_id, "export", line.batch, line.row),
                "export",
                (finished_ms or now_ms, now_ms),
                {"request_id": ended.request_id, "batch": line.batch, "row": line.row},
            )

    def fed(self, batch_id: BatchId, created_ms: int, begun_s: float, facts: dict[str, int]) -> None:
        """See Traces. Whoever started the producer with a TRACEPARENT finds the batch by a link."""
        batch = _batch(batch_id, created_ms)
        times = begun_s * 1000, time.time() * 1000
        self._say(
            batch.trace_id, batch.span_id, "batch", times, {"batch": batch_id, **facts}, link=_incoming()
        )

    def close(self) -> None:
        """See Traces. The library's own time-outs add up to minutes, and it waits for each of them."""
        ending = threading.Thread(target=self._provider.shutdown, name="traces-end", daemon=True)
        ending.start()
        ending.join(self._end_s)
        if ending.is_alive():
            log.warning("traces.unsent", why="not taken in time at the end")

    def _say(
        self,
        trace_id: int,
        span_id: int,
        name: str,
        times_ms: tuple[float, float],
        facts: Mapping[str, str | int | None],
        *,
        link: trace.SpanContext | None = None,
        failed: bool = False,
    ) -> None:
        self._ids.give(trace_id, span_id)
        begun_ns, ended_ns = (int(ms * 1000) * 1000 for ms in times_ms)
        above = None if name in _ROOT else self._above(trace_id)
        span = self._tracer.start_span(
            name,
            context=trace.set_span_in_context(trace.NonRecordingSpan(above)) if above else Context(),
            attributes={_named(key): value for key, value in facts.items() if value is not None},
            links=[trace.Link(link)] if link else [],
            start_time=begun_ns,
        )
        if failed:
            span.set_status(trace.StatusCode.ERROR)
        span.end(max(begun_ns, ended_ns))

    def _above(self, trace_id: int) -> trace.SpanContext:
        """A job's root, which some other process sends when the job has ended: sampled as that will be."""
        decided = self._provider.sampler.should_sample(Context(), trace_id, _ROOT[0])
        sampled = decided.decision is Decision.RECORD_AND_SAMPLE
        return _context(trace_id, _span_id(trace_id, _ROOT[0]), sampled=sampled)


class _GivenIds(IdGenerator):
    """The ids of the span that a thread is about to start."""

    def __init__(self) -> None:
        self._given = threading.local()

    def give(self, trace_id: int, span_id: int) -> None:
        self._given.ids = trace_id, span_id

    def generate_trace_id(self) -> int:
        return int(self._given.ids[0])

    def generate_span_id(self) -> int:
        return int(self._given.ids[1])


class _SaysOnce(SpanExporter):
    """Logs that spans are lost once, until some are taken again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            if self._lost:
                log.info("traces.sent", lost=self._lost)
            self._lost = 0
        else:
            if not self._lost:
                log.warning("traces.unsent", why="nobody takes them; logs.level debug tells more")
            self._lost += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _resource() -> Resource:
    """Which process it is; what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say wins."""
    ours: dict[str, str | int] = {
        "service.name": "vton",
        "service.version": version("vton-batch"),
        "service.instance.id": f"{gethostname()}:{os.getpid()}",
        "host.name": gethostname(),
        "process.pid": os.getpid(),
    }
    return Resource.create().merge(Resource(ours)).merge(OTELResourceDetector().detect())


def _incoming() -> trace.SpanContext | None:
    """The TRACEPARENT that this process was started with; None without a valid one."""
    carrier = {"traceparent": os.environ.get("TRACEPARENT", "")}
    found = trace.get_current_span(TraceContextTextMapPropagator().extract(carrier, Context()))
    return found.get_span_context() if found.get_span_context().is_valid else None


def _ended_last(line: ResultLine) -> ResultLine | Version:
    """The row's job; of several versions the one that has ended last."""
    return max(line.versions, key=lambda each: each.timings.finished_at or "") if line.versions else line


def _batch(batch_id: str, created_ms: int) -> trace.SpanContext:
    trace_id = _trace_id(batch_id, created_ms)
    return _context(trace_id, _span_id(trace_id, _ROOT[1]), sampled=True)


def _context(trace_id: int, span_id: int, *, sampled: bool) -> trace.SpanContext:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if sampled else trace.TraceFlags.DEFAULT)
    return trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)


def _trace_id(name: str, ms: int) -> int:
    return _digest(16, name, ms)


def _span_id(trace_id: int, *what: str | int) -> int:
    return _digest(8, trace_id, *what)


def _digest(size: int, *parts: str | int) -> int:
    text = " ".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest())


def _named(key: str) -> str:
    """OpenTelemetry's own name where it has one; ours stand under `vton`."""
    return "http.response.status_code" if key == "http_status" else f"vton.{key}"


def _ms(at: str | None) -> int | None:
    return None if at is None else round(datetime.fromisoformat(at).timestamp() * 1000)
