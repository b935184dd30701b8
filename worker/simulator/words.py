"""The vocabulary of a fault file: which fault exists at which place, with which parameters and defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Value = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One fault."""

    #: What the client sees, a phrase.
    what: str
    #: Parameter → default. The default's type is the parameter's; a float takes an int too.
    params: Mapping[str, Value] = field(default_factory=dict)


#: What `retry_after` may say instead of seconds.
RETRY_WORDS = frozenset({"date", "absurd", "missing"})
#: What `shape` may say.
SHAPE_WORDS = frozenset({"envelope", "bare", "main", "main-result"})
#: What an HTTP `status` may be; below 200 is no whole reply.
HTTP_STATUSES = range(200, 600)
#: What `nothing` may end with.
NOTHING_STATUSES = range(1004, 1007)


def _word(what: str, **params: Value) -> Word:
    return Word(what=what, params=params)


_CODE = _word("HTTP 200 with `code`", code=5000, message="Internal error")
_THROTTLE = _word(
    "HTTP 429; `retry_after` is seconds, `date` (now + `seconds`), `absurd` or `missing`",
    retry_after=2.0,
    seconds=2.0,
)
_HANG = _word("no reply for `seconds`", seconds=3600.0)
_SERVED = _word("an HTTP status with a JSON body", status=503)
_PAGE = _word("an HTML page with HTTP 200")
_RESET = _word("the connection is reset instead of a reply")
_REFUSED = _word("HTTP 401 (or `status`) although the token is good", status=401)

SUBMIT = {
    "reset-before": _word("connection reset, no task made"),
    "reset-after": _word("connection reset, task made and charged"),
    "hang-before": _word("no reply for `seconds`, no task made", seconds=3600.0),
    "hang-after": _word("no reply for `seconds`, task made and charged", seconds=3600.0),
    "status-before": _word("an HTTP status, no task made", status=500),
    "status-after": _word("an HTTP status, task made and charged", status=502),
    "429": _THROTTLE,
    "html": _word("an HTML page with HTTP `status`", status=200, created=True),
    "truncated": _word("half of the reply, then the connection closes", created=True),
    "empty": _word("HTTP 200 with an empty body", created=True),
    "huge": _word("HTTP 200 with `bytes` of body", bytes=100_000_000, created=True),
    "slow-loris": _word("the reply, one byte every `every_s`", every_s=0.5, created=True),
    "no-result": _word("`code` 0 without `result`, task made and charged"),
    "code": _word("HTTP 200 with `code`, no task made", code=5000, message="Internal error"),
    "unauthorized": _REFUSED,
    "credits-exhausted": _word("the balance falls to 0: code 2007 until `POST /_sim/credits`"),
    "same-task-id": _word("a task is made, the reply carries the ids of the one before it"),
}

TASK = {
    "failed": _word(
        "ends with status 3 and `message`", message="Server congestion. Please try again shortly"
    ),
    "moderated": _word("ends with status 4", message="Sensitive content"),
    "nothing": _word("ends with `status` 1004, 1005 or 1006", status=1004),
    "stuck": _word(
        "status 2 for ever; its slot is freed and its charge refunded after `seconds`", seconds=1800.0
    ),
    "empty-image": _word("status 1 with an empty `image` for the first `polls` polls", polls=2),
    "backwards": _word("every second poll says status 0 again, after the end too"),
    "odd": _word(
        'says `status`: -5..-1 while it works (then it ends well), "1" as text, any other as its end',
        status=-1,
    ),
    "slow": _word("takes `factor` times as long", factor=10.0),
    "partial": _word("`pictures` sub-tasks, the last `failed` of which fail", pictures=2, failed=1),
    "bare-ids": _word("`image` is `p_<id>` without address and extension"),
    "png": _word("the picture is a PNG"),
}

POLL = {
    "timeout": _HANG,
    "404": _word("HTTP 404: unknown task"),
    "status": _SERVED,
    "429": _THROTTLE,
    "unauthorized": _REFUSED,
    "code": _CODE,
    "html": _PAGE,
    "empty": _word("HTTP 200 with an empty body"),
    "truncated": _word("half of the reply, then the connection closes"),
    "huge": _word("HTTP 200 with `bytes` of body", bytes=100_000_000),
    "slow-loris": _word("the reply, one byte every `every_s`", every_s=0.5),
    "string-status": _word("`task_status` is a string"),
    "reset": _RESET,
}

CALLBACK = {
    "never": _word("not sent"),
    "twice": _word("sent again after it was accepted"),
    "early": _word("the task ends at once and the callback comes before the submit reply"),
    "late": _word("sent `seconds` after the end", seconds=30.0),
    "forged": _word("first to an address with its last letter changed; `only`: nowhere else", only=False),
    "out-of-order": _word("held until the next callback is out, `seconds` at most", seconds=10.0),
    "shape": _word("`shape`: envelope, bare, main or main-result", shape="bare"),
    "huge": _word("a body of `bytes`", bytes=10_000_000),
}

DOWNLOAD = {
    "403": _word("HTTP 403"),
    "404": _word("HTTP 404"),
    "status": _SERVED,
    "truncated": _word("half of the picture, then the connection closes"),
    "half": _word("half of the picture with a matching Content-Length"),
    "zero": _word("HTTP 200 with zero bytes"),
    "html": _PAGE,
    "corrupt": _word("begins like the picture, cannot be decoded"),
    "drip": _word("one byte every `every_s`", every_s=0.5),
    "gzip-bomb": _word("Content-Encoding: gzip; inflates to `bytes`", bytes=67_000_000),
    "huge": _word("`bytes` that begin like a picture", bytes=1_000_000_000),
    "redirect": _word("HTTP 302 to `location`", location="http://10.0.0.1/picture.jpg"),
    "hang": _HANG,
    "reset": _RESET,
}

TOKEN = {
    "status": _SERVED,
    "unauthorized": _word("HTTP 401 although the key is good", status=401),
    "code": _CODE,
    "html": _PAGE,
    "hang": _HANG,
    "reset": _RESET,
    "short": _word("a token that expires after `seconds`", seconds=5.0),
    "expired": _word("a token that has expired already"),
}

#: Place → fault → what it is.
PLACES: Mapping[str, Mapping[str, Word]] = {
    "submit": SUBMIT,
    "task": TASK,
    "poll": POLL,
    "callback": CALLBACK,
    "download": DOWNLOAD,
    "token": TOKEN,
}
