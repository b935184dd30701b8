"""Whether traces, if they are wanted, have somebody who takes them."""

import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from jobs.cli.doctor.check import Check, State, ok, warning, wrong
from jobs.cli.doctor.network import check_host
from jobs.config.settings import TracingSettings
from jobs.errors import ConfigError
from jobs.tracing import traces_of

#: Where spans go by OpenTelemetry's own rules, first wins.
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_DEFAULT: Final = "http://localhost:4318"


def check_tracing(
    settings: TracingSettings, timeout_s: float, environ: Mapping[str, str] = os.environ
) -> Check:
    """Whether OpenTelemetry is there, and whoever takes its spans; none is sent."""
    if not settings.enabled:
        return ok("tracing", "off")
    try:
        traces_of(settings).close()
    except ConfigError as error:
        fault, _, todo = str(error).removeprefix("tracing.enabled: ").partition(": ")
        return wrong("tracing", fault, todo or "fix the variable that it names")
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return warning("tracing", "OTEL_SDK_DISABLED: no span is sent", "unset it, or tracing.enabled")
    name, endpoint = next(((each, environ[each]) for each in _ENDPOINTS if environ.get(each)), ("", _DEFAULT))
    if urlsplit(endpoint).scheme not in {"http", "https"} or not urlsplit(endpoint).hostname:
        return wrong("tracing", f"{name}: is no http(s) address", "name the receiver of OTLP over HTTP")
    found = check_host("tracing", endpoint, timeout_s)
    if found.state is State.OK:
        return found
    # Pictures are bought all the same.
    return warning(
        "tracing", f"spans are lost: {found.message}", f"start the receiver, or fix {name or _ENDPOINTS[1]}"
    )
