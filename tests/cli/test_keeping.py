"""A Redis elsewhere is asked whether it keeps what it is told, by whoever is about to buy."""

import pytest


def told(ended):
    """What was said of Redis: event and values."""
    return [event for event in ended.events if event["event"].startswith("redis.")]


@pytest.mark.parametrize("command", ["run", "enqueue"])
@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_redis_that_evicts_keys_is_refused_before_anything_is_recorded(shop, elsewhere, command, policy):
    elsewhere.configure(maxmemory_policy=policy)
    ended = shop.vton(command, shop.urls(2), **elsewhere.env())
    assert ended.code == 7
    assert f"maxmemory-policy is {policy}" in ended.err.splitlines()[-1]
    assert "set maxmemory-policy noeviction" in ended.err.splitlines()[-1]
    assert shop.vton("status", **elsewhere.env()).out.startswith("no batch yet")


def test_there_is_no_way_to_accept_a_redis_that_evicts(shop, elsewhere):
    elsewhere.configure(maxmemory_policy="allkeys-lru")
    assert shop.vton("enqueue", shop.urls(2), "--accept-new-ledger", **elsewhere.env()).code == 7


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"appendonly": "no"}, "appendonly is no"),
        ({"appendonly": "yes", "appendfsync": "everysec"}, "appendfsync is everysec"),
    ],
    ids=lambda value: value.get("appendfsync", "off") if isinstance(value, dict) else "",
)
def test_a_redis_that_may_forget_is_used_with_one_warning(shop, elsewhere, settings, why):
    elsewhere.configure(**settings)
    ended = shop.vton("enqueue", shop.urls(2), **elsewhere.env())
    assert ended.code == 0
    (event,) = told(ended)
    assert (event["event"], event["level"]) == ("redis.not_durable", "warning")
    assert event["why"][0].startswith(why)


def test_a_redis_that_keeps_everything_is_used_without_a_word(shop, elsewhere):
    elsewhere.configure(appendonly="yes", appendfsync="always")
    ended = shop.vton("enqueue", shop.urls(2), **elsewhere.env())
    assert (ended.code, told(ended)) == (0, [])


@pytest.mark.parametrize(
    ("forbidden", "untold"),
    [
        (("config",), ["appendfsync"]),
        (("config", "info"), ["appendonly", "appendfsync", "maxmemory-policy"]),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else "",
)
def test_what_a_redis_does_not_tell_is_named_once(shop, elsewhere, forbidden, untold):
    elsewhere.configure(appendonly="yes")
    elsewhere.forbid("asker", *forbidden)
    ended = shop.vton("enqueue", shop.urls(2), **elsewhere.env("asker"))
    assert ended.code == 0
    (event,) = told(ended)
    assert (event["event"], event["settings"]) == ("redis.untold", untold)


def test_a_redis_that_forbids_config_and_evicts_is_refused_all_the_same(shop, elsewhere):
    elsewhere.configure(maxmemory_policy="volatile-lru")
    elsewhere.forbid("asker", "config")
    assert shop.vton("enqueue", shop.urls(2), **elsewhere.env("asker")).code == 7


def test_commands_that_only_look_do_not_ask(shop, elsewhere):
    elsewhere.configure(maxmemory_policy="allkeys-lru")
    ended = shop.vton("status", **elsewhere.env())
    assert (ended.code, told(ended)) == (0, [])


def test_our_own_redis_is_not_asked(shop):
    ended = shop.vton("enqueue", shop.urls(2))
    assert (ended.code, told(ended)) == (0, [])
