"""What each fault makes of a good reply; one table for every place."""

import time
from collections.abc import Callable

from starlette.responses import RedirectResponse, Response

from worker.simulator.faults import Strike
from worker.simulator.replies import (
    Hang,
    Reset,
    Truncated,
    bomb_reply,
    drip_reply,
    html_reply,
    huge_reply,
    json_reply,
    status_reply,
    throttle_reply,
)
from worker.simulator.wires import Wires

_Maker = Callable[[Strike, Wires, Response], Response]

#: Length of the longest of the magic numbers of JPEG and PNG.
_MAGIC = 8


def broken(strike: Strike, wires: Wires, good: Response) -> Response:
    """The reply that the caller gets; a fault that does not concern the reply leaves it as it is."""
    maker = _MAKERS.get(strike.do)
    return good if maker is None else maker(strike, wires, good)


def corrupt(picture: bytes) -> bytes:
    """The picture with all after its magic number inverted: it begins right, and no decoder takes it."""
    return picture[:_MAGIC] + bytes(255 - byte for byte in picture[_MAGIC:])


def _reset(_: Strike, wires: Wires, __: Response) -> Response:
    return Reset(wires)


def _hang(strike: Strike, wires: Wires, _: Response) -> Response:
    return Hang(wires, strike.number("seconds"))


def _status(strike: Strike, _: Wires, __: Response) -> Response:
    return status_reply(strike.count("status"))


def _missing(strike: Strike, _: Wires, __: Response) -> Response:
    return status_reply(int(strike.do))


def _throttle(strike: Strike, _: Wires, __: Response) -> Response:
    return throttle_reply(strike, now_s=time.time())


def _code(strike: Strike, _: Wires, __: Response) -> Response:
    return json_reply({"code": strike.count("code"), "message": strike.text("message")})


def _no_result(_: Strike, __: Wires, ___: Response) -> Response:
    return json_reply({"code": 0, "message": "Success"})


def _html(strike: Strike, _: Wires, __: Response) -> Response:
    return html_reply(int(strike.params.get("status", 200)))


def _empty(_: Strike, __: Wires, good: Response) -> Response:
    return Response(b"", media_type=good.media_type)


def _truncated(_: Strike, wires: Wires, good: Response) -> Response:
    return Truncated(wires, good)


def _half(_: Strike, __: Wires, good: Response) -> Response:
    return Response(bytes(good.body)[: len(good.body) // 2], media_type=good.media_type)


def _huge(strike: Strike, _: Wires, good: Response) -> Response:
    return huge_reply(strike.count("bytes"), start=bytes(good.body), media_type=good.media_type)


def _drip(strike: Strike, _: Wires, good: Response) -> Response:
    return drip_reply(good, every_s=strike.number("every_s"))


def _corrupt(_: Strike, __: Wires, good: Response) -> Response:
    return Response(corrupt(bytes(good.body)), media_type=good.media_type)


def _bomb(strike: Strike, _: Wires, good: Response) -> Response:
    return bomb_reply(strike.count("bytes"), media_type=good.media_type)


def _redirect(strike: Strike, _: Wires, __: Response) -> Response:
    return RedirectResponse(strike.text("location"), 302)


_MAKERS: dict[str, _Maker] = {
    "reset": _reset,
    "reset-before": _reset,
    "reset-after": _reset,
    "hang": _hang,
    "hang-before": _hang,
    "hang-after": _hang,
    "timeout": _hang,
    "status": _status,
    "status-before": _status,
    "status-after": _status,
    "unauthorized": _status,
    "403": _missing,
    "404": _missing,
    "429": _throttle,
    "code": _code,
    "no-result": _no_result,
    "html": _html,
    "empty": _empty,
    "zero": _empty,
    "truncated": _truncated,
    "half": _half,
    "huge": _huge,
    "slow-loris": _drip,
    "drip": _drip,
    "corrupt": _corrupt,
    "gzip-bomb": _bomb,
    "redirect": _redirect,
}
