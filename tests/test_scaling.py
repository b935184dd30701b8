"""The formula of docs/scaling.md, its constants and its tables."""

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from benchmarks.scale.model import (
    CORE_SHARE,
    MEMORY_BYTES,
    NETWORK_BYTES_S,
    Constants,
    Plan,
    ledgers_needed,
    most_pairs,
    needs,
)
from benchmarks.scale.tables import constants, measured, pages

PAGE = (Path(__file__).parents[1] / "docs" / "scaling.md").read_text(encoding="utf-8")
ROUND = Constants(
    bytes_waiting=1000,
    bytes_under_way=1500,
    bytes_finished=2000,
    bytes_pruned=100,
    scripts=20,
    commands=100,
    wire_bytes=10_000,
    file_bytes=5000,
    redis_cpu_s=0.001,
    worker_cpu_s=0.01,
    submit_connections=10,
    collect_connections=20,
    receiver_connections=5,
    idle_commands_s=10,
    idle_bytes_s=1000,
)
PLAN = Plan(pairs=360_000, accounts=1, ledgers=1, hours=10, keep_nights=3, known_nights=10, latency_s=12)


def test_one_ledger_needs_what_the_formula_says():
    found = needs(PLAN, ROUND)
    assert (found.rate, found.account_rate, found.account_slots) == (10, 10, 120)
    assert found.memory_bytes == 360_000 * (1000 + 3 * 2000 + 10 * 100)
    assert found.core == pytest.approx(0.01)
    assert found.wire_bytes_s == 10 * 10_000 + 1000
    assert found.commands_s == 10 * 100 + 10
    assert found.file_bytes_s == 10 * 5000
    assert (found.processes, found.connections) == (2, 35)
    assert found.full_by == "memory"
    assert found.full == found.memory_bytes / MEMORY_BYTES


def test_as_many_ledgers_as_accounts_divide_what_one_needs():
    whole, each = (
        needs(replace(PLAN, pairs=36e6, accounts=100, ledgers=ledgers), ROUND) for ledgers in (1, 100)
    )
    assert whole.memory_bytes == pytest.approx(100 * each.memory_bytes)
    assert whole.rate == pytest.approx(100 * each.rate)
    assert whole.account_rate == each.account_rate, (
        "an account's share does not depend on where its ledger is"
    )


def test_a_server_is_full_at_just_as_many_pairs_as_said():
    for name, pairs in most_pairs(PLAN, replace(ROUND, idle_bytes_s=0)).items():
        found = needs(replace(PLAN, pairs=pairs), replace(ROUND, idle_bytes_s=0))
        shares = {
            "memory": found.memory_bytes / MEMORY_BYTES,
            "processor": found.core / CORE_SHARE,
            "network": found.wire_bytes_s / NETWORK_BYTES_S,
        }
        assert shares[name] == pytest.approx(1)


def test_no_account_is_spread_over_ledgers():
    most = min(most_pairs(PLAN, ROUND).values())
    assert ledgers_needed(replace(PLAN, pairs=most, accounts=100), ROUND) == 1
    assert ledgers_needed(replace(PLAN, pairs=2.5 * most, accounts=100), ROUND) == 3
    assert ledgers_needed(replace(PLAN, pairs=2.5 * most, accounts=2), ROUND) == 2


def test_every_constant_was_measured():
    for way in ("polling", "callbacks"):
        found = constants(way)
        for field in fields(Constants):
            assert getattr(found, field.name) > 0 or (way, field.name) == (
                "polling",
                "receiver_connections",
            ), field.name
    # The bound that docs/pruning.md states.
    assert constants("polling").bytes_pruned == 120
    assert f"Redis {measured()['redis']}" in PAGE
    assert measured()["measured"] in PAGE


def test_the_pages_tables_are_those_of_the_formula():
    written = dict(re.findall(r"^<!-- (\w+) -->\n((?:\|.*\n)+)", PAGE, re.MULTILINE))
    assert written == {name: f"{table}\n" for name, table in pages().items()}
