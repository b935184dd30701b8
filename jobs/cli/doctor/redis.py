"""The ledger's server: what it is, whether it keeps what is written, and whether it is the one of last time."""

from typing import Any

from redis.exceptions import ResponseError

from jobs.cli.doctor.check import Check, ok, warning, wrong
from jobs.cli.ledger_identity import lost_action
from jobs.cli.session import Session
from jobs.config.redis_address import shown_place
from jobs.local.redis_program import OLDEST
from jobs.redis.client import KEEPS_ALL, ask_durability, translated
from jobs.results.ledger_loss import foreign_results, lost_ledger
from jobs.units import counted


def check_server(opened: Session) -> Check:
    """Its version and kind; that it answers is known already. Raises RedisDownError."""
    name, where = "redis", _where(opened)
    with translated():
        try:
            # One for each part: older servers tell of one at a time.
            asked = opened.ledger.client
            info: dict[str, Any] = asked.info("server") | asked.info("replication")
        except ResponseError as error:
            return warning(
                name, f"{where} answers; INFO is forbidden: {error}", "grant +info, see docs/deploy.md"
            )
    # Valkey gives the Redis version that it is compatible with beside its own.
    version = str(info.get("redis_version", "?"))
    valkey = info.get("valkey_version")
    found = f"{where} answers, {f'Valkey {valkey}' if valkey else f'Redis {version}'}"
    number = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if number and number < OLDEST:
        return wrong(name, found, f"{OLDEST[0]}.{OLDEST[1]} or newer is needed")
    if info.get("redis_mode") == "cluster":
        return wrong(name, f"{found}, in cluster mode", "use a server without it: scripts touch several keys")
    if info.get("redis_mode") == "sentinel":
        return wrong(
            name,
            f"{found}, but it is a sentinel",
            "begin redis.url with redis+sentinel:// and end it with /SERVICE",
        )
    if info.get("role") == "slave":
        primary = f"{info.get('master_host')}:{info.get('master_port')}"
        return wrong(
            name,
            f"{found}, but it is a replica of {primary}: it takes no writes",
            "name its primary in redis.url (VTON_REDIS__URL), or the sentinels (redis+sentinel://...)",
        )
    return ok(name, found)


def check_durability(opened: Session) -> Check:
    """Whether it keeps what is written. Raises RedisDownError."""
    name = "durability"
    found = ask_durability(opened.ledger.client)
    if found.evicts:
        return wrong(
            name,
            f"maxmemory-policy is {found.maxmemory_policy}: full, it throws away what was bought",
            f"set maxmemory-policy {KEEPS_ALL}; until then nothing is taken in",
        )
    if found.gaps:
        todo = (
            "CONFIG SET appendonly yes and appendfsync always on the running server, then in its redis.conf (a restart with"
            " appendonly yes that has no such file yet begins empty)"
        )
        return warning(name, "; ".join(found.gaps), todo)
    if found.untold:
        return warning(
            name, f"it does not tell: {', '.join(found.untold)}", "look at them there; see docs/deploy.md"
        )
    return ok(name, f"every write is on disk before its answer, {KEEPS_ALL}")


def check_known_ledger(opened: Session) -> Check:
    """Whether it holds the ledger that this data folder knows. Raises RedisDownError."""
    lost = lost_ledger(opened) or foreign_results(opened)
    if lost:
        return wrong("ledger", lost, lost_action(opened, lost) or lost.partition(": ")[2])
    if opened.ledger.ledger_id() is None:
        return ok("ledger", "empty: no batch yet")
    return ok(
        "ledger",
        f"{counted(len(opened.ledger.batches()), 'batch', 'batches')}; nothing that this folder knows is missing",
    )


def _where(opened: Session) -> str:
    """Host and port, or whose it is; never the password."""
    url = opened.settings.redis.url.get_secret_value()
    return shown_place(url) if url else "the Redis of data_dir"
