"""What each fault makes of a good reply; one table for every place."""

import dataclasses
import time
from collections.abc import Callable

from worker.simulator.faults import Strike
from worker.simulator.replies import (
    bomb_reply,
    drip_reply,
    hang_reply,
    html_reply,
    huge_reply,
    json_reply,
    reset_reply,
    status_reply,
    throttle_reply,
    truncated_reply,
)
from worker.simulator.wire import Reply

_Maker = Callable[[Strike, Reply], Reply]

#: Length of the longest of the magic numbers of JPEG and PNG.
_MAGIC = 8


def broken(strike: Strike | None, good: Reply) -> Reply:
    """The reply that the caller gets; a fault that does not concern the reply leaves it as it is."""
    maker = _MAKERS.get(strike.do) if strike is not None else None
    return good if strike is None or maker is None else maker(strike, good)


def corrupt(picture: bytes) -> bytes:
    """The picture with all after its magic number inverted: it begins right, and no decoder takes it."""
    return picture[:_MAGIC] + bytes(255 - byte for byte in picture[_MAGIC:])


def _hang(strike: Strike, _: Reply) -> Reply:
    return hang_reply(strike.number("seconds"))


def _reset(_: Strike, __: Reply) -> Reply:
    return reset_reply()


def _status(strike: Strike, _: Reply) -> Reply:
    return status_reply(strike.count("status"))


def _missing(strike: Strike, _: Reply) -> Reply:
    return status_reply(int(strike.do))


def _empty(_: Strike, good: Reply) -> Reply:
    return Reply(media_type=good.media_type)


def _drip(strike: Strike, good: Reply) -> Reply:
    return drip_reply(good, every_s=strike.number("every_s"))


_MAKERS: dict[str, _Maker] = {
    **dict.fromkeys(("reset", "reset-before", "reset-after"), _reset),
    **dict.fromkeys(("hang", "hang-before", "hang-after", "timeout"), _hang),
    **dict.fromkeys(("status", "status-before", "status-after", "unauthorized"), _status),
    **dict.fromkeys(("403", "404"), _missing),
    **dict.fromkeys(("empty", "zero"), _empty),
    **dict.fromkeys(("slow-loris", "drip"), _drip),
    "429": lambda strike, _: throttle_reply(strike, now_s=time.time()),
    "code": lambda strike, _: json_reply({"code": strike.count("code"), "message": strike.text("message")}),
    "no-result": lambda _, __: json_reply({"code": 0, "message": "Success"}),
    "html": lambda strike, _: html_reply(int(strike.params.get("status", 200))),
    "truncated": lambda _, good: truncated_reply(good),
    "half": lambda _, good: dataclasses.replace(good, body=good.body[: len(good.body) // 2]),
    "huge": lambda strike, good: huge_reply(good, strike.count("bytes")),
    "corrupt": lambda _, good: dataclasses.replace(good, body=corrupt(good.body)),
    "gzip-bomb": lambda strike, good: bomb_reply(strike.count("bytes"), media_type=good.media_type),
    "redirect": lambda strike, _: Reply(status=302, headers={"location": strike.text("location")}),
}
