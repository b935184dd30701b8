"""Everything of one host in one page: its processes' counters, the ledger's gauges, its disks."""

from prometheus_client import CollectorRegistry

from jobs.config.settings import Settings
from jobs.ledger import Ledger
from jobs.monitoring.gauges import LedgerGauges
from jobs.monitoring.processes import ProcessPages


def host_registry(ledger: Ledger, settings: Settings) -> CollectorRegistry:
    """A registry that reads everything anew for each scrape. `ledger`: one that does not wait long for Redis."""
    registry = CollectorRegistry()
    registry.register(LedgerGauges(ledger, settings))
    registry.register(ProcessPages(settings.metrics, settings.redis.prefix))
    return registry
