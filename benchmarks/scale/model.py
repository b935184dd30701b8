"""The formula: from constants and a plan to what one ledger needs. Pure."""

import math
from dataclasses import dataclass, replace
from typing import Final

#: What one Redis may use before it counts as full: a core and the network half, so that a rewrite and a burst find room.
CORE_SHARE: Final = 0.5
NETWORK_BYTES_S: Final = 1.25e9 / 10 / 2  # half of 1 Gbit/s
#: Memory of a server that the ledger may fill; as much again is there for the copy while the file is rewritten, bytes.
MEMORY_BYTES: Final = 32e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What one job costs one Redis; bytes and counts are measured, see constants.json and measure.py."""

    #: Ledger bytes of a job that waits, whose task is under way, that has its picture; and of a pruned one.
    bytes_waiting: float
    bytes_under_way: float
    bytes_finished: float
    bytes_pruned: float
    #: Scripts that clients call, and commands, those inside of scripts too, from a manifest's row to its picture.
    scripts: float
    commands: float
    #: On the wire, both directions, and in the append-only file, bytes.
    wire_bytes: float
    file_bytes: float
    #: Redis' own processor time, s; of the product's processes, s.
    redis_cpu_s: float
    worker_cpu_s: float
    #: Connections of a submit process, of a collect process, of a receiver; most of a busy one.
    submit_connections: float
    collect_connections: float
    receiver_connections: float
    #: Commands and wire bytes a second of a submit and a collect process that have nothing to do.
    idle_commands_s: float
    idle_bytes_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is wanted."""

    #: Pairs a night, of all accounts.
    pairs: float
    accounts: int
    #: Ledgers that the accounts are spread over evenly; an account is never in two.
    ledgers: int
    hours: float = 10
    #: Nights that stay in the ledger, beside the one that runs, before they are pruned.
    keep_nights: float = 1
    #: Nights whose pairs are pruned and stay known.
    known_nights: float = 0
    #: Time of a task at HiDream, s.
    latency_s: float = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What follows, for one account and for one ledger."""

    #: Pictures a second and parallel tasks of one account.
    account_rate: float
    account_slots: int
    #: Jobs a second of one ledger.
    rate: float
    #: At the night's begin, when all of it waits beside the nights that are kept and what is known of older ones, bytes.
    memory_bytes: float
    commands_s: float
    wire_bytes_s: float
    file_bytes_s: float
    #: Of one core of Redis'.
    core: float
    #: Submit and collect processes of one ledger, by one core each, and all connections.
    processes: int
    connections: int
    #: What is full first (memory, processor, network), and of it how many times one server has; 1 or more: full.
    full_by: str
    full: float


def needs(plan: Plan, constants: Constants) -> Needs:
    """What one account and one ledger need."""
    pairs, seconds = plan.pairs / plan.ledgers, plan.hours * 3600
    rate = pairs / seconds
    account_rate = plan.pairs / plan.accounts / seconds
    slots = math.ceil(account_rate * plan.latency_s)
    memory = pairs * (
        constants.bytes_waiting
        + constants.bytes_finished * plan.keep_nights
        + constants.bytes_pruned * plan.known_nights
    )
    # At least one of each; one that is busy fills a core.
    each = max(1, math.ceil(rate * constants.worker_cpu_s / 2))
    core, wire = rate * constants.redis_cpu_s, rate * constants.wire_bytes + constants.idle_bytes_s * each
    shares = {
        "memory": memory / MEMORY_BYTES,
        "processor": core / CORE_SHARE,
        "network": wire / NETWORK_BYTES_S,
    }
    full_by = max(shares, key=shares.__getitem__)
    return Needs(
        account_rate=account_rate,
        account_slots=slots,
        rate=rate,
        memory_bytes=memory,
        commands_s=rate * constants.commands + constants.idle_commands_s * each,
        wire_bytes_s=wire,
        file_bytes_s=rate * constants.file_bytes,
        core=core,
        processes=2 * each,
        connections=math.ceil(
            each * (constants.submit_connections + constants.collect_connections)
            + constants.receiver_connections
        ),
        full_by=full_by,
        full=shares[full_by],
    )


def most_pairs(plan: Plan, constants: Constants) -> dict[str, float]:
    """Pairs a night at which one Redis is full, by each of what may be; the rest of the plan as it is."""
    memory = needs(replace(plan, pairs=1, accounts=1, ledgers=1), constants).memory_bytes
    seconds = plan.hours * 3600
    return {
        "memory": MEMORY_BYTES / memory,
        "processor": CORE_SHARE / constants.redis_cpu_s * seconds,
        "network": NETWORK_BYTES_S / constants.wire_bytes * seconds,
    }


def ledgers_needed(plan: Plan, constants: Constants) -> int:
    """The fewest ledgers none of which is full; never more than there are accounts."""
    most = min(most_pairs(plan, constants).values())
    return min(plan.accounts, math.ceil(plan.pairs / most))
