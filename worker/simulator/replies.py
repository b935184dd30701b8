"""The good replies."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from worker.simulator.wire import Reply

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_KNOWN = frozenset(HTTPStatus)


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """JSON as it goes over the wire."""
    return _ENCODER.encode(content).encode()


def json_reply(
    content: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Reply:
    """A JSON body."""
    return Reply(status=status, body=json_bytes(content), headers=headers or {})


def status_reply(status: int, *, headers: Mapping[str, str] | None = None) -> Reply:
    """A vendor-like JSON body under an HTTP status."""
    phrase = HTTPStatus(status).phrase if status in _KNOWN else "Error"
    return json_reply({"code": status, "message": phrase}, status=status, headers=headers)
