"""Sends notices: each once, whichever process of whichever host comes first. A notice that fails is a line in the log."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import Thread
from typing import Any
from uuid import uuid4

import structlog

from jobs.config.settings import NotifySettings
from jobs.errors import RedisDownError
from jobs.ledger import Ledger
from jobs.notices.batches import is_simulated
from jobs.notices.channels import Channel, NoticeError, channels_of
from jobs.notices.notice import Notice
from jobs.redis.client import translated

log = structlog.get_logger()

#: When a notice that nobody took is tried again while its cause lasts, s.
AGAIN_S = 300
#: Beyond a way's own time: whatever hangs in it is left behind then, s.
_GRACE_S = 2.0

# KEYS: the notice; ARGV: the sender's token, how long to keep quiet in s. Whoever sees the cause keeps all quiet for longer,
# unless nobody took the notice. Asked again because its reply was lost, it finds its own token.
_CLAIM = """
local holder = redis.call('GET', KEYS[1])
if not holder or holder == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
  return 1
end
if holder ~= 'failed' then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
_FAILED = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], 'failed', 'EX', ARGV[2]) end return 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of a notice on one way."""

    channel: str
    #: Why it failed; empty: it is through.
    why: str = ""


class Notices:
    """The ways of one process, and the ledger in which the processes agree who sends."""

    def __init__(self, ledger: Ledger, settings: NotifySettings) -> None:
        self._ledger = ledger
        self._channels = channels_of(settings)
        self._timeout_s = settings.timeout_s + _GRACE_S

    @property
    def on(self) -> bool:
        """Whether there is any way."""
        return bool(self._channels)

    def send(self, notice: Notice) -> bool:
        """Sends it unless another process has, or will; False then, or when nobody took it. Raises nothing."""
        if not self.on:
            return False
        try:
            return self._send(notice)
        except Exception:
            # Whatever it was: the work goes on.
            log.exception("notice.failed", notice=notice.event, batch=notice.batch)
            return False

    def _send(self, notice: Notice) -> bool:
        token, key = uuid4().hex, self._ledger.key("notice", notice.key(self._ledger.prefix))
        try:
            if not self._ask(_CLAIM, key, token, notice.quiet_s):
                return False
        except RedisDownError as error:
            # Rather twice than never.
            log.warning("redis.waiting", why=str(error))
        through = any(not sent.why for sent in self.deliver(notice))
        if not through:
            try:
                self._ask(_FAILED, key, token, AGAIN_S)
            except RedisDownError as error:
                log.warning("redis.waiting", why=str(error))
        return through

    def deliver(self, notice: Notice) -> list[Sent]:
        """Sends it every way at once, whoever has sent it before; says what became of each within the time."""
        if is_simulated(self._ledger.prefix):
            notice = replace(notice, title=f"[simulated] {notice.title}")
        content = notice.content(self._ledger.prefix)
        begun = [(channel, _begin(channel, content)) for channel in self._channels]
        return [self._ended(channel.name, answer, notice) for channel, answer in begun]

    def _ended(self, channel: str, answer: "Future[str]", notice: Notice) -> Sent:
        try:
            why = answer.result(self._timeout_s)
        except TimeoutError:
            why = f"not over after {self._timeout_s:g} s"
        if why:
            log.warning("notice.failed", notice=notice.event, batch=notice.batch, channel=channel, why=why)
        else:
            log.info("notice.sent", notice=notice.event, batch=notice.batch, channel=channel)
        return Sent(channel=channel, why=why)

    def _ask(self, text: str, key: str, token: str, seconds: int) -> bool:
        client: Any = self._ledger.client
        with translated():
            return bool(client.eval(text, 1, key, token, seconds))


def _begin(channel: Channel, content: Mapping[str, Any]) -> "Future[str]":
    """One way in a thread of its own, which no end of a process waits for; answers with why it failed."""
    answer: Future[str] = Future()

    def main() -> None:
        try:
            channel.send(content)
        except NoticeError as error:
            answer.set_result(str(error))
        except Exception as error:  # noqa: BLE001 a library's own: it is said, and nobody else's trouble
            answer.set_result(type(error).__name__)
        else:
            answer.set_result("")

    Thread(target=main, name=f"notice-{channel.name}", daemon=True).start()
    return answer
