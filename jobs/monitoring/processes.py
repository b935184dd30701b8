"""The metrics of this host's processes, fetched from each and laid together; the port tells them apart.

Not summed: a process that is started again begins at 0, which only shows in a series of its own.
"""

import http.client
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from jobs.config.settings import MetricsSettings
from jobs.monitoring.serving import INFO, PORTS

#: How long one process may take to answer, s; and what of its answer is read at most, bytes.
_TIMEOUT_S, _LONGEST = 2.0, 5_000_000
#: Where who listens on every address is asked.
_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 nothing is bound


class ProcessPages(Collector):
    """What the living processes of one shop on this host count."""

    def __init__(self, settings: MetricsSettings, prefix: str) -> None:
        """`prefix`: of the ledger's keys; processes of other shops are passed over."""
        self._settings = settings
        self._prefix = prefix

    def describe(self) -> Iterator[Metric]:
        """Nothing is asked before the first scrape."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Prometheus' own hook."""
        found: dict[str, Metric] = {}
        for port, families in self._pages():
            for family in families:
                whole = found.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    labels = {**sample.labels, "port": str(port)}
                    whole.samples.append(sample._replace(labels=labels))
        yield from found.values()

    def _pages(self) -> Iterator[tuple[int, list[Metric]]]:
        first = self._settings.port
        for port in range(first, min(first + PORTS, 65_536)) if first else ():
            families = [each for each in _families(fetch(self._settings.host, port)) if _is_ours(each)]
            infos = (sample for each in families for sample in each.samples if sample.name == INFO)
            if any(sample.labels.get("prefix") == self._prefix for sample in infos):
                yield port, families


def fetch(host: str, port: int) -> str:
    """The page of one process; empty when nobody answers there."""
    connection = http.client.HTTPConnection(_LOOPBACK.get(host, host), port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read(_LONGEST).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def _families(page: str) -> Iterable[Metric]:
    try:
        return list(text_string_to_metric_families(page))
    except ValueError:
        # Somebody else's page.
        return []


def _is_ours(family: Metric) -> bool:
    return family.name.startswith("vton_") and not family.name.endswith("_created")
