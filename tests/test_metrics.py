"""What is counted, and that it can be fetched."""

import re
from pathlib import Path

import httpx
import pytest

from worker.metrics import Metrics, serve_metrics
from worker.submit.submission import OUTCOMES

PAGE = Path(__file__).parent.parent / "docs" / "logs.md"


def test_every_outcome_stands_at_zero_before_it_happens():
    metrics = Metrics()
    assert metrics.registry.get_sample_value("vton_submits_total", {"outcome": "unknown"}) == 0
    assert metrics.registry.get_sample_value("vton_tasks_total", {"status": "rejected"}) == 0


def test_every_outcome_of_a_submit_is_a_label_from_the_start():
    (family,) = (one for one in Metrics().registry.collect() if one.name == "vton_submits")
    labels = [one.labels["outcome"] for one in family.samples if one.name == "vton_submits_total"]
    assert labels == list(OUTCOMES.values())


def test_two_sets_of_metrics_do_not_share_their_numbers():
    one, other = Metrics(), Metrics()
    one.submits.labels("accepted").inc()
    assert other.registry.get_sample_value("vton_submits_total", {"outcome": "accepted"}) == 0


def test_the_metrics_are_served_until_closed():
    metrics = Metrics()
    metrics.task_seconds.observe(12)
    server = serve_metrics(metrics, 0)
    address = f"http://127.0.0.1:{server.port}/metrics"
    page = httpx.get(address, trust_env=False).text
    server.close()
    assert "vton_task_seconds_count 1.0" in page
    with pytest.raises(httpx.ConnectError):
        httpx.get(address, trust_env=False)


def test_the_documented_metrics_are_the_ones_counted():
    documented = re.findall(
        r"^\| `(vton_\w+)` \| (\w+) \| (?:`(\w+)`: ([\w, ]+\w) )?\|", PAGE.read_text(), re.MULTILINE
    )
    counted = set()
    for family in Metrics().registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = [sample.labels for sample in family.samples if sample.name == f"{family.name}_total"]
        label = next((key for one in labels for key in one), "")
        counted.add((name, family.type, label, ", ".join(one[label] for one in labels if one)))
    assert set(documented) == counted
