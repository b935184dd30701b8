"""Judges a reply by HiDream's error table: what was bought, what was not, and what nobody can know."""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from jobs.config.settings import HiDreamSettings
from jobs.records import Failure, Owner, PauseReason, TaskId
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
#: What a status says of the account in HiDream's own envelope, when its code is in no table.
_PAUSING: dict[int, tuple[PauseReason, str]] = {
    HTTPStatus.PAYMENT_REQUIRED: ("credits", "payment required"),
    HTTPStatus.FORBIDDEN: ("token", "the token was refused"),
    HTTPStatus.NOT_FOUND: ("vendor", "the submit address is not there"),
    HTTPStatus.METHOD_NOT_ALLOWED: ("vendor", "the submit address is not there"),
}
#: Kinds of a refusal that the merchandiser can fix begin with one of these.
_MERCH_KINDS = ("picture", "moderat", "sensitive")


def submit_outcome(
    reply: Reply,
    settings: HiDreamSettings,
    *,
    now_s: float,
    request_id: str = "",
    sent_bytes: int = 0,
    whole: bool = True,
) -> SubmitOutcome:
    """Judges the reply to a submit, by the money rule of docs/architecture.md.

    Args:
        reply: as it came; its status counts even when its body is broken.
        settings: for the tables of codes and the statuses that are known to be safe.
        now_s: epoch, for a Retry-After date in a reply without a Date.
        request_id: the job's; a reply that tells another one is not about this job.
        sent_bytes: size of the request body, said when it was too large.
        whole: False when the reply came before the body was out: then nothing was bought, and an `Unknown` is none.

    Returns:
        `Paused("token")` for a refused token: whoever holds an api-key renews it and sends again.
    """
    envelope = read_envelope(reply.body, reply.secret)
    tasks = envelope.tasks if envelope is not None else ()
    if envelope is not None and _tells_another(envelope.content.get("request_id"), request_id):
        named = tasks[0] if tasks else "none"
        return Unknown(reason=f"a reply to another request, its task: {named}", mixed=True)
    if envelope is not None and any(tasks):
        # Whatever else it says: who names a task has taken the job.
        task_id = TaskId(next(filter(None, tasks)))
        return Accepted(task_id=task_id, sub_task_ids=_sub_task_ids(envelope))
    if tasks:
        return Unknown(reason="a reply that names a task by something that is no id")
    if by_code := _by_code(reply, envelope, settings, now_s):
        return by_code
    safe = reply.status in settings.safe_statuses
    if reply.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and (_own(envelope) or safe or not whole):
        said = f"HiDream finds the request of {sent_bytes:,} bytes too large"
        return _refusal("picture_too_large", reply.status, envelope, said)
    return _by_status(reply, envelope, now_s, safe=safe) or _unknown(reply, envelope, now_s)


def _tells_another(told: object, ours: str) -> bool:
    name = identifier(told) if told else None
    return bool(ours and name) and str(name).casefold() != ours.casefold()


def poll_outcome(
    reply: Reply, settings: HiDreamSettings, *, now_s: float, task_id: str = "", expected: int = 1
) -> PollOutcome:
    """Judges the reply to a results query; everything that does not tell of sub-tasks is transient.

    Args:
        reply: as it came.
        settings: for the codes that mean a bad token.
        now_s: epoch, for a Retry-After date in a reply without a Date.
        task_id: asked for; a reply that names another one is not believed.
        expected: sub-tasks the submit reply named.
    """
    envelope = read_envelope(reply.body, reply.secret)
    tasks = envelope.tasks if envelope is not None else ()
    if tasks and all(_tells_another(told, task_id) for told in tasks):
        return PollFailed(reason=f"a reply about another task ({tasks[0]})", mixed=True)
    if reply.status != HTTPStatus.OK:
        return PollFailed(
            reason=_said("no result", reply.status, envelope),
            missing=reply.status == HTTPStatus.NOT_FOUND,
            retry_after_s=retry_after_s(reply, now_s),
            auth=_token_refused(reply, envelope),
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


def _own(envelope: Envelope | None) -> bool:
    """HiDream's own way to say no: a JSON object whose code is a whole number that is not 0."""
    return bool(envelope and envelope.code)


def _by_status(reply: Reply, envelope: Envelope | None, now_s: float, *, safe: bool) -> SubmitOutcome | None:
    """What proves that nothing was bought although no table knows a code; None when nothing does."""
    status = reply.status
    wait_s = retry_after_s(reply, now_s)
    if status == HTTPStatus.UNAUTHORIZED:
        return Paused(reason="token", message=_said("the token was refused", status, envelope))
    if status == HTTPStatus.TOO_MANY_REQUESTS and (_own(envelope) or wait_s is not None):
        said = _said("too many requests", status, envelope)
        return Busy(reason=said, retry_after_s=wait_s, throttled=True)
    if safe:
        return Busy(reason=_said("overloaded", status, envelope), retry_after_s=wait_s)
    return _own_refusal(status, envelope) if _own(envelope) else None


def _own_refusal(status: int, envelope: Envelope | None) -> Paused | Refused | None:
    """HiDream's own no, whose code is in no table; None where a gateway or a time-out could have said it as well."""
    if status in _PAUSING:
        reason, said = _PAUSING[status]
        return Paused(reason=reason, message=_said(said, status, envelope))
    documented = _OK <= status < _REDIRECT or _CLIENT_ERROR <= status < _SERVER_ERROR
    if not documented or status == HTTPStatus.REQUEST_TIMEOUT:
        return None
    return _refusal(UNLISTED, envelope.code if envelope and envelope.code else status, envelope)


def _unknown(reply: Reply, envelope: Envelope | None, now_s: float) -> Unknown:
    """Nothing in the reply proves anything."""
    if _OK <= reply.status < _REDIRECT:
        if reply.fault or envelope is None:
            return Unknown(reason=reply.fault or _not_json(reply.body))
        return Unknown(
            reason="a reply without a code" if envelope.code is None else "code 0 without a task_id"
        )
    return Unknown(
        reason=_said("no proof that nothing was bought", reply.status, envelope),
        # Too large is said of this body, by a gateway too.
        bare=not _own(envelope) and reply.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        throttled=reply.status == HTTPStatus.TOO_MANY_REQUESTS,
        retry_after_s=retry_after_s(reply, now_s),
    )


def _token_refused(reply: Reply, envelope: Envelope | None) -> bool:
    """401, or 403 in HiDream's own words: a gateway says 403 too, and for reasons of its own."""
    forbidden = reply.status == HTTPStatus.FORBIDDEN and _own(envelope)
    return reply.status == HTTPStatus.UNAUTHORIZED or forbidden


def _sub_task_ids(envelope: Envelope) -> tuple[str, ...]:
    listed = envelope.result.get("sub_task_ids")
    names = map(identifier, listed) if isinstance(listed, list) else ()
    return tuple(name for name in names if name)


def _by_code(
    reply: Reply, envelope: Envelope | None, settings: HiDreamSettings, now_s: float
) -> Paused | Busy | Refused | None:
    """What the configured tables say of HiDream's code; None when it is in none of them."""
    code = envelope.code if envelope is not None else None
    if not code:
        return None
    if code in settings.pause_codes:
        said = _said(f"code {code}", reply.status, envelope)
        return Paused(reason=settings.pause_codes[code], message=said)
    if code in settings.busy_codes:
        said = _said(f"code {code}", reply.status, envelope)
        return Busy(reason=said, retry_after_s=retry_after_s(reply, now_s))
    if code in settings.final_codes:
        return _refusal(settings.final_codes[code], code, envelope)
    return None


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
