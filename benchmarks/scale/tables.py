"""The tables of docs/scaling.md, in Markdown."""

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from benchmarks.scale.model import Constants, Plan, ledgers_needed, most_pairs, needs

FILE = Path(__file__).with_name("constants.json")
#: 10 million pairs a night.
PAIRS = 10_000_000
ACCOUNTS = (1, 10, 100)
#: Polls a task, docs/benchmarks.md.
POLLS = 12
#: What grows with them.
_BY_POLLS = ("scripts", "commands", "wire_bytes", "file_bytes")
#: Processor time of one job at full speed with few polls, docs/benchmarks.md; taken in proportion to scripts.
_CPU_S = {"redis_cpu_s": 0.52 / 1000, "worker_cpu_s": 5.2 / 1000}


def measured() -> dict[str, Any]:
    """What `measure` has written."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def constants(way: str) -> Constants:
    """Those of one way of hearing of results, `polling` or `callbacks`."""
    found = measured()
    if way == "callbacks":
        run = found[way]
    else:
        few, many = found["few_polls"], found["many_polls"]
        more = (POLLS - few["polls"]) / (many["polls"] - few["polls"])
        counted = {name: few[name] + more * (many[name] - few[name]) for name in _BY_POLLS}
        # Where no receiver runs it has no connections.
        run = {**many, **counted, "polls": POLLS, "receiver_connections": 0.0}
    cpu = {name: each * run["scripts"] / found["few_polls"]["scripts"] for name, each in _CPU_S.items()}
    every = found["both"] | run | cpu
    return Constants(**{field.name: every[field.name] for field in fields(Constants)})


def pages() -> dict[str, str]:
    """Name → table."""
    return {"constants": _constants(), "accounts": _accounts(), "regions": _regions(), "full": _full()}


def _constants() -> str:
    polling, callbacks = constants("polling"), constants("callbacks")
    rows: list[tuple[str, str, str]] = [
        (
            "ledger bytes of a job that waits",
            f"{polling.bytes_waiting:,.0f}",
            f"{callbacks.bytes_waiting:,.0f}",
        ),
        ("… whose task is under way", f"{polling.bytes_under_way:,.0f}", f"{callbacks.bytes_under_way:,.0f}"),
        ("… that has its picture", f"{polling.bytes_finished:,.0f}", f"{callbacks.bytes_finished:,.0f}"),
        ("… that was pruned, at most", f"{polling.bytes_pruned:,.0f}", f"{callbacks.bytes_pruned:,.0f}"),
        ("polls a task", f"{POLLS}", f"{measured()['callbacks']['polls']:.1f}"),
        ("scripts a job, enqueueing among them", f"{polling.scripts:.1f}", f"{callbacks.scripts:.1f}"),
        (
            "commands a job, those inside of scripts too",
            f"{polling.commands:.0f}",
            f"{callbacks.commands:.0f}",
        ),
        ("bytes a job on the wire, both ways", f"{polling.wire_bytes:,.0f}", f"{callbacks.wire_bytes:,.0f}"),
        ("bytes a job in the append-only file", f"{polling.file_bytes:,.0f}", f"{callbacks.file_bytes:,.0f}"),
        (
            "Redis' CPU a job, ms ¹",
            f"{1000 * polling.redis_cpu_s:.2f}",
            f"{1000 * callbacks.redis_cpu_s:.2f}",
        ),
        (
            "workers' CPU a job, ms ¹",
            f"{1000 * polling.worker_cpu_s:.1f}",
            f"{1000 * callbacks.worker_cpu_s:.1f}",
        ),
        (
            "connections of a submit process, a collect process, a receiver",
            f"{polling.submit_connections:.0f}, {polling.collect_connections:.0f}, none",
            ", ".join(
                f"{callbacks_each:.0f}"
                for callbacks_each in (
                    callbacks.submit_connections,
                    callbacks.collect_connections,
                    callbacks.receiver_connections,
                )
            ),
        ),
        (
            "a submit and a collect process that wait: commands a second; bytes a second",
            f"{polling.idle_commands_s:.0f}; {polling.idle_bytes_s:,.0f}",
            f"{callbacks.idle_commands_s:.0f}; {callbacks.idle_bytes_s:,.0f}",
        ),
    ]
    return _table(("", "polling", "callbacks"), rows)


def _accounts() -> str:
    plans = [
        Plan(pairs=PAIRS, accounts=accounts, ledgers=ledgers)
        for accounts in ACCOUNTS
        for ledgers in sorted({1, accounts})
    ]
    return _table(_HEAD, [_row(plan) for plan in plans])


def _regions() -> str:
    rows = []
    for accounts in (3, 30, 300):
        plan = Plan(pairs=PAIRS, accounts=accounts, ledgers=3)
        fewest = max(3, ledgers_needed(plan, constants("polling")))
        # As many in each region.
        rows.append(_row(replace(plan, ledgers=min(accounts, -(-fewest // 3) * 3))))
    return _table(_HEAD, rows)


_HEAD = (
    "accounts; ledgers",
    "an account: pictures/s; parallel tasks",
    "a ledger: jobs/s",
    "memory, GB",
    "commands/s",
    "wire, MB/s",
    "file, MB/s",
    "core of Redis",
    "processes; connections",
    "full?",
)


def _row(plan: Plan) -> tuple[str, ...]:
    found = needs(plan, constants("polling"))
    return (
        f"{plan.accounts}; {plan.ledgers}",
        f"{found.account_rate:,.1f}; {found.account_slots:,}",
        f"{found.rate:,.1f}",
        f"{found.memory_bytes / 1e9:,.1f}",
        f"{found.commands_s:,.0f}",
        f"{found.wire_bytes_s / 1e6:,.2f}",
        f"{found.file_bytes_s / 1e6:,.2f}",
        f"{found.core:.2f}",
        f"{found.processes}; {found.connections}",
        f"{'**full**' if found.full >= 1 else 'no'}: {found.full_by}, {found.full:.2f}",
    )


def _full() -> str:
    rows = []
    for keep, known in ((1, 0), (7, 0), (30, 0), (1, 365)):
        plan = Plan(pairs=PAIRS, accounts=1, ledgers=1, keep_nights=keep, known_nights=known)
        most = most_pairs(plan, constants("polling"))
        full = (f"{most[each] / 1e6:,.1f}" for each in ("memory", "processor", "network"))
        rows.append((f"{keep}; {known}", *full))
    return _table(("nights kept; nights pruned and known", "memory", "processor", "network"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    line = "|" + "|".join(["---", *["---:"] * (len(head) - 1)]) + "|"
    return "\n".join(
        ["| " + " | ".join(each) + " |" for each in (head,)]
        + [line]
        + ["| " + " | ".join(each) + " |" for each in rows]
    )
