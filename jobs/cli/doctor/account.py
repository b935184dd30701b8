"""The account: its token, its limits, its way to call us back."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from jobs.cli.advice import command, is_simulated
from jobs.cli.doctor.check import Check, ok, warning, wrong
from jobs.cli.health import read_health
from jobs.cli.session import Session
from jobs.config.exit_codes import ExitCode
from jobs.config.settings import CallbackSettings, Credentials, LimitSettings, Settings
from jobs.health.account import ADVICE, budget_reached, shut_words
from jobs.health.rules import State
from jobs.ledger.shut import shut_kind
from jobs.records import Owner

#: Parallel tasks that HiDream's account levels have.
LEVELS: Final = (1, 3, 5, 7, 10)
#: Characters that a callback key needs; a test holds it to what the receiver demands.
SHORTEST_KEY: Final = 16
_SECRET: Final = "VTON_CALLBACKS__SECRET"  # noqa: S105 a name, no secret


def check_token(credentials: Credentials) -> Check:
    """Whether there is something to enter the account with; it is neither shown nor tried."""
    if credentials.token:
        return ok("token", "HIDREAM_TOKEN is set")
    if credentials.api_key:
        return ok("token", "HIDREAM_API_KEY is set; workers exchange it for a token")
    return wrong("token", "none", "set HIDREAM_TOKEN or HIDREAM_API_KEY, or one of them with _FILE")


def check_gate(opened: Session) -> Check:
    """Whether the gate lets anything out. Raises RedisDownError."""
    name, ledger = "account", opened.ledger
    gate = ledger.gate()
    simulated = is_simulated(ledger)
    resume = command("resume", simulated=simulated)
    said = shut_words(gate, simulated=simulated).rpartition(" (")[0]
    match shut_kind(gate):
        case "":
            reached = budget_reached(ledger, opened.settings.limits)
            todo = "raise it and start the workers again, or wait for the next UTC day"
            return warning(name, f"waiting: {reached}", todo) if reached else ok(name, "open")
        case "throttled":
            return warning(name, shut_words(gate, simulated=False), "nothing: it ends by itself")
        case "not_reached" | "replicas_behind" as kind:
            check = "hidream below" if kind == "not_reached" else "replicas above"
            return wrong(name, said, f"see the check of {check}; it is tried again by itself")
        case "paused":
            return wrong(name, said, f"look at the reason, then {resume}")
        case "vendor":
            todo = f"nothing: it is tried again by itself; if it lasts ask HiDream; at once: {resume}"
            return wrong(name, said, todo, owner=Owner.VENDOR)
        case breaker:
            # A newer version may know more of them.
            return wrong(name, said, f"{ADVICE.get(breaker, 'look at the reason')}, then {resume}")


def check_workers(opened: Session) -> Check:
    """Which processes live, and whether what waits is somebody's. Raises RedisDownError."""
    name = "workers"
    found = read_health(opened, "")[1].liveness
    if found.state is State.OK:
        return ok(name, found.evidence)
    if found.code is ExitCode.CONFIG:
        return wrong(name, found.evidence, found.action)
    # A run begins all the same: it brings workers of its own.
    return warning(name, found.evidence, found.action)


def check_limits(limits: LimitSettings) -> Check:
    """The limits as they are configured: only a person can compare them with the account's."""
    budgets = [
        f"{pictures} pictures a {span}"
        for pictures, span in ((limits.batch_budget, "batch"), (limits.day_budget, "day"))
        if pictures
    ]
    shown = (
        f"{limits.in_flight} parallel tasks, {limits.images_per_minute:g} pictures a minute; "
        f"budget: {', '.join(budgets) or 'none'}"
    )
    if limits.price:
        shown += f"; a picture costs {limits.price.words(1)}"
    if limits.in_flight not in LEVELS:
        levels = ", ".join(str(level) for level in LEVELS)
        return warning(
            "limits",
            shown,
            f"HiDream's account levels have {levels} parallel tasks: set limits.in_flight to yours",
        )
    return ok("limits", shown)


def check_pace(settings: Settings) -> Check:
    """Whether anything set by hand keeps the workers below what the account allows."""
    needs = settings.needs
    pace = (
        ("workers.submit_threads", settings.submit_threads, needs.submit_threads),
        ("limits.polls_per_second", settings.polls_per_second, needs.polls_per_second),
        ("workers.downloads", settings.downloads, needs.downloads),
    )
    low = [
        f"{name} is {value:g}, the account's limits need {needed:g}"
        for name, value, needed in pace
        if value < needed
    ]
    if low:
        return warning("pace", "; ".join(low), "take it out, or set it to 0: it follows from the limits then")
    return ok("pace", ", ".join(f"{name} {value:g}" for name, value, _ in pace))


def check_callbacks(callbacks: CallbackSettings) -> Check:
    """Whether HiDream could call us, as far as that can be seen from here."""
    name = "callbacks"
    if not callbacks.public_url:
        return ok(name, "off (callbacks.public_url is empty): results are asked for")
    parts = urlsplit(callbacks.public_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        return wrong(
            name,
            "callbacks.public_url is no http(s) address without query and fragment",
            "set VTON_CALLBACKS__PUBLIC_URL to what HiDream reaches, or leave it empty",
        )
    if _only_here(parts.hostname):
        return wrong(
            name,
            f"{parts.hostname} is this machine's own name for itself: HiDream cannot reach it",
            "set VTON_CALLBACKS__PUBLIC_URL to your ingress' address, or leave it empty",
        )
    keys = [key.strip() for key in callbacks.secret.get_secret_value().split(",") if key.strip()]
    if not keys or any(len(key) < SHORTEST_KEY for key in keys):
        what = f"{_SECRET} has a key below {SHORTEST_KEY} characters" if keys else f"{_SECRET} is not set"
        return wrong(name, what, f"openssl rand -hex 32, into a file that {_SECRET}_FILE names")
    return ok(name, f"on, at {parts.hostname}; {len(keys)} key(s) of enough length")


def _only_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
