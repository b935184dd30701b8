"""The token: given, or exchanged for an api-key and renewed before it ends, one renewal at a time."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from pydantic import SecretStr

from jobs.config.settings import Credentials
from jobs.errors import ConfigError
from jobs.logging.redaction import redact

log = structlog.get_logger()

#: Seconds for which a failed exchange is not tried again: a hundred waiting jobs ask once.
RETRY_PAUSE_S = 5.0


class TokenUnavailableError(ConfigError):
    """There is no token to send. `final`: only a person can fix it; else it may come back by itself."""

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token with its times."""

    value: SecretStr
    #: Epoch seconds from which a new one is fetched while this one still works.
    renew_at: float
    #: Epoch seconds from which it is not sent any more.
    expires_at: float


class TokenSource:
    """Gives the token to send; usable from any thread, and from asyncio by the `a` names."""

    def __init__(
        self,
        *,
        credentials: Credentials,
        exchange: Callable[[SecretStr], Token],
        read: Callable[[], Credentials] | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """Takes what the account is entered with.

        Args:
            credentials: a token wins over an api-key.
            exchange: api-key → token, raises `TokenUnavailableError`; see `worker.hidream.token_exchange`.
            read: reads the credentials anew when HiDream refuses them: their files may have been changed.
            now_s: epoch seconds.
        """
        self._api_key = None if credentials.token else credentials.api_key
        self._exchange = exchange
        self._read = read or (lambda: credentials)
        self._now_s = now_s
        self._lock = threading.Lock()
        self._failed: tuple[float, TokenUnavailableError] | None = None
        self._token: Token | None = None
        if credentials.token:
            self._token = _given(credentials.token)

    def token(self) -> SecretStr:
        """The token to send now; the old one goes on while another thread fetches the new one.

        Raises:
            TokenUnavailableError: there is none, and none is to be had.
        """
        token = self._token
        if token is None or self._now_s() >= token.renew_at:
            token = self._renewed(token)
        return _sendable(token.value)

    def renew(self, refused: SecretStr) -> SecretStr:
        """The token to send after HiDream refused `refused`; one that came meanwhile is taken as it is.

        Raises:
            TokenUnavailableError: a given token was refused (final), or the exchange failed.
        """
        if self._token is not None and self._token.value != refused:
            return self.token()
        with self._lock:
            if self._api_key is None:
                return _sendable(self._reread(refused).value)
            return _sendable(self._replace(refused).value)

    async def atoken(self) -> SecretStr:
        """`token` without ever blocking the loop."""
        token = self._token
        if token is not None and self._now_s() < token.renew_at:
            return _sendable(token.value)
        return await asyncio.to_thread(self.token)

    async def arenew(self, refused: SecretStr) -> SecretStr:
        """`renew` without ever blocking the loop."""
        return await asyncio.to_thread(self.renew, refused)

    def _renewed(self, token: Token | None) -> Token:
        usable = token is not None and self._now_s() < token.expires_at
        if not self._lock.acquire(blocking=not usable):
            assert token is not None  # it is usable
            return token
        try:
            return self._replace(token.value if token else None)
        except TokenUnavailableError:
            # Renewed early so that a failing exchange has minutes to come back before it hurts.
            if token is not None and usable:
                return token
            raise
        finally:
            self._lock.release()

    def _replace(self, old: SecretStr | None) -> Token:
        """Puts another token in `old`'s place; the caller holds the lock."""
        if self._token is not None and self._token.value != old:
            return self._token
        if self._api_key is None:
            raise TokenUnavailableError("neither HIDREAM_TOKEN nor HIDREAM_API_KEY is set", final=True)
        if self._failed is not None and self._now_s() < self._failed[0]:
            raise TokenUnavailableError(self._failed[1].reason, final=self._failed[1].final)
        self._token = self._fresh(self._api_key)
        self._failed = None
        return self._token

    def _reread(self, refused: SecretStr) -> Token:
        """The token that the file holds by now; the caller holds the lock."""
        if self._token is not None and self._token.value != refused:
            return self._token
        given = self._credentials().token
        if given is None or given == refused:
            raise TokenUnavailableError("HiDream refuses the token in HIDREAM_TOKEN", final=True)
        self._token = _given(given)
        log.info("token.renewed", how="read again from its file")
        return self._token

    def _credentials(self) -> Credentials:
        try:
            return self._read()
        except ConfigError as error:
            raise TokenUnavailableError(str(error), final=True) from None

    def _fresh(self, api_key: SecretStr) -> Token:
        try:
            token = self._exchange(api_key)
        except TokenUnavailableError as error:
            if error.final and (given := self._credentials().api_key) is not None and given != api_key:
                self._api_key = given
                return self._fresh(given)
            self._failed = (self._now_s() + RETRY_PAUSE_S, error)
            log.error("token.failed", why=error.reason, final=error.final)  # noqa: TRY400 its reason says it
            raise
        log.info("token.renewed", renew_in_s=round(token.renew_at - self._now_s()))
        return token


def _given(value: SecretStr) -> Token:
    endless = float("inf")
    return Token(value=value, renew_at=endless, expires_at=endless)


def _sendable(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text and text.isascii() and text.isprintable() and " " not in text:
        redact(text)
        return value
    raise TokenUnavailableError("the token is empty or has characters no header can carry", final=True)
