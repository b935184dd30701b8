"""The account, the batches and this host as gauges: a collector that reads them anew for each scrape."""

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from jobs.config.settings import LimitSettings, Settings
from jobs.errors import VtonError
from jobs.health.assessment import assess
from jobs.health.facts import Facts
from jobs.health.flow import eta_s, margins
from jobs.health.liveness import silent_hosts
from jobs.health.reading import NEWEST, read_facts
from jobs.health.rules import State, alive
from jobs.ledger import Ledger
from jobs.ledger.shut import SHUT_KINDS, shut_kind
from jobs.records import JobState

#: What rows of a batch can be.
STATUSES = (*(state.value for state in JobState), "invalid")
#: Roles that are counted; a `worker` is both a submit and a collect worker.
ROLES = ("submit", "collect", "receiver")
#: Judgements that follow from what is read here; how jobs ended is in the counters.
JUDGED = ("flow", "liveness")
_MS = 1000


class LedgerGauges(Collector):
    """What the ledger and the disks of one shop say. While Redis is away `vton_ledger_up` alone speaks of the ledger."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing is asked before the first scrape."""
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Prometheus' own hook."""
        try:
            facts = self._read()
        except (VtonError, ValueError):
            # Redis is away, or holds what nobody can read.
            facts = None
        yield _gauge(
            "vton_ledger_up",
            "1 while the ledger can be read, else 0; then there are no other numbers of it.",
            facts is not None,
        )
        yield from disks(self._settings)
        if facts is None:
            return
        for make in (of_work, of_unknown, of_gate, of_money, of_batches, of_time, of_processes, of_health):
            yield from make(facts, self._settings.limits)

    def _read(self) -> Facts:
        settings = self._settings
        return read_facts(
            self._ledger,
            settings.limits,
            latency_s=settings.tasks.latency_s,
            newest=NEWEST,
            failures=False,
            callbacks=bool(settings.callbacks.public_url),
        )


def of_work(facts: Facts, limits: LimitSettings) -> Iterator[GaugeMetricFamily]:
    """Slots and lines."""
    yield _gauge("vton_slots_used", "Parallel tasks of the account that are taken.", facts.slots)
    yield _gauge(
        "vton_slots_limit", "Parallel tasks that the account may have: limits.in_flight.", limits.in_flight
    )
    yield _gauge("vton_jobs_queued", "Jobs that wait to be submitted.", facts.queued)
    yield _gauge(
        "vton_oldest_queued_age_seconds",
        "For how long the next jobs of the lines have waited, the longest of them; 0: none waits.",
        _age(facts, facts.queued_ms),
    )
    rows = {status: sum(batch.counts.get(status, 0) for batch in facts.open_batches) for status in STATUSES}
    yield _labelled("vton_rows", "Rows of the batches that are not complete, by status.", "status", rows)


def of_unknown(facts: Facts, _limits: LimitSettings) -> Iterator[GaugeMetricFamily]:
    """Jobs whose money nobody knows of."""
    yield _gauge(
        "vton_unknown_jobs", "Jobs that may have been bought: a POST without a clear answer.", facts.unknown
    )
    yield _gauge(
        "vton_oldest_unknown_age_seconds",
        "For how long the first of them has been unknown; 0: none is.",
        _age(facts, facts.unknown_ms),
    )


def of_gate(facts: Facts, _limits: LimitSettings) -> Iterator[GaugeMetricFamily]:
    """What keeps jobs waiting; at most one is 1."""
    kind = shut_kind(facts.gate, facts.read_ms)
    states = {reason: float(reason == kind) for reason in SHUT_KINDS}
    states["budget"] = float(bool(facts.budget) and not kind)
    yield _labelled("vton_gate_shut", "1 for the reason why nothing is submitted, else 0.", "reason", states)


def of_money(facts: Facts, limits: LimitSettings) -> Iterator[GaugeMetricFamily]:
    """What is left of budgets; those that are not set are not there."""
    left: dict[str, float] = {}
    if limits.day_budget:
        left["day"] = max(0, limits.day_budget - facts.spent_today)
    if limits.batch_budget and facts.open_batches:
        left["batch"] = min(max(0, limits.batch_budget - batch.ordered) for batch in facts.open_batches)
    yield _labelled(
        "vton_budget_left_images",
        "Pictures left of the UTC day's budget, and of the open batch's that has the fewest left.",
        "budget",
        left,
    )


def of_batches(facts: Facts, _limits: LimitSettings) -> Iterator[GaugeMetricFamily]:
    """The batch that was completed last."""
    last = max(facts.batches, key=lambda batch: batch.completed_ms or 0, default=None)
    at_ms = (last.completed_ms or 0) if last else 0
    yield _gauge(
        "vton_last_batch_completed_timestamp_seconds",
        "When a batch was last completed, Unix time; 0: none was.",
        at_ms / _MS,
    )
    rows = {status: last.counts.get(status, 0) if last and at_ms else 0 for status in STATUSES}
    yield _labelled(
        "vton_last_batch_rows", "Rows of the batch that was completed last, by status.", "status", rows
    )


def of_time(facts: Facts, _limits: LimitSettings) -> Iterator[GaugeMetricFamily]:
    """When the open rows will have ended, and by when they have to."""
    for name, what, value in (
        (
            "vton_eta_timestamp_seconds",
            "When every open row will have ended at the pace of the last ten minutes, Unix time.",
            facts.read_ms / _MS + eta_s(facts) if facts.open_batches else None,
        ),
        (
            "vton_deadline_timestamp_seconds",
            "The earliest deadline of an open batch, Unix time.",
            min((each / _MS for each in facts.deadlines.values()), default=None),
        ),
        (
            "vton_deadline_margin_seconds",
            "For how long before its deadline the open batch that is worst off will be over; below 0: after it.",
            min((each.spare_s for each in margins(facts)), default=None),
        ),
    ):
        family = GaugeMetricFamily(name, what)
        if value is not None:
            family.add_metric([], value)
        yield family


def of_processes(facts: Facts, _limits: LimitSettings) -> Iterator[GaugeMetricFamily]:
    """Who works, over all hosts."""
    living = Counter(str(each.role) for each in alive(facts))
    both = living["worker"]
    counts = {role: float(living[role] + (both if role != "receiver" else 0)) for role in ROLES}
    yield _labelled(
        "vton_processes", "Processes of all hosts that live by their heartbeats, by role.", "role", counts
    )
    yield _gauge(
        "vton_hosts_silent",
        "Hosts of which every process has fallen silent within the hour, while others live; no pods that were replaced.",
        len(silent_hosts(facts)) if living.total() else 0,
    )


def of_health(facts: Facts, _limits: LimitSettings) -> Iterator[GaugeMetricFamily]:
    """What `vton status` says."""
    health = assess(facts)
    family = GaugeMetricFamily(
        "vton_health", "1 for the state that vton status says, else 0.", labels=["judgement", "state"]
    )
    for name in JUDGED:
        for state in State:
            family.add_metric([name, state], float(getattr(health, name).state is state))
    yield family


def disks(settings: Settings) -> Iterator[GaugeMetricFamily]:
    """What is free where pictures and results are written."""
    free: dict[str, float] = {}
    for name, folder in (("data_dir", settings.data_dir), ("output_dir", settings.output_dir)):
        there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
        free[name] = shutil.disk_usage(there).free
    yield _labelled("vton_disk_free_bytes", "Free bytes of the disk that a folder is on.", "folder", free)
    yield _gauge(
        "vton_disk_floor_bytes",
        "Below this much of data_dir's disk nothing is bought: pictures.min_free_bytes.",
        settings.pictures.min_free_bytes,
    )


def _age(facts: Facts, since_ms: int | None) -> float:
    return 0 if since_ms is None else max(0, facts.read_ms - since_ms) / _MS


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, value=float(value))


def _labelled(name: str, what: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, what, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
