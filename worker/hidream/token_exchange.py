"""Exchanges an api-key for a token at HiDream's door for it."""

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from pydantic import SecretStr

from jobs.config.settings import HiDreamSettings
from jobs.logging.redaction import redact
from worker.hidream.session import NoAnswerError, Session
from worker.hidream.tokens import Token, TokenUnavailableError
from worker.hidream.wire import Reply, read_envelope

#: Seconds a token is trusted when its expire_time cannot be read, and at least, since clocks differ.
_UNDATED_LIFE_S = 3600.0
_LEAST_LIFE_S = 60.0
_PASSING = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT})


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyExchange:
    """Api-key → token; for any thread without an event loop, each call has one and a connection of its own."""

    settings: HiDreamSettings
    ssl_context: ssl.SSLContext = field(repr=False)
    now_s: Callable[[], float] = time.time

    def __call__(self, api_key: SecretStr) -> Token:
        """Asks for a token; lasts at most `poll_timeout_s`.

        Raises:
            TokenUnavailableError: final when HiDream refuses the key, passing when it does not answer.
        """
        key = api_key.get_secret_value()
        if not (key and key.isascii() and key.isprintable()):
            raise TokenUnavailableError(
                "the api-key is empty or has characters no header can carry", final=True
            )
        redact(key)
        try:
            reply = asyncio.run(self._ask(api_key))
        except NoAnswerError as error:
            raise TokenUnavailableError(f"no answer from the token exchange: {error}", final=False) from None
        return granted(reply, self.settings, now_s=self.now_s())

    async def _ask(self, api_key: SecretStr) -> Reply:
        session = Session(self.settings, self.ssl_context, connections=1)
        try:
            seconds = self.settings.poll_timeout_s
            return await session.ask(
                "GET", self.settings.token_url, api_key, seconds=seconds, header="Api-Key"
            )
        finally:
            await session.aclose()


def granted(reply: Reply, settings: HiDreamSettings, *, now_s: float) -> Token:
    """Judges the exchange's reply.

    Raises:
        TokenUnavailableError: final for a refused key or a wrong address, passing for the rest.
    """
    envelope = read_envelope(reply.body, reply.secret)
    said = f": {envelope.message}" if envelope and envelope.message else ""
    if reply.status != HTTPStatus.OK:
        final = reply.status < HTTPStatus.INTERNAL_SERVER_ERROR and reply.status not in _PASSING
        raise TokenUnavailableError(f"the token exchange answers HTTP {reply.status}{said}", final=final)
    if envelope is None or envelope.code is None:
        raise TokenUnavailableError("the token exchange does not answer in JSON", final=False)
    if envelope.code:
        final = envelope.code not in settings.busy_codes
        raise TokenUnavailableError(f"the token exchange answers code {envelope.code}{said}", final=final)
    value = envelope.result.get("token")
    if not isinstance(value, str) or not value.strip():
        raise TokenUnavailableError("the token exchange answers without a token", final=False)
    life = _life_s(envelope.result.get("expire_time"), now_s)
    # A token that lives shorter than the early renewal is renewed at half its life, not at once and for ever.
    early = max(life / 2, life - settings.refresh_before_s)
    return Token(value=SecretStr(value.strip()), renew_at=now_s + early, expires_at=now_s + life)


def _life_s(expire_time: Any, now_s: float) -> float:
    """Seconds until an ISO 8601 time; without an offset it is UTC."""
    try:
        until = datetime.fromisoformat(expire_time)
    except (TypeError, ValueError):
        return _UNDATED_LIFE_S
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(_LEAST_LIFE_S, until.timestamp() - now_s)
