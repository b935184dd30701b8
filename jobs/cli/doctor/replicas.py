"""What stands by if Redis' machine dies: replicas, the sentinels that promote one, and whether they confirm writes."""

import time
from collections.abc import Iterator
from typing import Any

from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as SilentError

from jobs.cli.doctor.check import Check, ok, warning, wrong
from jobs.cli.session import Session
from jobs.config.sentinel_address import SentinelAddress, sentinel_address
from jobs.errors import UnconfirmedError
from jobs.ledger.confirmed import ConfirmedRunner, Way
from jobs.redis.client import translated
from jobs.units import counted


def check_fail_over(opened: Session) -> Iterator[Check]:
    """Nothing is said of a Redis that has neither sentinels nor replicas to wait for. Raises RedisDownError."""
    settings = opened.settings.redis
    address = sentinel_address(settings.url.get_secret_value())
    if address is not None:
        yield _sentinels(address)
    if address is not None or settings.replicas:
        yield _replicas(opened, settings.replicas)


def _sentinels(address: SentinelAddress) -> Check:
    """Whether they answer, and agree."""
    # Only this check speaks to them.
    from jobs.redis.sentinel import sentinels  # noqa: PLC0415

    primaries, silent, quorum = set[str](), [], 0
    with sentinels(address) as found:
        for each, (host, port) in zip(found.sentinels, address.sentinels, strict=True):
            try:
                told: Any = each.sentinel_master(address.service)
            except (LostConnectionError, SilentError, ResponseError) as error:
                silent.append(f"{host}:{port} ({error})")
                continue
            primaries.add(f"{told['ip']}:{told['port']}")
            quorum = int(told["quorum"])
    name, answering = "sentinels", len(address.sentinels) - len(silent)
    known = " or ".join(sorted(primaries)) or "not known"
    said = f"{answering} of {len(address.sentinels)} answer; {address.service} is {known}"
    if len(primaries) > 1:
        return wrong(
            name, said, "they disagree, in the middle of a fail-over or for good: look at their logs"
        )
    if silent:
        todo = f"without {max(quorum, len(address.sentinels) // 2 + 1)} of them nothing is promoted"
        return warning(name, f"{said}; silent: {', '.join(silent)}", todo)
    return ok(name, said)


def _replicas(opened: Session, wanted: int) -> Check:
    """Which there are, and whether as many as wanted confirm a write. Raises RedisDownError."""
    name, client = "replicas", opened.ledger.client
    try:
        with translated():
            info: dict[str, Any] = client.info("replication")
    except RedisError as error:
        info = {}
        said = f"INFO is forbidden: {error}"
    else:
        there = [value for key, value in info.items() if key.startswith("slave") and isinstance(value, dict)]
        states = ", ".join(
            f"{each['ip']}:{each['port']} {each['state']}, {each['lag']} s behind" for each in there
        )
        said = f"{counted(len(there), 'replica', 'replicas')}{': ' if states else ''}{states}"
    if not wanted:
        todo = "set redis.replicas to 1 or more, or a fail-over may forget what was just bought; see docs/deploy.md"
        return warning(name, f"{said}; none is waited for (redis.replicas is 0)", todo)
    began = time.monotonic()
    try:
        ConfirmedRunner(client, opened.ledger.prefix, Way(wanted)).try_one()
    except UnconfirmedError as error:
        todo = "look at the replicas: are they there, connected, and with appendonly yes? Until then nothing is sent"
        return wrong(name, f"{said}; {error}", todo)
    took = (time.monotonic() - began) * 1000
    return ok(name, f"{said}; {wanted} confirmed a write within {took:.0f} ms")
