"""The door for a submit body: an order, or the refusal that the vendor would answer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.simulator.pictures import Inputs

#: "A parameter is wrong" and "the picture is invalid"; the first is not published, siblings use it.
BAD_PARAMETER, BAD_PICTURE = 1001, 1051

_GARMENTS = ("upper_clothes", "lower_clothes", "dress")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """HTTP 200 (or `http`) with a code and no result; nothing is made."""

    #: The counter's name.
    kind: str
    code: int
    message: str
    http: int = 200
    #: Seconds for a Retry-After header; None: no header.
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A body that may become a task."""

    request_id: str
    notify_url: str
    #: Slot → digest or address.
    inputs: Mapping[str, str]


def read_body(body: bytes) -> dict[str, Any] | Refusal:
    """The body as a mapping of texts."""
    try:
        content = json.loads(body)
    except ValueError:
        return _bad("the body is not JSON")
    if not isinstance(content, dict):
        return _bad("the body is not an object")
    for name in ("person", *_GARMENTS, "request_id", "notify_url"):
        if content.get(name) is not None and not isinstance(content[name], str):
            return _bad(f"{name} must be a string")
    return content


def read_order(content: Mapping[str, Any], inputs: Inputs) -> Order | Refusal:
    """Checks the body as the vendor does and keeps its pictures."""
    garments = [name for name in _GARMENTS if content.get(name)]
    notify_url = content.get("notify_url") or ""
    flaw = _flaw(content, garments, notify_url)
    if flaw:
        return _bad(flaw)
    kept: dict[str, str] = {}
    for name in ("person", *garments):
        value = content[name]
        try:
            kept[name] = value if value.startswith(("http://", "https://")) else inputs.add(value)
        except ValueError as error:
            return Refusal(kind="picture", code=BAD_PICTURE, message=f"{name}: {error}")
    return Order(request_id=content.get("request_id") or "", notify_url=notify_url, inputs=kept)


def _flaw(content: Mapping[str, Any], garments: Sequence[str], notify_url: str) -> str:
    """What is wrong with the parameters; empty when nothing is."""
    if not content.get("person"):
        return "person is required"
    if not garments:
        return "at least one of upper_clothes, lower_clothes and dress is required"
    if "dress" in garments and len(garments) > 1:
        return "dress excludes upper_clothes and lower_clothes"
    if notify_url and not notify_url.startswith(("http://", "https://")):
        return "notify_url must be an http(s) address"
    prefixed = [name for name in ("person", *garments) if content[name].startswith("data:")]
    return f"{prefixed[0]}: base64 must come without the data: prefix" if prefixed else ""


def _bad(message: str) -> Refusal:
    return Refusal(kind="parameter", code=BAD_PARAMETER, message=f"Invalid parameter: {message}")
