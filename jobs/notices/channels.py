"""The ways a notice goes out. Each takes the same JSON and answers with an error's words or with nothing."""

import hashlib
import hmac
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from jobs.config.settings import NotifySettings
from jobs.errors import VtonError
from jobs.notices.notice import encoded

#: What a program of somebody's own has no business with.
_OURS = ("VTON_", "HIDREAM_")
#: Characters of a program's last words that are kept.
_WORDS = 300
#: Answers after which the same notice is posted again while there is time, and the wait before that, s.
_AGAIN, _WAIT_S = frozenset({429, 502, 503, 504}), 1.0


class NoticeError(VtonError):
    """A notice did not get through this way."""


class Channel(Protocol):
    """One way out."""

    @property
    def name(self) -> str:
        """What the log calls it."""

    def send(self, content: Mapping[str, Any]) -> None:
        """Sends one notice within the time there is. Raises NoticeError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program that reads the notice from its standard input; it is through when it ends with 0."""

    argv: tuple[str, ...]
    timeout_s: float
    name: str = "command"

    def send(self, content: Mapping[str, Any]) -> None:
        """Runs it, and ends it with all that it has started when its time is over."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        # Files, no pipes: nobody waits for a program that neither reads nor ends, nor for its children.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(encoded(content))
            given.seek(0)
            try:
                process = subprocess.Popen(
                    self.argv, stdin=given, stdout=said, stderr=said, env=env, start_new_session=True
                )
            except OSError as error:
                raise NoticeError(f"{self.argv[0]}: {error.strerror}") from None
            try:
                code = process.wait(self.timeout_s)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise NoticeError(f"{self.argv[0]}: not over after {self.timeout_s:g} s") from None
            if code:
                said.seek(0)
                words = said.read(65_536).decode("utf-8", "replace").strip()[-_WORDS:]
                raise NoticeError(f"{self.argv[0]}: ended with {code}: {words}")


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What proves that a notice is ours and when it was sent; docs/notices.md says how to check it."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that the notice is posted to; it is through with any answer of 200 to 299."""

    url: str
    secret: str
    timeout_s: float
    name: str = "webhook"

    def send(self, content: Mapping[str, Any]) -> None:
        """Posts it; again when the address is not reached or busy, as long as there is time."""
        # A command that sends nothing need not load it.
        import httpx  # noqa: PLC0415

        body, until = encoded(content), time.monotonic() + self.timeout_s
        while True:
            left = max(0.1, until - time.monotonic())
            try:
                status = self._post(httpx, body, content["id"], left)
            except httpx.HTTPError as error:
                # Its words may have the address in them.
                why = f"not reached ({type(error).__name__})"
            except (httpx.InvalidURL, ValueError):
                raise NoticeError("the address cannot be used") from None
            else:
                if status // 100 == 2:  # noqa: PLR2004 the success class of HTTP
                    return
                why = f"answered {status}"
                if status not in _AGAIN:
                    raise NoticeError(why)
            if until - time.monotonic() <= _WAIT_S:
                raise NoticeError(why)
            time.sleep(_WAIT_S)

    def _post(self, httpx: Any, body: bytes, notice_id: str, timeout_s: float) -> int:
        now = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "X-Vton-Notice": notice_id,
            "X-Vton-Timestamp": now,
            "X-Vton-Signature": signature(self.secret, now, body),
        }
        # Only the status counts: whatever else it answers is not read.
        with httpx.stream("POST", self.url, content=body, headers=headers, timeout=timeout_s) as answer:
            return int(answer.status_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Apprise:
    """Chats, mail, telephones: whatever Apprise has an address for."""

    urls: tuple[str, ...]
    name: str = "apprise"

    def send(self, content: Mapping[str, Any]) -> None:
        """Sends title and what to do to all of them; one that fails is a failure."""
        try:
            from apprise import Apprise as Sender  # noqa: PLC0415 an extra, and it takes long to load
        except ImportError:
            raise NoticeError("Apprise is not installed: pip install 'vton-batch[apprise]'") from None
        sender = Sender()
        if not all(sender.add(url) for url in self.urls):
            raise NoticeError("Apprise does not know one of the addresses")
        kind = {"info": "info", "warning": "warning", "critical": "failure"}[content["severity"]]
        if not sender.notify(body=content["text"], title=f"vton: {content['event']}", notify_type=kind):
            raise NoticeError("at least one address did not take it")


def channels_of(settings: NotifySettings) -> list[Channel]:
    """Every way that is set; empty when notices are off."""
    found: list[Channel] = []
    if settings.command:
        found.append(Command(argv=settings.command, timeout_s=settings.timeout_s))
    if url := settings.webhook.get_secret_value():
        secret = settings.secret.get_secret_value()
        found.append(Webhook(url=url, secret=secret, timeout_s=settings.timeout_s))
    if urls := settings.apprise.get_secret_value().split():
        found.append(Apprise(urls=tuple(urls)))
    return found
