import asyncio
import threading

import pytest
from pydantic import SecretStr

from jobs.config.settings import Credentials
from jobs.errors import ConfigError
from jobs.records import Slot
from tests.on_loop import OnLoop
from tests.raw_server import RawServer, raw, says
from worker.hidream.client import HiDreamClient
from worker.hidream.outcomes import Accepted, Paused
from worker.hidream.token_exchange import ApiKeyExchange
from worker.hidream.tokens import RETRY_PAUSE_S, Token, TokenSource, TokenUnavailableError
from worker.hidream.wire import submit_body


class Clock:
    def __init__(self):
        self.now_s = 1_700_000_000.0

    def __call__(self):
        return self.now_s


class Exchange:
    """Gives token-1, token-2 …, each good for 1,000 s and renewed after 900; raises what it is told to."""

    def __init__(self, clock):
        self.clock = clock
        self.asked = 0
        self.error = None

    def __call__(self, api_key):
        assert api_key.get_secret_value() == "key-1"
        self.asked += 1
        if self.error is not None:
            raise self.error
        now = self.clock()
        return Token(value=SecretStr(f"token-{self.asked}"), renew_at=now + 900, expires_at=now + 1000)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def exchange(clock):
    return Exchange(clock)


@pytest.fixture
def source(clock, exchange):
    def make(**credentials):
        given = Credentials.model_validate(credentials or {"api_key": "key-1"})
        return TokenSource(credentials=given, exchange=exchange, now_s=clock)

    return make


def value(secret):
    return secret.get_secret_value()


def test_a_given_token_is_given_and_wins_over_a_key(source, exchange):
    assert value(source(token="given-1", api_key="key-1").token()) == "given-1"
    assert exchange.asked == 0


def test_a_given_token_that_is_refused_is_final(source):
    tokens = source(token="given-1")
    with pytest.raises(TokenUnavailableError) as caught:
        tokens.renew(tokens.token())
    assert caught.value.final
    assert isinstance(caught.value, ConfigError)


@pytest.mark.parametrize("bad", ["a b", "a\nb", "tökén"])
def test_a_token_no_header_can_carry_is_told_before_it_is_sent(source, bad):
    with pytest.raises(TokenUnavailableError) as caught:
        source(token=bad).token()
    assert caught.value.final


def test_without_credentials_the_error_names_the_variables(clock, exchange):
    tokens = TokenSource(credentials=Credentials(), exchange=exchange, now_s=clock)
    with pytest.raises(TokenUnavailableError, match="HIDREAM_TOKEN nor HIDREAM_API_KEY") as caught:
        tokens.token()
    assert caught.value.final


def test_a_token_is_kept_until_shortly_before_its_end(source, exchange, clock):
    tokens = source()
    assert value(tokens.token()) == "token-1"
    clock.now_s += 899
    assert value(tokens.token()) == "token-1"
    clock.now_s += 2
    assert value(tokens.token()) == "token-2"
    assert exchange.asked == 2


def test_an_early_renewal_that_fails_goes_on_with_the_old_token(source, exchange, clock):
    tokens = source()
    tokens.token()
    clock.now_s += 950
    exchange.error = TokenUnavailableError("away", final=False)
    assert value(tokens.token()) == "token-1"
    clock.now_s += 51
    with pytest.raises(TokenUnavailableError):
        tokens.token()
    exchange.error = None
    clock.now_s += RETRY_PAUSE_S
    assert value(tokens.token()).startswith("token-")


def test_a_failed_exchange_is_not_asked_again_at_once(source, exchange, clock):
    exchange.error = TokenUnavailableError("away", final=False)
    tokens = source()
    for _ in range(20):
        with pytest.raises(TokenUnavailableError, match="away"):
            tokens.token()
    assert exchange.asked == 1
    clock.now_s += RETRY_PAUSE_S
    exchange.error = None
    assert value(tokens.token()) == "token-2"


def test_a_refused_token_is_renewed_once_however_many_report_it(source, exchange):
    tokens = source()
    first = tokens.token()
    gate = threading.Barrier(8, timeout=10)
    found = []

    def report():
        gate.wait()
        found.append(value(tokens.renew(first)))

    threads = [threading.Thread(target=report) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["token-2"] * 8
    assert exchange.asked == 2


def test_a_late_report_about_an_old_token_gets_the_current_one(source, exchange):
    tokens = source()
    first = tokens.token()
    second = tokens.renew(first)
    assert tokens.renew(first) == second
    assert exchange.asked == 2


def test_threads_do_not_wait_for_an_early_renewal(source, clock):
    started, go_on = threading.Event(), threading.Event()

    def slow(_key):
        if started.is_set() or clock.now_s == 1_700_000_000.0:
            return Token(value=SecretStr("old"), renew_at=clock() + 1, expires_at=clock() + 1000)
        started.set()
        assert go_on.wait(60)
        return Token(value=SecretStr("new"), renew_at=clock() + 900, expires_at=clock() + 1000)

    tokens = TokenSource(credentials=Credentials.model_validate({"api_key": "k"}), exchange=slow, now_s=clock)
    assert value(tokens.token()) == "old"
    clock.now_s += 2
    found = []
    renewing = threading.Thread(target=lambda: found.append(value(tokens.token())))
    renewing.start()
    assert started.wait(60)
    assert value(tokens.token()) == "old"
    go_on.set()
    renewing.join()
    assert found == ["new"]
    assert value(tokens.token()) == "new"


def test_the_loop_is_not_blocked_by_an_exchange(source, clock):
    async def run():
        ticked = asyncio.Event()

        async def tick():
            ticked.set()

        loop = asyncio.get_running_loop()

        def slow(_key):
            asyncio.run_coroutine_threadsafe(tick(), loop).result(10)
            return Token(value=SecretStr("new"), renew_at=clock() + 9, expires_at=clock() + 9)

        tokens = TokenSource(
            credentials=Credentials.model_validate({"api_key": "k"}), exchange=slow, now_s=clock
        )
        token = await tokens.atoken()
        assert ticked.is_set()
        assert await tokens.atoken() == token
        return value(token)

    assert asyncio.run(run()) == "new"


def test_no_repr_shows_a_token(source):
    tokens = source()
    tokens.token()
    assert "token-1" not in repr([tokens, vars(tokens)])


@pytest.fixture
def asked(settings_for, tls, clock):
    def ask(server, **more):
        settings = settings_for(server.url, **more)
        return ApiKeyExchange(settings=settings, ssl_context=tls, now_s=clock)(SecretStr("key-0123456789"))

    return ask


@pytest.mark.parametrize(
    ("expire_time", "renew_in", "expires_in"),
    [
        ("2023-11-15T22:13:20.601343+00:00", 85800.601343, 86400.601343),
        ("2023-11-15T22:13:20", 85800, 86400),
        ("2023-11-15T22:13:20Z", 85800, 86400),
        ("2023-11-14T22:23:20+00:00", 300, 600),
        ("2001-01-01T00:00:00+00:00", 30, 60),
        ("tomorrow", 3000, 3600),
        (None, 3000, 3600),
        (5, 3000, 3600),
    ],
)
def test_an_exchanged_token_lives_as_long_as_hidream_says(asked, clock, expire_time, renew_in, expires_in):
    content = {"code": 0, "result": {"token": "token-a", "expire_time": expire_time}}
    with RawServer(says(content)) as server:
        token = asked(server)
    assert value(token.value) == "token-a"
    assert token.renew_at - clock.now_s == pytest.approx(renew_in)
    assert token.expires_at - clock.now_s == pytest.approx(expires_in)
    assert server.heard[0].headers["api-key"] == "key-0123456789"
    assert "authorization" not in server.heard[0].headers


@pytest.mark.parametrize(
    ("answer", "final"),
    [
        (raw(401), True),
        (raw(403), True),
        (raw(404), True),
        (raw(302, Location="/elsewhere"), True),
        (says({"code": 1002, "message": "bad key key-0123456789"}), True),
        (says({"code": 2004}), False),
        (raw(429), False),
        (raw(500), False),
        (raw(503), False),
        (raw(200), False),
        (raw(200, b"<html>"), False),
        (says({"code": 0}), False),
        (says({"code": 0, "result": {"token": ""}}), False),
        (lambda wire, _: wire.reset(), False),
        (lambda wire, _: wire.drip(b"H"), False),
    ],
)
def test_a_failed_exchange_says_whether_it_may_pass(asked, answer, final):
    with RawServer(answer) as server, pytest.raises(TokenUnavailableError) as caught:
        asked(server, poll_timeout_s=0.4)
    assert caught.value.final is final
    assert "key-0123456789" not in f"{caught.value!r}{caught.value}{caught.value.__cause__!r}"
    assert len(server.heard) == 1


# -- a rotation under a worker that stays up -----------------------------------------------------------------


class Files:
    """What the secret files hold by now."""

    def __init__(self, **credentials):
        self.given = Credentials.model_validate(credentials)

    def __call__(self):
        return self.given


def test_a_refused_token_is_read_again_from_its_file(clock, exchange):
    files = Files(token="old")
    source = TokenSource(credentials=files(), exchange=exchange, read=files, now_s=clock)
    refused = source.token()
    with pytest.raises(TokenUnavailableError) as error:
        source.renew(refused)
    assert error.value.final, "its file has not changed"
    files.given = Credentials.model_validate({"token": "new"})
    assert value(source.renew(refused)) == "new"
    assert value(source.token()) == "new"
    with pytest.raises(TokenUnavailableError):
        source.renew(source.token())


def test_a_token_that_another_thread_has_read_meanwhile_is_taken_as_it_is(clock, exchange):
    files = Files(token="old")
    source = TokenSource(credentials=files(), exchange=exchange, read=files, now_s=clock)
    refused = source.token()
    files.given = Credentials.model_validate({"token": "new"})
    assert [value(source.renew(refused)), value(source.renew(refused))] == ["new", "new"]


def test_a_file_that_cannot_be_read_leaves_the_refusal_as_it_is(clock, exchange):
    def gone():
        raise ConfigError("HIDREAM_TOKEN_FILE: cannot read /run/token: No such file or directory")

    given = Credentials.model_validate({"token": "old"})
    source = TokenSource(credentials=given, exchange=exchange, read=gone, now_s=clock)
    with pytest.raises(TokenUnavailableError, match="cannot read") as error:
        source.renew(source.token())
    assert error.value.final


def test_a_refused_api_key_is_read_again_from_its_file(clock):
    files = Files(api_key="old")

    def exchange(api_key):
        if api_key.get_secret_value() == "old":
            raise TokenUnavailableError("no such key", final=True)
        return Token(value=SecretStr("t-new"), renew_at=clock() + 900, expires_at=clock() + 1000)

    source = TokenSource(credentials=files(), exchange=exchange, read=files, now_s=clock)
    with pytest.raises(TokenUnavailableError):
        source.token()
    files.given = Credentials.model_validate({"api_key": "new"})
    clock.now_s += RETRY_PAUSE_S
    assert value(source.token()) == "t-new"


def test_after_a_rotation_the_next_submit_goes_through_without_a_restart(settings_for, tls, clock):
    def only_new(wire, heard):
        if heard.headers["authorization"] == "Bearer new":
            wire.answer_json({"code": 0, "result": {"task_id": "t"}})
        else:
            wire.answer(401)

    files = Files(token="old")
    with RawServer(only_new) as server:
        settings = settings_for(server.url)
        exchange = ApiKeyExchange(settings=settings, ssl_context=tls)
        tokens = TokenSource(credentials=files(), exchange=exchange, read=files)
        client = OnLoop(lambda: HiDreamClient(settings, tokens, tls))
        body = submit_body([(Slot.PERSON, "https://a/p.jpg")])
        assert isinstance(client.submit(body), Paused)
        files.given = Credentials.model_validate({"token": "new"})
        assert client.submit(body) == Accepted(task_id="t")
        client.aclose()
