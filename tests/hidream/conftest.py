import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jobs.config.settings import Credentials, HiDreamSettings
from tests.on_loop import OnLoop
from worker.hidream.client import HiDreamClient
from worker.hidream.session import make_ssl_context
from worker.hidream.token_exchange import ApiKeyExchange
from worker.hidream.tokens import TokenSource

CANARY = "sk-canary-0123456789"


@pytest.fixture(scope="session")
def tls() -> ssl.SSLContext:
    return make_ssl_context()


@pytest.fixture
def settings_for() -> Callable[..., HiDreamSettings]:
    def make(url: str, **more: Any) -> HiDreamSettings:
        values: dict[str, Any] = {
            "base_url": url,
            "token_url": f"{url}/token",
            "image_prefix": f"{url}/image/",
            "connect_timeout_s": 20,
            "submit_timeout_s": 60,
            "poll_timeout_s": 60,
            "download_timeout_s": 60,
        }
        return HiDreamSettings(**{**values, **more})

    return make


@pytest.fixture
def tokens_for(tls: ssl.SSLContext) -> Callable[..., TokenSource]:
    def make(settings: HiDreamSettings, **credentials: str) -> TokenSource:
        given = Credentials.model_validate(credentials or {"token": CANARY})
        return TokenSource(credentials=given, exchange=ApiKeyExchange(settings=settings, ssl_context=tls))

    return make


@pytest.fixture
def submitter(settings_for: Any, tokens_for: Any, tls: ssl.SSLContext) -> Iterator[Callable[..., Any]]:
    made: list[Any] = []

    def make(url: str, credentials: dict[str, str] | None = None, **more: Any) -> Any:
        settings = settings_for(url, **more)
        tokens = tokens_for(settings, **(credentials or {}))
        made.append(OnLoop(lambda: HiDreamClient(settings, tokens, tls)))
        return made[-1]

    yield make
    for client in made:
        client.aclose()
