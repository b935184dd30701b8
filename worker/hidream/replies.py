"""Judges a reply by HiDream's error table: what was bought, what was not, and what nobody can know."""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from jobs.records import Failure, Owner, TaskId
from jobs.settings import HiDreamSettings
from worker.hidream.outcomes import (
    Accepted,
    Busy,
    Paused,
    PollFailed,
    PollOutcome,
    Refused,
    SubmitOutcome,
    Unknown,
)
from worker.hidream.results import task_outcome
from worker.hidream.wire import Envelope, Reply, identifier, read_envelope

#: Seconds. Beyond it lies a mistake or a maintenance; both are asked about again after an hour.
MAX_RETRY_AFTER_S = 3600.0

_OK = HTTPStatus.OK
_REDIRECT = HTTPStatus.MULTIPLE_CHOICES
_CLIENT_ERROR = HTTPStatus.BAD_REQUEST
_SERVER_ERROR = HTTPStatus.INTERNAL_SERVER_ERROR
#: The kind of a refusal whose code stands in no table.
UNLISTED = "refused"
_THROTTLED = HTTPStatus.TOO_MANY_REQUESTS
_OVERLOADED = HTTPStatus.SERVICE_UNAVAILABLE
_AUTH = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
#: Kinds of a refusal that the merchandiser can mend begin with one of these.
_MERCH_KINDS = ("picture", "moderat", "sensitive")


def submit_outcome(
    reply: Reply, settings: HiDreamSettings, *, now_s: float, sent_bytes: int = 0
) -> SubmitOutcome:
    """Judges the reply to a submit.

    Args:
        reply: as it came; its status counts even when its body is broken.
        settings: for the tables of codes.
        now_s: epoch, for a Retry-After date in a reply without a Date.
        sent_bytes: size of the request body, told when it was too large.

    Returns:
        `Paused("token")` for a refused token: whoever holds an api-key renews it and sends again.
    """
    status = reply.status
    envelope = read_envelope(reply.body, reply.secret)
    by_code = _by_code(reply, envelope, settings, now_s)
    if _OK <= status < _REDIRECT:
        return _answered(reply, envelope, by_code)
    if _REDIRECT <= status < _CLIENT_ERROR and status != HTTPStatus.SEE_OTHER:
        where = "the submit address redirects, see hidream.base_url"
        return Paused(reason="module", message=_said(where, status, envelope))
    refused = _CLIENT_ERROR <= status < _SERVER_ERROR and status != HTTPStatus.REQUEST_TIMEOUT
    if not refused and status != _OVERLOADED:
        return Unknown(reason=f"HTTP {status}")
    if isinstance(by_code, Paused):
        return by_code
    if status in {_THROTTLED, _OVERLOADED}:
        return _busy(reply, envelope, now_s)
    return _turned_away(status, envelope, by_code, sent_bytes)


def poll_outcome(reply: Reply, settings: HiDreamSettings, *, now_s: float, expected: int = 1) -> PollOutcome:
    """Judges the reply to a results query; everything that does not tell of sub-tasks is transient.

    Args:
        reply: as it came.
        settings: for the codes that mean a bad token.
        now_s: epoch, for a Retry-After date in a reply without a Date.
        expected: sub-tasks the submit reply named.
    """
    envelope = read_envelope(reply.body, reply.secret)
    if reply.status != HTTPStatus.OK:
        return PollFailed(
            reason=_said("no result", reply.status, envelope),
            missing=reply.status == HTTPStatus.NOT_FOUND,
            retry_after_s=retry_after_s(reply, now_s),
            auth=reply.status in _AUTH,
        )
    if reply.fault or envelope is None:
        return PollFailed(reason=reply.fault or _not_json(reply.body))
    if envelope.code:
        reason = _said(f"code {envelope.code}", reply.status, envelope)
        return PollFailed(reason=reason, auth=settings.pause_codes.get(envelope.code) == "token")
    outcome = task_outcome(envelope, expected=expected, secret=reply.secret)
    return outcome or PollFailed(reason="a reply without sub-tasks")


def retry_after_s(reply: Reply, now_s: float) -> float | None:
    """Seconds to wait, 0 to 3,600, from a Retry-After of seconds or a date; None when there is none to read.

    A date counts from the reply's own Date where it has one, so that our clock may be wrong.
    """
    text = (reply.retry_after or "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        until = _epoch(text)
        if until is None:
            return None
        since = _epoch(reply.date or "")
        seconds = until - (now_s if since is None else since)
    return None if math.isnan(seconds) else min(MAX_RETRY_AFTER_S, max(0.0, seconds))


def _answered(reply: Reply, envelope: Envelope | None, by_code: SubmitOutcome | None) -> SubmitOutcome:
    """Judges a 2xx reply; only code 0 with a task_id is a success."""
    if reply.fault or envelope is None:
        return Unknown(reason=reply.fault or _not_json(reply.body))
    code = envelope.code
    task_id = identifier(envelope.result.get("task_id"))
    if code == 0 and task_id is not None:
        return Accepted(task_id=TaskId(task_id), sub_task_ids=_sub_task_ids(envelope))
    if code is None:
        return Unknown(reason="a reply without a code")
    if code == 0:
        return Unknown(reason="code 0 without a task_id")
    if task_id is not None:
        return Unknown(reason=f"code {code} and yet a task_id")
    return by_code or _refusal(UNLISTED, code, envelope)


def _sub_task_ids(envelope: Envelope) -> tuple[str, ...]:
    listed = envelope.result.get("sub_task_ids")
    names = map(identifier, listed) if isinstance(listed, list) else ()
    return tuple(name for name in names if name)


def _by_code(
    reply: Reply, envelope: Envelope | None, settings: HiDreamSettings, now_s: float
) -> Paused | Busy | Refused | None:
    """What the configured tables say of HiDream's code; None when it is in none of them."""
    if envelope is None or not envelope.code:
        return None
    code = envelope.code
    if code in settings.pause_codes:
        said = _said(f"code {code}", reply.status, envelope)
        return Paused(reason=settings.pause_codes[code], message=said)
    if code in settings.busy_codes:
        said = _said(f"code {code}", reply.status, envelope)
        return Busy(reason=said, retry_after_s=retry_after_s(reply, now_s))
    if code in settings.final_codes:
        return _refusal(settings.final_codes[code], code, envelope)
    return None


def _busy(reply: Reply, envelope: Envelope | None, now_s: float) -> Busy:
    throttled = reply.status == _THROTTLED
    said = _said("too many requests" if throttled else "overloaded", reply.status, envelope)
    return Busy(reason=said, retry_after_s=retry_after_s(reply, now_s), throttled=throttled)


def _turned_away(
    status: int, envelope: Envelope | None, by_code: Busy | Refused | None, sent_bytes: int
) -> Paused | Busy | Refused:
    """Judges a 4xx whose code does not pause the account."""
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return Paused(reason="token", message=_said("the token was refused", status, envelope))
        case HTTPStatus.PAYMENT_REQUIRED:
            return Paused(reason="credits", message=_said("payment required", status, envelope))
        case HTTPStatus.NOT_FOUND | HTTPStatus.METHOD_NOT_ALLOWED:
            return Paused(reason="module", message=_said("the submit address is not there", status, envelope))
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            said = f"HiDream finds the request of {sent_bytes:,} bytes too large"
            return _refusal("picture_too_large", status, envelope, said)
        case _:
            code = envelope.code if envelope is not None and envelope.code else status
            return by_code or _refusal(UNLISTED, code, envelope)


def _refusal(
    kind: str, code: int, envelope: Envelope | None, said: str = "HiDream refused the job"
) -> Refused:
    theirs = envelope.message if envelope else ""
    owner = Owner.MERCH if kind.startswith(_MERCH_KINDS) else Owner.OPS
    message = f"{said} ({code})" + (f": {theirs}" if theirs else "")
    # A code that stands in no table may have been about the account or the hour: it is worth another try.
    retryable = kind == UNLISTED
    return Refused(failure=Failure(kind=kind, code=code, message=message, retryable=retryable, owner=owner))


def _said(ours: str, status: int, envelope: Envelope | None) -> str:
    theirs = envelope.message if envelope else ""
    return f"{ours} (HTTP {status})" + (f": {theirs}" if theirs else "")


def _not_json(body: bytes) -> str:
    if not body.strip():
        return "an empty reply"
    return "HTML instead of JSON" if body.lstrip()[:1] == b"<" else "a reply that is no JSON object"


def _epoch(text: str) -> float | None:
    try:
        when = parsedate_to_datetime(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return (when - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
