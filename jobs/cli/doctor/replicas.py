"""What stands by if Redis' machine dies: replicas, the sentinels that promote one, and whether they confirm writes."""

import time
from collections.abc import Iterator
from typing import Any

from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import TimeoutError as SilentError

from jobs.cli.doctor.check import Check, ok, warning, wrong
from jobs.cli.session import Session
from jobs.config.sentinel_address import sentinel_address
from jobs.config.settings import RedisSettings
from jobs.errors import UnconfirmedError
from jobs.ledger.confirmed import ConfirmedRunner, Way
from jobs.redis.client import translated
from jobs.units import counted


def check_sentinels(settings: RedisSettings) -> Iterator[Check]:
    """Whether they answer, and agree; nothing is said where the address names none. Needs no primary."""
    address = sentinel_address(settings.url.get_secret_value())
    if address is None:
        return
    # Only this check speaks to them.
    from jobs.redis.sentinel import sentinels  # noqa: PLC0415

    primaries, down, faults, quorum = set[str](), False, [], 0
    with sentinels(address) as found:
        for each, (host, port) in zip(found.sentinels, address.sentinels, strict=True):
            try:
                told: Any = each.sentinel_master(address.service)
            except (LostConnectionError, SilentError, ResponseError) as error:
                faults.append(f"{host}:{port} ({_sentinel_fault(each, address.service, error)})")
                continue
            primaries.add(f"{told['ip']}:{told['port']}")
            down, quorum = down or "down" in told["flags"], int(told["quorum"])
    name, asked = "sentinels", len(address.sentinels)
    known = " or ".join(sorted(primaries)) or "not known"
    said = f"{asked - len(faults)} of {asked} answer; {address.service} is {known}"
    unsaid = f"; the others: {', '.join(faults)}" if faults else ""
    enough = max(quorum, asked // 2 + 1)
    if len(primaries) > 1:
        yield wrong(
            name,
            f"{said}{unsaid}",
            "they disagree, in the middle of a fail-over or for good: look at their logs",
        )
    elif not primaries:
        todo = (
            "start them, or fix their hosts, sentinel_password and the service in redis.url (VTON_REDIS__URL)"
        )
        yield wrong(name, f"{said}{unsaid}", todo)
    elif down:
        todo = f"start it, or wait until another one is promoted: {enough} sentinels and a replica must be up for that"
        yield wrong(name, f"{said}, which does not answer them{unsaid}", todo)
    elif faults:
        yield warning(name, f"{said}{unsaid}", f"fix them: without {enough} sentinels nothing is promoted")
    else:
        yield ok(name, said)


def _sentinel_fault(sentinel: Any, service: str, error: Exception) -> str:
    if isinstance(error, AuthenticationError):
        return "it refuses sentinel_password, or wants one"
    if "No such master" not in str(error):
        return str(error)
    try:
        known = ", ".join(sorted(sentinel.sentinel_masters())) or "none"
    except RedisError:
        # Its user may ask for a service by name only.
        return str(error)
    return f"it knows no {service}; services that it knows: {known}"


def check_replicas(opened: Session) -> Iterator[Check]:
    """Nothing is said of a Redis that has neither sentinels nor replicas to wait for. Raises RedisDownError."""
    settings = opened.settings.redis
    if settings.replicas or sentinel_address(settings.url.get_secret_value()) is not None:
        yield _replicas(opened, settings.replicas)


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
