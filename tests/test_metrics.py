"""What is counted, that it can be fetched, of one process and of a whole host, and that the documents say the same."""

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from jobs.config.settings import LimitSettings, MetricsSettings, Settings
from jobs.ledger import Ledger, steps
from jobs.ledger.records import Heartbeat
from jobs.monitoring.gauges import LedgerGauges
from jobs.monitoring.host import host_registry
from jobs.monitoring.processes import ProcessPages
from jobs.monitoring.serving import serve
from jobs.records import BatchId
from jobs.redis.client import connect
from tests.notices.listener import listening
from tests.ports import free_port
from tests.reference import hold
from worker.metrics import Metrics, serve_on_free_port
from worker.submit.submission import OUTCOMES

BUDGETS = LimitSettings(in_flight=5, max_images_per_day=100, max_images_per_batch=10)


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
    server = serve(metrics.registry, 0)
    address = f"http://127.0.0.1:{server.port}/metrics"
    page = httpx.get(address, trust_env=False).text
    server.close()
    assert "vton_task_seconds_count 1.0" in page
    with pytest.raises(httpx.ConnectError):
        httpx.get(address, trust_env=False)


# -- the ledger's own ----------------------------------------------------------------------------------------


def gauges(ledger, limits=BUDGETS, **settings):
    """name → labels' values → number."""
    registry = CollectorRegistry()
    registry.register(LedgerGauges(ledger, Settings(limits=limits, **settings)))
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
    }


def test_an_empty_ledger_has_every_gauge_but_those_of_open_batches(ledger):
    found = gauges(ledger)
    assert found["vton_ledger_up",] == 1
    assert (found["vton_slots_used",], found["vton_slots_limit",]) == (0, 5)
    assert found["vton_rows", "queued"] == found["vton_jobs_queued",] == found["vton_unknown_jobs",] == 0
    assert found["vton_budget_left_images", "day"] == 100
    assert found["vton_last_batch_completed_timestamp_seconds",] == 0
    assert found["vton_disk_free_bytes", "data_dir"] > 0
    assert ("vton_eta_timestamp_seconds",) not in found


def test_lines_slots_budgets_and_unknown_jobs_are_those_of_the_ledger(driver):
    driver.admit("a", ["p", "q", "r", "s", None])
    driver.submitted()
    driver.score("unknown", driver.unknown().request_id, 0)
    found = gauges(driver.ledger)
    assert (found["vton_slots_used",], found["vton_jobs_queued",]) == (2, 2)
    by_status = {
        status: found["vton_rows", status] for status in ("queued", "submitted", "unknown", "invalid")
    }
    assert by_status == {"queued": 2, "submitted": 1, "unknown": 1, "invalid": 1}
    assert found["vton_oldest_queued_age_seconds",] >= 0
    assert (found["vton_unknown_jobs",], found["vton_oldest_unknown_age_seconds",] > 10**8) == (1, True)
    assert (found["vton_budget_left_images", "day"], found["vton_budget_left_images", "batch"]) == (98, 8)


def test_the_end_and_the_deadline_of_open_batches_are_unix_times(driver):
    driver.admit("a", [f"p{n}" for n in range(30)])
    now_s = int(driver.ledger.client.time()[0])
    driver.ledger.set_deadline(BatchId("a"), (now_s + 60) * 1000)
    found = gauges(driver.ledger, LimitSettings(images_per_minute=10))
    assert found["vton_deadline_timestamp_seconds",] == now_s + 60
    assert found["vton_eta_timestamp_seconds",] >= now_s + 180
    assert found["vton_deadline_margin_seconds",] <= -120


def test_the_batch_that_was_completed_last_is_told_by_its_rows(driver):
    driver.admit("a", ["p"], seal=True)
    driver.admit("b", ["q"])
    driver.succeeded()
    found = gauges(driver.ledger)
    now_s = int(driver.ledger.client.time()[0])
    assert now_s - 3600 < found["vton_last_batch_completed_timestamp_seconds",] <= now_s + 1
    assert (found["vton_last_batch_rows", "succeeded"], found["vton_last_batch_rows", "failed"]) == (1, 0)


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        ({}, None),
        ({"paused": "by me", "breaker": "token"}, "paused"),
        ({"breaker": "credits"}, "credits"),
        ({"closed_until": 10**15}, "throttled"),
    ],
)
def test_one_reason_at_most_shuts_the_gate(driver, gate, reason):
    driver.gate(tat=0, **gate)
    found = gauges(driver.ledger)
    shut = [labels[1] for labels, value in found.items() if labels[0] == "vton_gate_shut" and value]
    assert shut == ([reason] if reason else [])


def test_a_spent_budget_of_the_day_is_a_reason_too(driver):
    driver.admit("a", ["p", "q"])
    driver.submitted()
    found = gauges(driver.ledger, LimitSettings(max_images_per_day=1))
    assert found["vton_gate_shut", "budget"] == 1


def test_without_redis_the_page_says_so_and_has_the_disks(redis_settings):
    nowhere = redis_settings.model_copy(update={"url": SecretStr("redis://127.0.0.1:1")})
    client = connect(nowhere, db=1, patience_s=0.1)
    found = gauges(Ledger(client, "vton"))
    client.close()
    assert found["vton_ledger_up",] == 0
    assert found["vton_disk_free_bytes", "output_dir"] > 0
    assert not [name for name, *_ in found if "slots" in name]


# -- a whole host --------------------------------------------------------------------------------------------


def host_of(ledger, where):
    return host_registry(ledger, Settings(metrics=where, redis={"prefix": ledger.prefix}))


def test_one_page_has_the_counters_of_every_process_of_this_shop(ledger):
    where = MetricsSettings(port=free_port())
    ours, theirs = [Metrics() for _ in range(3)], Metrics()
    ours[0].submits.labels("accepted").inc(3)
    ours[1].submits.labels("accepted").inc(4)
    servers = [
        serve_on_free_port(metrics, where, role, ledger.prefix)
        for metrics, role in zip(ours, ("submit", "submit", "collect submit"), strict=True)
    ]
    servers.append(serve_on_free_port(theirs, where, "submit", "another"))
    page = generate_latest(host_of(ledger, where)).decode()
    for server in servers:
        assert server is not None
        server.close()
    families = {each.name: each for each in text_string_to_metric_families(page)}
    accepted = [each for each in families["vton_submits"].samples if each.labels["outcome"] == "accepted"]
    assert sorted(each.value for each in accepted) == [0, 3, 4]
    assert len({each.labels["port"] for each in accepted}) == 3
    infos = [each.labels["role"] for each in families["vton_process_info"].samples]
    assert sorted(infos) == ["collect submit", "submit", "submit"]
    assert families["vton_ledger_up"].samples[0].value == 1
    assert families["vton_task_seconds"].type == "histogram"


def test_a_port_that_answers_nonsense_or_nothing_is_passed_over(ledger):
    with listening() as listener:
        listener.answer = b'vton_submits{ "?'
        port = int(listener.url.rpartition(":")[2])
        families = list(ProcessPages(MetricsSettings(port=port), ledger.prefix).collect())
    assert families == []


def test_without_ports_nobody_is_asked(ledger):
    assert list(ProcessPages(MetricsSettings(), ledger.prefix).collect()) == []


def test_processes_are_counted_by_their_heartbeats_on_whichever_host_they_are(ledger):
    for number, (role, host) in enumerate((("submit", "h1"), ("submit", "h2"), ("worker", "h2"))):
        said = Heartbeat(role=role, host=host, pid=number, version="0", up_ms=1)
        ledger.run(steps.heartbeat(f"p{number}", said))
    found = gauges(ledger)
    roles = {role: found["vton_processes", role] for role in ("submit", "collect", "receiver")}
    assert roles == {"submit": 3, "collect": 1, "receiver": 0}
    assert found["vton_hosts_silent",] == 0


# -- the documents -------------------------------------------------------------------------------------------


def reference(ledger) -> list[tuple[str, ...]]:
    """The table of docs/monitoring.md, made from what is counted."""
    rows = []
    whole = CollectorRegistry()
    whole.register(LedgerGauges(ledger, Settings(limits=BUDGETS)))
    for registry in (Metrics().registry, whole):
        for family in registry.collect():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            samples = [each for each in family.samples if each.name == name]
            known = "`role`, `pid`, `version`, `prefix`" if name == "vton_process_info" else ""
            every = dict.fromkeys(each for one in samples for each in one.labels)
            values = {label: dict.fromkeys(one.labels[label] for one in samples) for label in every}
            labels = known or "; ".join(f"`{label}`: {', '.join(values[label])}" for label in values)
            rows.append((f"`{name}`", family.type, labels, family.documentation))
    return rows


def test_the_documented_metrics_are_the_ones_counted(driver):
    driver.admit("a", ["p"])
    columns = ("metric", "kind", "labels", "meaning")
    hold("docs/monitoring.md", "Reference", columns, reference(driver.ledger))
