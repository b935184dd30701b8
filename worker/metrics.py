"""What a process counts for Prometheus; no label names a job, so that series stay few."""

import os
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from jobs.config.settings import MetricsSettings
from jobs.monitoring.serving import INFO, PORTS, MetricsServer, serve

log = structlog.get_logger()

_FAST_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_TASK_S: Final = (1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0, 1800.0)

#: Label values that stand at zero from the start: a rate over a late series misses its first event.
_SUBMITS: Final = ("accepted", "refused", "busy", "paused", "not_sent", "unknown")
_TASKS: Final = ("succeeded", "failed", "rejected", "lost")
_POLLS: Final = ("waiting", "final", "failed")
_CALLBACKS: Final = ("received", "refused", "unavailable")


class Metrics:
    """The counters and histograms of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.submits = self._counter("vton_submits", "Submit requests by outcome.", "outcome", _SUBMITS)
        self.tasks = self._counter("vton_tasks", "Tasks that ended, by status.", "status", _TASKS)
        self.polls = self._counter("vton_polls", "Result queries by outcome.", "outcome", _POLLS)
        self.callbacks = self._counter(
            "vton_callbacks", "Receiver requests by outcome.", "outcome", _CALLBACKS
        )
        self.images_bytes = Counter(
            "vton_images_bytes", "Bytes of result pictures kept.", registry=self.registry
        )
        self.task_seconds = self._histogram(
            "vton_task_seconds", "From accepted to ended at HiDream.", _TASK_S
        )
        self.submit_seconds = self._histogram(
            "vton_submit_seconds", "One submit request, body and reply.", _FAST_S
        )
        self.collect_seconds = self._histogram(
            "vton_collect_seconds", "Download to recorded, one job.", _FAST_S
        )
        self.gate_wait_seconds = self._histogram(
            "vton_gate_wait_seconds", "From asking the gate to its permit.", (*_FAST_S, 300.0, 1800.0)
        )

        self._process = Gauge(
            INFO, "1 for each living process.", ["role", "pid", "version", "prefix"], registry=self.registry
        )

    def acts(self) -> float:
        """Useful acts so far: whatever came of submits, polls, tasks and callbacks."""
        counters = (self.submits, self.tasks, self.polls, self.callbacks)
        samples = (
            sample for counter in counters for metric in counter.collect() for sample in metric.samples
        )
        return sum(sample.value for sample in samples if sample.name.endswith("_total"))

    def tell_process(self, role: str, prefix: str) -> None:
        """Says which process it is."""
        # Loaded for it alone: it reads packages' mails and archives.
        from importlib.metadata import version  # noqa: PLC0415

        self._process.labels(role, str(os.getpid()), version("vton-batch"), prefix).set(1)

    def _counter(self, name: str, what: str, label: str, values: tuple[str, ...]) -> Counter:
        counter = Counter(name, what, [label], registry=self.registry)
        for value in values:
            counter.labels(value)
        return counter

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, what, buckets=buckets, registry=self.registry)


def serve_on_free_port(
    metrics: Metrics, settings: MetricsSettings, role: str, prefix: str
) -> MetricsServer | None:
    """Exposes the metrics on the first free port from `metrics.port` on; None when they are off or none is free.

    `role`: what the process does, several with a blank between; `prefix`: of its ledger's keys.
    """
    if not settings.port:
        return None
    metrics.tell_process(role, prefix)
    for port in range(settings.port, min(settings.port + PORTS, 65_536)):
        try:
            served = serve(metrics.registry, port, host=settings.host)
        except OSError as error:
            why = error.strerror
        else:
            log.info("metrics.served", host=settings.host, port=port)
            return served
    log.warning("metrics.unserved", host=settings.host, first=settings.port, why=why)
    return None
