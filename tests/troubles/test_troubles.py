"""Each trouble is made, and then `vton status`, notices and alerts say of it exactly what the list has; so does the page."""

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from jobs.cli.health import read_health
from jobs.cli.ledger_identity import lost_action, lost_ledger
from jobs.config.exit_codes import ExitCode
from jobs.errors import RedisDownError
from jobs.health.assessment import Health, unread
from jobs.health.rules import State
from jobs.ledger import Ledger
from jobs.monitoring.gauges import LedgerGauges
from jobs.notices.looking import Looking
from jobs.notices.notice import Notice
from jobs.notices.sender import Notices
from jobs.redis.client import connect
from tests.test_docs import section
from tests.troubles.promql import fires
from tests.troubles.troubles import TROUBLES, Trouble
from tests.troubles.world import World

ROOT = Path(__file__).parents[2]
RULES = yaml.safe_load((ROOT / "docs" / "monitoring" / "rules.yml").read_text("utf-8"))["groups"][0]["rules"]


@pytest.fixture
def world(driver, redis_settings, queue, tmp_path):
    made = World(driver=driver, redis=redis_settings, queue=queue, folder=tmp_path)
    yield made
    made.close()


@pytest.fixture
def nobody_there(redis_settings):
    url = type(redis_settings.url)("redis://127.0.0.1:1")
    client = connect(redis_settings.model_copy(update={"url": url}), db=1, patience_s=0.1)
    yield Ledger(client, redis_settings.prefix)
    client.close()


def assessed(world: World) -> Health:
    """As `vton status` finds it, and with it the dashboard."""
    if world.away:
        return unread("redis does not answer")
    return read_health(world.session, lost_ledger(world.session))[1]


def notices(world: World, ledger: Ledger) -> list[Notice]:
    """What is said once the trouble has lasted for `notify.workers_after_s`."""
    settings = world.settings
    lost = "" if world.away else lost_ledger(world.session)
    todo = lost_action(world.session, lost)
    looking = Looking(ledger, settings, Notices(ledger, settings.notify), lost=lost, lost_action=todo)
    try:
        looking.due()
    except RedisDownError:
        return []
    key = ledger.key("notice", "judged")
    for name, said in ledger.client.hgetall(key).items():
        ledger.client.hset(key, name, f"{said.split()[0]} 1")
    world.beat()
    return looking.due()


def alerts(world: World, ledger: Ledger) -> set[str]:
    """Whose expression is true of the page at this moment."""
    page = CollectorRegistry()
    page.register(LedgerGauges(ledger, world.settings))
    found = [*page.collect(), *world.counted.registry.collect()]
    now_s = world.driver.ledger.now_ms() / 1000
    return {rule["alert"] for rule in RULES if fires(rule["expr"], found, now_s)}


def check(world: World, expected: Trouble, nobody_there: Ledger) -> None:
    ledger = nobody_there if world.away else world.driver.ledger
    world.beat()
    health = assessed(world)
    judgements = {"flow": health.flow, "execution": health.execution, "liveness": health.liveness}
    if expected.judged:
        found = judgements[expected.judged]
        assert (found.state, f"{found.owner}: {found.action}"[: len(expected.action)]) == (
            expected.state, expected.action,
        ), health  # fmt: skip
        assert (health.code == ExitCode.OK) == (expected.state == State.WARNING)
    else:
        assert {each.state for each in judgements.values()} == {State.OK}, health
    said = notices(world, ledger)
    assert sorted(notice.event for notice in said) == sorted(expected.notices)
    assert all(expected.action.partition(": ")[2] in notice.todo for notice in said), "the same next action"
    world.beat()
    assert alerts(world, ledger) == set(expected.alerts)


@pytest.mark.parametrize("expected", TROUBLES, ids=lambda each: each.name)
def test_a_trouble_is_named_by_the_status_the_notice_and_the_alert(world, expected, nobody_there):
    expected.make(world)
    check(world, expected, nobody_there)


def test_without_a_trouble_nobody_says_anything(world, nobody_there):
    world.evening()
    check(world, Trouble(name="none", make=id), nobody_there)


def test_whoever_does_not_name_a_trouble_says_why():
    for each in TROUBLES:
        columns = {"status": each.judged, "notice": each.notices, "alert": each.alerts}
        assert {name for name, said in columns.items() if not said} == (each.none or {}).keys(), each.name
    assert len(TROUBLES) >= 20


def row(each: Trouble) -> list[str]:
    """A trouble's row in docs/troubles.md."""

    def said(column: str, names: tuple[str, ...]) -> str:
        return ", ".join(f"`{name}`" for name in names) or f"none: {(each.none or {})[column]}"

    judged = f"{each.judged}: `{each.state}`" if each.judged else said("status", ())
    return [each.name, judged, each.action or "", said("notice", each.notices), said("alert", each.alerts)]


def test_the_page_is_the_list():
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in section("docs/troubles.md", "The table").splitlines()
        if re.match(r"\| (?!trouble)", line)
    ]
    assert rows == [row(each) for each in TROUBLES]
