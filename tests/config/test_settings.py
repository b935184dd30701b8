"""Settings: the environment over the file over the defaults; every mistake is one line; secrets stay secret."""

import os
from decimal import Decimal
from pathlib import Path

import pytest

from jobs.config.load import read_credentials, read_settings, secrets_of
from jobs.config.settings import (
    CallbackSettings,
    Credentials,
    LimitSettings,
    RedisSettings,
    Settings,
    WorkerSettings,
)
from jobs.errors import ConfigError, NotFoundError

CANARY = "canary-0123456789abcdef"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No setting of whoever runs the tests, and a folder without a config.yaml."""
    for name in os.environ:
        if name.startswith(("VTON_", "HIDREAM_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def written(text: str, name: str = "settings.yaml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


# -- where settings come from --------------------------------------------------------------------------------


def test_without_anything_the_defaults_hold() -> None:
    settings = read_settings()
    assert (settings.limits.in_flight, settings.limits.images_per_minute) == (3, 20)
    assert settings.output_dir == Path("out")
    assert settings.redis.url.get_secret_value() == ""


def test_the_file_in_the_current_folder_is_read_unless_another_is_named(
    environment: pytest.MonkeyPatch,
) -> None:
    written("limits: {in_flight: 5}", "config.yaml")
    assert read_settings().limits.in_flight == 5
    other = written("limits: {in_flight: 7}", "other.yaml")
    assert read_settings(other).limits.in_flight == 7
    environment.setenv("VTON_CONFIG", str(other))
    assert read_settings().limits.in_flight == 7


def test_the_environment_wins_and_leaves_the_rest_of_its_section_to_the_file(
    environment: pytest.MonkeyPatch,
) -> None:
    config = written("limits: {in_flight: 5, max_attempts: 2}\noutput_dir: night")
    environment.setenv("VTON_LIMITS__IN_FLIGHT", "10")
    environment.setenv("VTON_REDIS__URL", "redis://localhost:1")
    settings = read_settings(config)
    assert (settings.limits.in_flight, settings.limits.max_attempts) == (10, 2)
    assert settings.limits.images_per_minute == 20
    assert settings.output_dir == Path("night")
    environment.setenv("VTON_OUTPUT_DIR", "elsewhere")
    assert read_settings(config).output_dir == Path("elsewhere")


def test_lists_and_tables_are_json_in_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VTON_HIDREAM__FINAL_CODES", '{"1051": "picture_invalid", "1052": "too_small"}')
    environment.setenv("VTON_HIDREAM__IMAGE_HOSTS", '["cdn.example"]')
    settings = read_settings()
    assert settings.hidream.final_codes == {1051: "picture_invalid", 1052: "too_small"}
    assert settings.hidream.image_hosts == ("cdn.example",)


def test_a_table_of_the_environment_takes_the_place_of_the_files(environment: pytest.MonkeyPatch) -> None:
    config = written("hidream: {final_codes: {1051: picture_invalid}}")
    environment.setenv("VTON_HIDREAM__FINAL_CODES", "{}")
    assert read_settings(config).hidream.final_codes == {}
    environment.setenv("VTON_DELIVERY__PROFILES", '{"Shop": {"format": "png"}}')
    assert set(read_settings(config).delivery.profiles) == {"Shop"}


def test_an_empty_file_changes_nothing() -> None:
    assert read_settings(written("")) == read_settings(written("# nothing here\n"))


def of_account(in_flight: int, images_per_minute: float, **workers: int) -> Settings:
    limits = LimitSettings(in_flight=in_flight, images_per_minute=images_per_minute)
    return Settings(limits=limits, workers=WorkerSettings(**workers))


@pytest.mark.parametrize(
    ("account", "threads", "polls", "downloads"),
    [
        (of_account(3, 20), 4, 50, 8),
        (of_account(10, 300), 11, 75, 25),
        (of_account(10, 1e9), 11, 1000, 32),
        (of_account(5000, 20), 10, 50, 8),
        (of_account(5000, 60_000), 64, 1000, 32),
        (of_account(40, 600, submit_processes=2, collect_processes=2), 21, 75, 25),
    ],
)
def test_whoever_sets_the_accounts_limits_sets_threads_polls_and_downloads(
    account: Settings, threads: int, polls: float, downloads: int
) -> None:
    assert (account.submit_threads, account.polls_per_second, account.downloads) == (
        threads,
        polls,
        downloads,
    )


def test_what_is_set_by_hand_counts_whatever_the_limits_need() -> None:
    limits = LimitSettings(in_flight=100, images_per_minute=6000, polls_per_second=7)
    settings = Settings(limits=limits, workers=WorkerSettings(submit_threads=2, downloads=3))
    assert (settings.submit_threads, settings.polls_per_second, settings.downloads) == (2, 7, 3)
    assert settings.needs.submit_threads == 64


def test_settings_do_not_change_once_read() -> None:
    settings = read_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.output_dir = Path("x")  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        settings.limits.in_flight = 9  # type: ignore[misc]


@pytest.mark.parametrize("text", ["0.1", "'0.1'", '"0.10"'])
def test_a_price_is_the_decimal_that_was_written_and_no_float(text: str) -> None:
    price = read_settings(written(f"limits: {{price_per_image: {text}, currency: CNY}}"), {}).limits.price
    assert price.cost(3) == Decimal("0.3")
    assert price.words(3) == "0.30 CNY"
    assert (price.pictures(Decimal("0.3")), price.pictures(Decimal("0.29"))) == (3, 2)


def test_a_price_of_the_environment_is_exact(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VTON_LIMITS__PRICE_PER_IMAGE", "0.0123")
    settings = read_settings()
    assert settings.limits.price.words(1000) == "12.30"
    assert settings.limits.price.words(1) == "0.0123"


# -- mistakes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("limits: {in_flight: 0}", "limits.in_flight"),
        ("limits: {in_flight: many}", "limits.in_flight"),
        ("limits: {images_per_minute: 0}", "limits.images_per_minute"),
        ("limits: {images_per_minute: .nan}", "limits.images_per_minute"),
        ("limits: {images_per_minute: .inf}", "limits.images_per_minute"),
        ("limits: {max_images_per_day: -1}", "limits.max_images_per_day"),
        ("limits: {price_per_image: -1}", "limits.price_per_image"),
        ("limits: {price_per_image: .inf}", "limits.price_per_image"),
        ("limits: {price_per_image: 0.0000001}", "limits.price_per_image"),
        ("limits: {currency: yuan}", "limits.currency"),
        ("limits: {max_cost_per_day: 5}", "max_cost_per_day needs price_per_image"),
        (
            "limits: {price_per_image: 2, max_cost_per_batch: 1}",
            "max_cost_per_batch is less than one picture costs",
        ),
        ("limits: {in_fligth: 3}", "limits.in_fligth"),
        ("limit: {in_flight: 3}", "limit"),
        ("limits: 3", "limits"),
        ("tasks: {unknown_policy: forget}", "tasks.unknown_policy"),
        ("hidream: {base_url: hidreamai.com}", "hidream.base_url"),
        ("hidream: {base_url: 'ftp://hidreamai.com'}", "hidream.base_url"),
        ("hidream: {base_url: 'https://user:pw@hidreamai.com'}", "hidream.base_url"),
        ("hidream: {base_url: 'https://hidreamai.com/a b'}", "hidream.base_url"),
        ("hidream: {pause_codes: {2007: coffee}}", "hidream.pause_codes"),
        ("redis: {url: 'localhost:6379'}", "redis.url"),
        ("redis: {prefix: 'a b'}", "redis.prefix"),
        ("redis: {replicas: 1}", "redis: replicas needs url"),
        ("redis: {replicas: -1, url: 'redis://h'}", "redis.replicas"),
        ("callbacks: {port: 70000}", "callbacks.port"),
        ("logs: {level: loud}", "logs.level"),
        ("workers: {patience_s: 0}", "workers.patience_s"),
        ("- a\n- b", "mapping"),
        ("just words", "mapping"),
        ("limits: {in_flight: 3", "YAML"),
        ("a: &a [b]\nc: *d", "YAML"),
        ("callbacks: {secret: abc}", "callbacks.secret"),
        ("hidream: {token: abc}", "hidream.token"),
        ("hidream: {api_key: abc}", "hidream.api_key"),
        ("redis: {password: abc}", "redis.password"),
        ("review: {token: abc}", "review.token"),
        ("dashboard: {look_token: abc}", "dashboard.look_token"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_that_names_it(text: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(written(text))
    told = str(caught.value)
    assert named in told
    assert "\n" not in told
    assert caught.value.exit_code == 7


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("VTON_LIMITS__IN_FLIGHT", "0", "limits.in_flight"),
        ("VTON_LIMITS__IN_FLIGHT", "three", "limits.in_flight"),
        ("VTON_LIMITS__INFLIGHT", "3", "limits.inflight"),
        ("VTON_LIMIT__IN_FLIGHT", "3", "VTON_LIMIT__IN_FLIGHT"),
        ("VTON_OUTPUTDIR", "x", "VTON_OUTPUTDIR"),
        ("VTON_LIMITS", "3", "limits"),
        ("VTON_LIMITS", "{}", "VTON_LIMITS__<KEY>"),
        ("VTON_OUTPUT_DIR__X", "3", "VTON_OUTPUT_DIR__X"),
        ("VTON_HIDREAM__FINAL_CODES__1051", "x", "VTON_HIDREAM__FINAL_CODES__1051"),
        ("VTON_HIDREAM__IMAGE_HOSTS", "cdn.example", "VTON_HIDREAM__IMAGE_HOSTS"),
        ("VTON_HIDREAM__FINAL_CODES", "1051", "final_codes"),
        ("VTON_PICTURES__ROOTS", "[", "VTON_PICTURES__ROOTS"),
        ("VTON_REDIS__URL", "localhost", "redis.url"),
        ("VTON_REVIEW__TOKEN", "fifteen-letters", "review.token"),
        ("VTON_DASHBOARD__LOOK_TOKEN", "fifteen-letters", "dashboard.look_token"),
    ],
)
def test_a_mistake_in_the_environment_is_one_line_that_names_it(
    environment: pytest.MonkeyPatch, name: str, value: str, named: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        read_settings()
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_said_so(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFoundError, match=r"no such file: .*nowhere\.yaml"):
        read_settings(Path("nowhere.yaml"))
    environment.setenv("VTON_CONFIG", "gone.yaml")
    with pytest.raises(NotFoundError, match=r"no such file: gone\.yaml"):
        read_settings()


def test_a_file_that_is_no_yaml_says_where() -> None:
    path = Path("settings.yaml")
    path.write_text("limits:\n  in_flight: [\n")
    with pytest.raises(ConfigError, match=r"settings\.yaml:3: not readable as YAML: expected"):
        read_settings(path)


def test_a_file_of_another_encoding_is_said_so() -> None:
    path = Path("settings.yaml")
    path.write_bytes("output_dir: 模特".encode("gb18030"))
    with pytest.raises(ConfigError, match="not readable as YAML"):
        read_settings(path)


# -- secrets -------------------------------------------------------------------------------------------------


def test_no_secret_is_shown_by_whatever_prints_the_settings(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VTON_REDIS__URL", f"redis://:{CANARY}@localhost:6379")
    environment.setenv("VTON_CALLBACKS__SECRET", CANARY)
    environment.setenv("HIDREAM_TOKEN", CANARY)
    settings, credentials = read_settings(), read_credentials()
    for shown in (settings, credentials, settings.redis, settings.callbacks):
        for text in (repr(shown), str(shown), f"{shown}", shown.model_dump_json(), str(shown.model_dump())):
            assert CANARY not in text
    assert settings.callbacks.secret.get_secret_value() == CANARY
    assert sorted(set(secrets_of(settings, credentials))) == [CANARY]


def test_no_secret_is_shown_by_a_mistake(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VTON_REDIS__URL", f"http://:{CANARY}@localhost")
    with pytest.raises(ConfigError) as caught:
        read_settings()
    assert CANARY not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        read_settings(written(f"callbacks: {{secret: {CANARY}}}"))
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("name", ["HIDREAM_TOKEN", "HIDREAM_API_KEY"])
def test_the_account_is_entered_by_the_environment_or_a_file(
    environment: pytest.MonkeyPatch, name: str
) -> None:
    assert not read_credentials()
    path = written(f"  {CANARY}\n", "token")
    environment.setenv(f"{name}_FILE", str(path))
    assert given(read_credentials(), name) == CANARY
    environment.setenv(name, " sk-from-the-environment ")
    assert given(read_credentials(), name) == "sk-from-the-environment"
    assert read_credentials()


def given(credentials: Credentials, name: str) -> str:
    secret = credentials.token if name == "HIDREAM_TOKEN" else credentials.api_key
    assert secret is not None
    return secret.get_secret_value()


def test_a_secret_file_that_cannot_be_read_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HIDREAM_TOKEN_FILE", "gone")
    with pytest.raises(ConfigError, match="HIDREAM_TOKEN_FILE: cannot read gone: No such file"):
        read_credentials()


def test_the_callback_keys_may_come_from_a_file(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VTON_CALLBACKS__SECRET_FILE", str(written(f"{CANARY}\n", "key")))
    environment.setenv("VTON_CALLBACKS__PUBLIC_URL", "https://shop.example/hooks")
    settings = read_settings()
    assert settings.callbacks.secret.get_secret_value() == CANARY
    assert settings.callbacks.public_url == "https://shop.example/hooks"


def test_every_secret_is_known_to_the_logs(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VTON_REDIS__URL", "redis://user:redis-word@localhost")
    environment.setenv("VTON_CALLBACKS__SECRET", "key-one, key-two")
    environment.setenv("VTON_REVIEW__TOKEN", "token-of-sheets-1")
    environment.setenv("HIDREAM_API_KEY", "api-word")
    found = secrets_of(read_settings(), read_credentials())
    assert sorted(found) == ["api-word", "key-one", "key-two", "redis-word", "token-of-sheets-1"]
    environment.undo()
    assert secrets_of(Settings(redis=RedisSettings(), callbacks=CallbackSettings()), Credentials()) == []


# -- Redis' address ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://localhost:6379/",
        "redis://:word@localhost",
        "redis://:p%2Fa%23b%3Fc%40d@localhost:6379",
        "rediss://vton:word@redis.internal:6380?ssl_ca_certs=/etc/vton/ca.pem",
        "unix:///run/redis/redis.sock",
        "unix://vton:word@/run/redis/redis.sock",
        "unix:///run/redis.sock?password=word",
        "redis://[::1]:6379",
        "redis+sentinel://h1,h2:26380,h3/mymaster",
        "rediss+sentinel://user:word@[::1]:26379,h2/vton.primary-1?ssl_ca_certs=/etc/vton/ca.pem",
        "redis+sentinel://:p%2Fa%40d@h1/mymaster?sentinel_username=u&sentinel_password=w",
    ],
)
def test_an_address_of_redis_is_taken(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("VTON_REDIS__URL", url)
    assert read_settings().redis.url.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost/3",
        "redis://localhost:6379/0",
        "redis://localhost?db=3",
        "rediss://:word@localhost/1",
        "unix:///run/redis.sock?db=2",
        "redis+sentinel://h1,h2/mymaster/3",
        "redis+sentinel://h1,h2/3",
        "redis+sentinel://h1,h2/mymaster?db=3",
    ],
)
def test_a_database_in_the_address_is_refused_with_the_settings_to_use(
    environment: pytest.MonkeyPatch, url: str
) -> None:
    environment.setenv("VTON_REDIS__URL", url)
    with pytest.raises(ConfigError, match=r"redis\.queue_db and redis\.ledger_db"):
        read_settings()


@pytest.mark.parametrize(
    "url",
    [
        "redis://:canary/word@localhost",
        "redis://:canary#word@localhost",
        "redis://:canary?word@localhost",
        "redis://:12/canary@localhost:6379",
        "redis://:canary[word@localhost",
        "unix://:canary/word@/run/redis.sock",
        "unix://:canary#word@/run/redis.sock",
        "redis://localhost?canary=1",
        "redis://localhost:canary",
        "redis://:canary@",
        "redis+sentinel://:canary@/mymaster",
        "redis+sentinel://:canary@h1,,h2/mymaster",
        "redis+sentinel://:canary@h1,h2",
        "redis+sentinel://:canary@h1:canary/mymaster",
        "redis+sentinel://:canary@h1:99999/mymaster",
        "redis+sentinel://:canary/word@h1/mymaster",
        "redis+sentinel://:canary#word@h1/mymaster",
        "redis+sentinel://h1/mymaster?canary=1",
        "redis://h1?sentinel_password=canary",
    ],
)
def test_no_part_of_a_bad_address_is_shown(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("VTON_REDIS__URL", url)
    with pytest.raises(ConfigError, match=r"^redis\.url: ") as caught:
        read_settings()
    assert "canary" not in str(caught.value)
    assert "word@" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_password_in_the_file_is_refused(environment: pytest.MonkeyPatch) -> None:
    for url in (
        f"redis://:{CANARY}@localhost",
        f"unix:///run/redis.sock?password={CANARY}",
        f"redis+sentinel://:{CANARY}@h1,h2/mymaster",
        f"redis+sentinel://h1,h2/mymaster?sentinel_password={CANARY}",
    ):
        with pytest.raises(ConfigError, match=r"redis\.url: an address with a password") as caught:
            read_settings(written(f"redis: {{url: '{url}'}}"))
        assert CANARY not in str(caught.value)
    assert read_settings(written("redis: {url: 'redis://localhost'}")).redis.url.get_secret_value()
    environment.setenv("VTON_REDIS__URL", f"redis://:{CANARY}@localhost")
    assert read_settings().redis.url.get_secret_value()


def test_the_address_of_redis_may_come_from_a_file(environment: pytest.MonkeyPatch) -> None:
    config = written("redis: {queue_db: 3}")
    environment.setenv("VTON_REDIS__URL_FILE", str(written("redis://:word@localhost\n", "address")))
    settings = read_settings(config)
    assert settings.redis.url.get_secret_value() == "redis://:word@localhost"
    assert settings.redis.queue_db == 3
    environment.setenv("VTON_REDIS__URL_FILE", str(written(f"redis://:{CANARY}/@localhost", "address")))
    with pytest.raises(ConfigError, match=r"\(VTON_REDIS__URL_FILE\)") as caught:
        read_settings()
    assert CANARY not in str(caught.value)
    environment.setenv("VTON_REDIS__URL", "redis://elsewhere")
    assert read_settings().redis.url.get_secret_value() == "redis://elsewhere"


def test_a_password_is_known_to_the_logs_as_it_is_written_and_as_it_is_meant(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("VTON_REDIS__URL", "redis://:a%2Fword@localhost")
    assert secrets_of(read_settings(), read_credentials()) == ["a%2Fword", "a/word"]


# -- where notices go ----------------------------------------------------------------------------------------


def test_the_ways_of_notices_are_secrets_of_the_environment_or_of_a_file(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("VTON_NOTIFY__WEBHOOK", f"https://hooks.shop.example/{CANARY}")
    environment.setenv("VTON_NOTIFY__SECRET_FILE", str(written("key-4711", "key")))
    environment.setenv("VTON_NOTIFY__APPRISE", "slack://a mailtos://b")
    settings = read_settings()
    assert settings.notify.secret.get_secret_value() == "key-4711"
    assert CANARY not in repr(settings)
    secrets = secrets_of(settings, Credentials())
    assert {"key-4711", f"https://hooks.shop.example/{CANARY}", "slack://a", "mailtos://b"} <= set(secrets)


@pytest.mark.parametrize("key", ["secret", "apprise"])
def test_a_key_of_notices_in_a_file_in_the_tree_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"notify\.{key}: secrets are given by the environment"):
        read_settings(written(f"notify: {{{key}: {CANARY}}}"))


def test_a_webhook_without_a_key_is_one_clear_line(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VTON_NOTIFY__WEBHOOK", "https://hooks.shop.example/x")
    with pytest.raises(ConfigError, match=r"^notify: webhook needs VTON_NOTIFY__SECRET"):
        read_settings()


# -- what is said of a mistake --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limits: 3", "limits: is a section; its settings stand below it, each as KEY: VALUE"),
        ("limits:", "limits: is a section"),
        ("hidream: {busy_codes: 2004}", "hidream.busy_codes: must be a list, e.g. [2004]"),
        ("hidream: {safe_statuses: 503}", "hidream.safe_statuses: must be a list, e.g. [2004]"),
        ("pictures: {roots: a}", 'pictures.roots: must be a list, e.g. ["a", "b"]'),
        (
            "hidream: {final_codes: 3}",
            'hidream.final_codes: must be a table, e.g. {"1051": "picture_invalid"}',
        ),
        (
            "delivery: {profiles: {a: {size: 3}}}",
            "delivery.profiles.a.size: must be a list, e.g. [1200, 1600]",
        ),
        ("delivery: {profiles: 3}", 'delivery.profiles: must be a table, e.g. {"shop": {}}'),
        ("output_mode: 0640", 'output_mode: must be four digits such as 0640, in quotes: "0640"'),
        ('output_mode: "640"', 'output_mode: must be four digits such as 0640, in quotes: "0640"'),
        ("redis: {prefix: a b}", "redis.prefix: must be letters, digits, _ and - only"),
        ("limits: {currency: euro}", "limits.currency: must be three capital letters such as USD"),
        ("hidream: {submit_path: 3}", "hidream.submit_path: must be a text; write it in quotes"),
        ("limits: {in_fligth: 3}", "limits.in_fligth: unknown setting; did you mean in_flight?"),
        ("limit: {in_flight: 3}", "limit: unknown setting; did you mean limits?"),
        ("limits: {zzz: 3}", "limits.zzz: unknown setting (settings.yaml)"),
    ],
)
def test_a_mistake_is_said_in_the_words_of_the_file(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(written(text))
    assert str(caught.value).startswith(said)


def test_the_environment_is_told_which_name_and_which_json_may_be_meant(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("VTON_LIMIT__IN_FLIGHT", "3")
    with pytest.raises(ConfigError, match="did you mean VTON_LIMITS__IN_FLIGHT"):
        read_settings()
    environment.delenv("VTON_LIMIT__IN_FLIGHT")
    environment.setenv("VTON_HIDREAM__BUSY_CODES", "2004,")
    with pytest.raises(ConfigError, match=r"is JSON, e\.g\. \[2004\]"):
        read_settings()


def test_every_mistake_is_said_a_line_each() -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(written("limits: {in_flight: 0, max_attempts: x}\nlogs: {level: loud}"))
    told = str(caught.value).splitlines()
    assert [line.strip().partition(":")[0] for line in told] == [
        "limits.in_flight",
        "limits.max_attempts",
        "logs.level",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "limits:\n  in_flight: 3\n  in_flight: 5\n",
            "3: limits.in_flight: the key stands twice, on line 2 too",
        ),
        ("limits: {}\nlogs: {}\nlimits: {}\n", "3: limits: the key stands twice, on line 1 too"),
        (
            "hidream:\n  final_codes:\n    1: a\n    1: b\n",
            "4: hidream.final_codes.1: the key stands twice, on line 3 too",
        ),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_both_lines(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(written(text))
    assert str(caught.value) == f"settings.yaml:{said}"


def test_a_variable_in_small_letters_is_a_budget_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = read_settings(environ={"vton_limits__max_images_per_batch": "5"})
    assert settings.limits.batch_budget == 5
