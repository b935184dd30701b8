"""`vton doctor`: everything a run needs, looked at one by one. Nothing is bought, no token is sent anywhere."""

from collections.abc import Iterator
from pathlib import Path

import typer

from jobs.cli.doctor.account import (
    check_callbacks,
    check_gate,
    check_limits,
    check_pace,
    check_token,
    check_workers,
)
from jobs.cli.doctor.check import Check, State, ok, print_checks, verdict, wrong
from jobs.cli.doctor.folders import check_folder, check_roots
from jobs.cli.doctor.network import check_host
from jobs.cli.doctor.notices import check_notices
from jobs.cli.doctor.redis import check_durability, check_known_ledger, check_server
from jobs.cli.doctor.replicas import check_replicas, check_sentinels
from jobs.cli.doctor.tracing import check_tracing
from jobs.cli.options import ConfigOpt, JsonOpt
from jobs.cli.session import command_settings, open_session
from jobs.config.load import read_credentials
from jobs.config.settings import Settings
from jobs.errors import ConfigError, RedisDownError

__all__ = ["Check", "State", "doctor", "examine", "print_checks", "verdict"]


def doctor(*, config: ConfigOpt = None, as_json: JsonOpt = False) -> None:
    """Say what is well and what is not, whose it is and what to do. Buys nothing."""
    checks = examine(config)
    print_checks(checks, as_json=as_json)
    raise typer.Exit(verdict(checks))


def examine(config: Path | None) -> list[Check]:
    """Every check in the order of a screen; with settings that cannot be read there is but one.

    Raises:
        NotFoundError: the file named does not exist.
    """
    try:
        settings = command_settings(config)
    except ConfigError as error:
        return [wrong("configuration", str(error), "fix the setting it names")]
    return [ok("configuration", "every setting is valid"), *_all(settings)]


def _all(settings: Settings) -> Iterator[Check]:
    credentials = read_credentials()
    yield check_token(credentials)
    yield from _redis(settings)
    floor = settings.pictures.min_free_bytes
    yield check_folder("data_dir", settings.data_dir, "downloaded pictures", floor=floor)
    yield check_folder("output_dir", settings.output_dir, "results")
    hidream = settings.hidream
    yield check_host("hidream", hidream.base_url, hidream.connect_timeout_s)
    if credentials.api_key and not credentials.token:
        yield check_host("token_url", hidream.token_url, hidream.connect_timeout_s)
    yield check_callbacks(settings.callbacks)
    yield check_limits(settings.limits)
    yield check_pace(settings)
    yield check_roots(settings.pictures.roots)
    yield check_notices(settings.notify)
    yield check_tracing(settings.tracing, hidream.connect_timeout_s)


def _redis(settings: Settings) -> Iterator[Check]:
    """Reachable first: without that nothing else can be said of it, but what sentinels say of it."""
    yield from check_sentinels(settings.redis)
    try:
        with open_session(settings) as opened:
            yield check_server(opened)
            yield check_durability(opened)
            yield from check_replicas(opened)
            yield check_known_ledger(opened)
            yield check_gate(opened)
            yield check_workers(opened)
    except (ConfigError, RedisDownError) as error:
        yield wrong("redis", str(error), "start it, or fix redis.url (VTON_REDIS__URL)")
