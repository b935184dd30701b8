"""Rules, dashboard, scaler and recipes speak of what is really served, logged and kept."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from promql_parser import MatchOp, VectorSelector

from jobs.config.settings import RedisSettings
from jobs.monitoring.gauges import STATUSES
from tests.test_docs import cells, section
from worker.submit.submission import OUTCOMES

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "monitoring"
PAGE = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
RULES = yaml.safe_load((FOLDER / "rules.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
EVENTS = set(
    re.findall(r"^\| `(\w+\.\w+)` \|", (ROOT / "docs" / "logs.md").read_text(encoding="utf-8"), re.MULTILINE)
)


def served() -> dict[str, dict[str, set[str]]]:
    """Metric → label → its values; the reference, which tests/test_metrics.py holds against the code."""
    found: dict[str, dict[str, set[str]]] = {}
    for name, kind, labels, _ in cells(section("docs/monitoring.md", "Reference")):
        known = {
            label: set(values.split(", ")) for label, values in re.findall(r"`(\w+)`: ([\w, ]+)", labels)
        }
        known |= {label: set() for label in re.findall(r"`(\w+)`(?!:)", labels)}
        names = [name.strip("`")]
        if kind == "histogram":
            names = [f"{names[0]}_{part}" for part in ("bucket", "sum", "count")]
            known = {"le": set()}
        found |= {each: {**known, "port": set()} for each in names}
    return found


SERVED = served()


def selectors(expression: str) -> Iterator[VectorSelector]:
    """Every series that an expression reads."""

    def inside(node: Any) -> Iterator[VectorSelector]:
        if isinstance(node, VectorSelector):
            yield node
        for name in ("expr", "lhs", "rhs", "args", "vector_selector", "vs", "param"):
            part = getattr(node, name, None)
            for each in part if isinstance(part, list) else [part]:
                if each is not None and not isinstance(each, str | float | int):
                    yield from inside(each)

    yield from inside(promql_parser.parse(expression.replace("$__rate_interval", "5m")))


def check(expression: str) -> None:
    found = list(selectors(expression))
    assert len(found) == len(re.findall(r"\bvton_\w+", expression)) > 0, expression
    for each in found:
        assert each.name in SERVED, each.name
        for matcher in each.matchers.matchers:
            values = SERVED[each.name][matcher.name]
            if matcher.op == MatchOp.Equal:
                assert matcher.value in values
            else:
                assert set(matcher.value.split("|")) <= values
    for labels in re.findall(r"\bby \(([\w, ]+)\)", expression):
        assert all(set(labels.split(", ")) <= SERVED[each.name].keys() for each in found)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_reads_what_is_served_and_says_what_to_do(rule):
    check(rule["expr"])
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"].keys() == {"summary", "action"}


def test_every_alert_has_its_row_and_its_case():
    told = [row[0].strip("`") for row in cells(section("docs/monitoring.md", "Alerts"))]
    assert told == [rule["alert"] for rule in RULES]
    cases = (FOLDER / "rules_test.yml").read_text(encoding="utf-8")
    assert all(alert in cases for alert in told)


def test_prometheus_own_tool_takes_the_rules_and_finds_each_trouble():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here; the expressions are parsed all the same")
    for words in (("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")):
        done = subprocess.run([promtool, *words], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("expression", expressions())
def test_a_panel_reads_what_is_served(expression):
    check(expression)


def test_the_dashboard_shows_every_metric_and_its_panels_do_not_overlap():
    every = " ".join([*expressions(), *(rule["expr"] for rule in RULES)])
    left = {name.removesuffix("_bucket") for name in SERVED if not name.endswith(("_sum", "_count"))}
    assert {name for name in left if name not in every} == {"vton_deadline_timestamp_seconds"}
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        spot = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not spot & taken
        taken |= spot
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_dashboard_asks_for_a_datasource_by_its_own_variable():
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"]) == ("datasource", "datasource")
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {"${datasource}"}


def test_the_scalers_key_holds_something_exactly_while_jobs_wait(driver):
    kubernetes = ROOT / "docs" / "deploy" / "kubernetes" / "keda.yaml"
    (scaled,) = [
        each
        for each in yaml.safe_load_all(kubernetes.read_text(encoding="utf-8"))
        if each["kind"] == "ScaledObject"
    ]
    (trigger,) = scaled["spec"]["triggers"]
    key = trigger["metadata"]["listName"]
    redis = RedisSettings()
    assert (scaled["kind"], trigger["type"]) == ("ScaledObject", "redis")
    assert int(trigger["metadata"]["databaseIndex"]) == redis.ledger_db
    here = key.replace(f"{redis.prefix}:", f"{driver.ledger.prefix}:", 1)
    client = driver.ledger.client
    assert client.llen(here) == 0
    driver.admit("a", ["p"])
    assert client.llen(here) >= int(trigger["metadata"]["listLength"])
    assert client.type(here) == "list"
    driver.submitted()
    assert driver.ask().kind == "empty"
    assert client.llen(here) == 0


def test_the_recipes_for_logs_name_events_that_there_are():
    recipes = section("docs/monitoring.md", "Metrics from logs")
    named = {
        each
        for each in re.findall(r"\b[a-z]+\.[a-z_]+\b", recipes)
        if each.split(".")[1] not in {"md", "event", "yaml"}
    }
    assert named
    assert named <= EVENTS
    vector = yaml.safe_load((FOLDER / "vector.yaml").read_text(encoding="utf-8"))
    parts = vector["sources"] | vector["transforms"]
    assert all(
        name in parts for part in (vector["transforms"] | vector["sinks"]).values() for name in part["inputs"]
    )


def test_every_file_of_the_folder_is_linked():
    assert {path.name for path in FOLDER.iterdir()} == set(re.findall(r"\]\(monitoring/([\w.]+)\)", PAGE))


def test_the_labels_are_those_of_the_code():
    assert SERVED["vton_submits_total"]["outcome"] == set(OUTCOMES.values())
    assert SERVED["vton_rows"]["status"] == set(STATUSES)
