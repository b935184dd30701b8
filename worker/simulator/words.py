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

_CODE: Mapping[str, Value] = {"code": 5000, "message": "Internal error"}
_THROTTLE = Word(
    what="HTTP 429; `retry_after` is seconds, `date` (now + `seconds`), `absurd` or `missing`",
    params={"retry_after": 2.0, "seconds": 2.0},
)
_HANG: Mapping[str, Value] = {"seconds": 3600.0}
_MADE: Mapping[str, Value] = {"created": True}
_SERVED = Word(what="an HTTP status with a JSON body", params={"status": 503})
_PAGE = Word(what="an HTML page with HTTP 200")
_RESET = Word(what="the connection is reset instead of a reply")

SUBMIT = {
    "reset-before": Word(what="connection reset, no task made"),
    "reset-after": Word(what="connection reset, task made and charged"),
    "hang-before": Word(what="no reply for `seconds`, no task made", params=_HANG),
    "hang-after": Word(what="no reply for `seconds`, task made and charged", params=_HANG),
    "status-before": Word(what="an HTTP status, no task made", params={"status": 500}),
    "status-after": Word(what="an HTTP status, task made and charged", params={"status": 502}),
    "429": _THROTTLE,
    "html": Word(what="an HTML page with HTTP `status`", params={"status": 200, **_MADE}),
    "truncated": Word(what="half of the reply, then the connection closes", params=_MADE),
    "empty": Word(what="HTTP 200 with an empty body", params=_MADE),
    "huge": Word(what="HTTP 200 with `bytes` of body", params={"bytes": 100_000_000, **_MADE}),
    "slow-loris": Word(what="the reply, one byte every `every_s`", params={"every_s": 0.5, **_MADE}),
    "no-result": Word(what="`code` 0 without `result`, task made and charged"),
    "code": Word(what="HTTP 200 with `code`, no task made", params=_CODE),
    "unauthorized": Word(what="HTTP 401 (or `status`) although the token is good", params={"status": 401}),
    "credits-exhausted": Word(what="the balance falls to 0: code 2007 until `POST /_sim/credits`"),
    "same-task-id": Word(what="a task is made, the reply carries the ids of the one before it"),
}

TASK = {
    "failed": Word(
        what="ends with status 3 and `message`",
        params={"message": "Server congestion. Please try again shortly"},
    ),
    "moderated": Word(what="ends with status 4", params={"message": "Sensitive content"}),
    "nothing": Word(what="ends with `status` 1004, 1005 or 1006", params={"status": 1004}),
    "stuck": Word(
        what="status 2 for ever; its slot is freed and its charge refunded after `seconds`",
        params={"seconds": 1800.0},
    ),
    "empty-image": Word(
        what="status 1 with an empty `image` for the first `polls` polls", params={"polls": 2}
    ),
    "backwards": Word(what="every second poll says status 0 again, after the end too"),
    "odd": Word(
        what='says `status`: -5..-1 while it works (then it ends well), "1" as text, any other as its end',
        params={"status": -1},
    ),
    "slow": Word(what="takes `factor` times as long", params={"factor": 10.0}),
    "partial": Word(
        what="`pictures` sub-tasks, the last `failed` of which fail", params={"pictures": 2, "failed": 1}
    ),
    "bare-ids": Word(what="`image` is `p_<id>` without address and extension"),
    "png": Word(what="the picture is a PNG"),
}

POLL = {
    "timeout": Word(what="no reply for `seconds`", params=_HANG),
    "404": Word(what="HTTP 404: unknown task"),
    "status": _SERVED,
    "429": _THROTTLE,
    "unauthorized": SUBMIT["unauthorized"],
    "code": Word(what="HTTP 200 with `code`", params=_CODE),
    "html": _PAGE,
    "empty": Word(what="HTTP 200 with an empty body"),
    "truncated": Word(what="half of the reply, then the connection closes"),
    "huge": Word(what="HTTP 200 with `bytes` of body", params={"bytes": 100_000_000}),
    "slow-loris": Word(what="the reply, one byte every `every_s`", params={"every_s": 0.5}),
    "string-status": Word(what="`task_status` is a string"),
    "reset": _RESET,
}

CALLBACK = {
    "never": Word(what="not sent"),
    "twice": Word(what="sent again after it was accepted"),
    "early": Word(what="the task ends at once and the callback comes before the submit reply"),
    "late": Word(what="sent `seconds` after the end", params={"seconds": 30.0}),
    "forged": Word(
        what="first to an address with its last letter changed; `only`: nowhere else", params={"only": False}
    ),
    "out-of-order": Word(
        what="held until the next callback is out, `seconds` at most", params={"seconds": 10.0}
    ),
    "shape": Word(what="`shape`: envelope, bare, main or main-result", params={"shape": "bare"}),
    "huge": Word(what="a body of `bytes`", params={"bytes": 10_000_000}),
}

DOWNLOAD = {
    "403": Word(what="HTTP 403"),
    "404": Word(what="HTTP 404"),
    "status": _SERVED,
    "truncated": Word(what="half of the picture, then the connection closes"),
    "half": Word(what="half of the picture with a matching Content-Length"),
    "zero": Word(what="HTTP 200 with zero bytes"),
    "html": _PAGE,
    "corrupt": Word(what="begins like the picture, cannot be decoded"),
    "drip": Word(what="one byte every `every_s`", params={"every_s": 0.5}),
    "gzip-bomb": Word(what="Content-Encoding: gzip; inflates to `bytes`", params={"bytes": 67_000_000}),
    "huge": Word(what="`bytes` that begin like a picture", params={"bytes": 1_000_000_000}),
    "redirect": Word(what="HTTP 302 to `location`", params={"location": "http://10.0.0.1/picture.jpg"}),
    "hang": Word(what="no reply for `seconds`", params=_HANG),
    "reset": _RESET,
}

TOKEN = {
    "status": _SERVED,
    "unauthorized": Word(what="HTTP 401 although the key is good", params={"status": 401}),
    "code": Word(what="HTTP 200 with `code`", params=_CODE),
    "html": _PAGE,
    "hang": Word(what="no reply for `seconds`", params=_HANG),
    "reset": _RESET,
    "short": Word(what="a token that expires after `seconds`", params={"seconds": 5.0}),
    "expired": Word(what="a token that has expired already"),
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
