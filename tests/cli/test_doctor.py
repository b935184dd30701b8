"""`vton doctor`: each thing a night needs is well, or is named with what to do; and nothing is sent."""

import json
import shutil
import ssl
import subprocess
from types import SimpleNamespace
from typing import get_args

import pytest

from jobs.cli.doctor.account import SHORTEST_KEY
from jobs.cli.doctor.folders import TIGHT_BYTES, check_folder
from jobs.cli.watch import PERSONS
from jobs.errors import ConfigError
from jobs.health.account import ADVICE
from jobs.records import PauseReason
from tests.ports import free_port
from tests.raw_server import RawServer, accepted
from tests.runs.shop import SECRET, TOKEN
from worker.callbacks.address import CallbackAddresses

OUTSIDE = {"VTON_CALLBACKS__PUBLIC_URL": "https://shop.example/hooks"}
NAMES = [
    "configuration", "token", "redis", "durability", "ledger", "account", "workers", "data_dir", "output_dir", "hidream",
    "callbacks", "limits", "pace", "pictures", "notices", "tracing",
]  # fmt: skip


def examined(shop, code, **env):
    """Name → check, of a command that ended with this code."""
    ended = shop.vton("doctor", "--json", **env)
    assert ended.code == code, (ended.out, ended.err)
    content = json.loads(ended.out)
    assert content["well"] is (code == 0)
    return {check["name"]: check for check in content["checks"]}


def test_a_shop_in_which_all_is_well_is_told_so_line_by_line(shop):
    ended = shop.vton("doctor", VTON_WORKERS__SUBMIT_THREADS="0")
    lines = ended.out.splitlines()
    assert ended.code == 0
    assert [line.split()[:2] for line in lines[:-1]] == [["ok", name] for name in NAMES]
    assert lines[-1] == "all is well"
    assert shop.vendor.strangers == []


@pytest.mark.parametrize(
    ("name", "env", "said"),
    [
        ("token", {"HIDREAM_TOKEN": ""}, "none"),
        ("redis", {"VTON_REDIS__URL": f"redis://:{TOKEN}@127.0.0.1:1"}, "does not answer"),
        ("redis", {"VTON_DATA_DIR": "/dev/null/data"}, "cannot be made"),
        ("data_dir", {"VTON_DATA_DIR": "/dev/null/data"}, "cannot be written to"),
        ("output_dir", {"VTON_OUTPUT_DIR": "/dev/null/out"}, "cannot be written to"),
        ("hidream", {"VTON_HIDREAM__BASE_URL": "https://nowhere.invalid"}, "nowhere.invalid is not resolved"),
        ("hidream", {"VTON_HIDREAM__BASE_URL": "https://127.0.0.1:1"}, "127.0.0.1:1: refused"),
        ("callbacks", OUTSIDE, "VTON_CALLBACKS__SECRET is not set"),
        ("callbacks", OUTSIDE | {"VTON_CALLBACKS__SECRET": f"{SECRET},short"}, "a key below 16 characters"),
        ("callbacks", {"VTON_CALLBACKS__PUBLIC_URL": "shop.example/hooks"}, "no http(s) address"),
        ("callbacks", {"VTON_CALLBACKS__PUBLIC_URL": "http://localhost:8780"}, "localhost"),
        ("callbacks", {"VTON_CALLBACKS__PUBLIC_URL": "http://127.1.2.3:8780"}, "127.1.2.3"),
        ("callbacks", {"VTON_CALLBACKS__PUBLIC_URL": "http://[::1]:8780"}, "::1"),
        ("pictures", {"VTON_PICTURES__ROOTS": '["nowhere/pictures"]'}, "nowhere/pictures"),
        ("notices", {"VTON_NOTIFY__COMMAND": '["no-such-program"]'}, "no program no-such-program"),
    ],
)
def test_what_only_a_person_can_mend_is_wrong_and_says_what_to_do(shop, name, env, said):
    check = examined(shop, 7, **env)[name]
    assert check["state"] == "wrong"
    assert said in check["message"]
    assert check["todo"]
    assert check["owner"] in {"ops", "vendor"}


def test_settings_that_cannot_be_read_are_all_there_is_to_say(shop):
    (check,) = examined(shop, 7, VTON_LIMITS__SPEED="9").values()
    assert (check["name"], check["state"]) == ("configuration", "wrong")
    assert "limits.speed" in check["message"]


def test_a_settings_file_that_is_not_there_is_not_found(shop):
    assert shop.vton("doctor", "--config", "nowhere.yaml").code == 4


def test_limits_that_no_account_has_are_a_warning_which_stops_nobody(shop):
    check = examined(shop, 0, VTON_LIMITS__IN_FLIGHT="4", VTON_LIMITS__MAX_IMAGES_PER_DAY="900")["limits"]
    assert check["state"] == "warning"
    assert "budget: 900 pictures a day" in check["message"]
    assert (
        "1 warning"
        in shop.vton("doctor", VTON_LIMITS__IN_FLIGHT="4", VTON_WORKERS__SUBMIT_THREADS="0").out.splitlines()[
            -1
        ]
    )


def test_callbacks_with_a_long_secret_and_an_address_outside_are_well(shop):
    check = examined(shop, 0, VTON_CALLBACKS__SECRET=f"{SECRET},{SECRET}-old", **OUTSIDE)["callbacks"]
    assert (check["state"], check["message"]) == ("ok", "on, at shop.example; 2 key(s) of enough length")


def test_the_shortest_key_is_the_one_that_the_receiver_takes():
    CallbackAddresses("https://shop.example", "k" * SHORTEST_KEY, 60)
    with pytest.raises(ConfigError):
        CallbackAddresses("https://shop.example", "k" * (SHORTEST_KEY - 1), 60)


@pytest.mark.parametrize(
    ("settings", "code", "found"),
    [
        ({"maxmemory_policy": "allkeys-lfu"}, 7, ("wrong", "maxmemory-policy is allkeys-lfu")),
        ({"appendonly": "no"}, 0, ("warning", "appendonly is no")),
        ({"appendonly": "yes", "appendfsync": "always"}, 0, ("ok", "noeviction")),
    ],
    ids=["evicts", "forgets", "keeps"],
)
def test_a_redis_elsewhere_is_asked_how_it_keeps_things(shop, elsewhere, settings, code, found):
    elsewhere.configure(**settings)
    checks = examined(shop, code, **elsewhere.env())
    assert checks["redis"]["state"] == "ok"
    state, said = found
    assert checks["durability"]["state"] == state
    assert said in checks["durability"]["message"]


def test_a_redis_that_tells_nothing_of_itself_is_a_warning(shop, elsewhere):
    elsewhere.forbid("asker", "config", "info")
    checks = examined(shop, 0, **elsewhere.env("asker"))
    assert (checks["redis"]["state"], checks["durability"]["state"]) == ("warning", "warning")
    assert "it does not tell: appendonly, appendfsync, maxmemory-policy" in checks["durability"]["message"]


def test_a_ledger_that_this_folder_does_not_know_is_wrong(shop):
    assert shop.vton("enqueue", shop.urls(1)).code == 0
    assert "1 batch;" in examined(shop, 0)["ledger"]["message"]
    shutil.rmtree(shop.folder / ".vton" / "redis")
    check = examined(shop, 7)["ledger"]
    assert "is empty" in check["message"]
    assert "--accept-new-ledger" in check["todo"]


#: Bytes.
FLOOR = 200_000_000


TRACED = {"VTON_TRACING__ENABLED": "true"}


def test_traces_that_nobody_takes_are_a_warning_and_those_that_cannot_be_made_are_wrong(shop, tmp_path):
    with RawServer(accepted("x")) as server:
        taken = TRACED | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{server.port}/v1/traces"}
        assert examined(shop, 0, **taken)["tracing"]["state"] == "ok"
        assert server.heard == []
    closed = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    found = examined(shop, 0, **TRACED, **closed)["tracing"]
    assert (found["state"], "spans are lost" in found["message"]) == ("warning", True)
    assert found["todo"] == "start the receiver, or fix OTEL_EXPORTER_OTLP_ENDPOINT"
    assert examined(shop, 0, **TRACED, OTEL_SDK_DISABLED="true")["tracing"]["state"] == "warning"
    nowhere = TRACED | {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}
    assert "is no http(s) address" in examined(shop, 7, **nowhere)["tracing"]["message"]
    # As it is without the extra.
    (tmp_path / "opentelemetry.py").write_text("")
    found = examined(shop, 7, **TRACED, PYTHONPATH=str(tmp_path))["tracing"]
    assert found["message"] == "OpenTelemetry is not installed"
    assert found["todo"] == "pip install 'vton-batch[otel]'"


@pytest.mark.parametrize(
    ("free", "state"), [(FLOOR - 1, "wrong"), (TIGHT_BYTES - 1, "warning"), (TIGHT_BYTES, "ok")]
)
def test_a_disk_with_little_room_is_told_before_it_is_full(tmp_path, monkeypatch, free, state):
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=free))
    check = check_folder("data_dir", tmp_path / "not" / "yet", "pictures", floor=FLOOR)
    assert check.state == state
    assert "not yet made" in check.message
    assert list(tmp_path.iterdir()) == []


def test_what_is_set_by_hand_and_keeps_the_workers_below_the_limits_is_named(shop):
    check = examined(shop, 0, VTON_LIMITS__IN_FLIGHT="10", VTON_WORKERS__SUBMIT_THREADS="2")["pace"]
    assert check["state"] == "warning"
    assert check["message"].startswith("workers.submit_threads is 2, the account's limits need ")


def test_with_an_api_key_both_hosts_are_looked_at_and_the_key_goes_nowhere(shop):
    with RawServer(accepted("t")) as server:
        key = {
            "HIDREAM_TOKEN": "",
            "HIDREAM_API_KEY": TOKEN,
            "VTON_HIDREAM__TOKEN_URL": f"{server.url}/token",
        }
        checks = examined(shop, 0, **key)
        assert checks["token"]["message"].startswith("HIDREAM_API_KEY is set")
        assert checks["token_url"]["state"] == "ok"
        assert server.connections == 1
        assert server.heard == []
    assert shop.vendor.strangers == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_host_must_prove_its_name_and_hears_no_request(shop, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
        f"-addext subjectAltName=DNS:localhost -keyout {key} -out {certificate}".split(),
        check=True,
        capture_output=True,
    )
    context = ssl_server(key, certificate)
    with RawServer(accepted("t"), tls=context) as server:
        port = server.url.rpartition(":")[2]
        env = {"VTON_HIDREAM__BASE_URL": f"https://localhost:{port}", "SSL_CERT_FILE": str(certificate)}
        assert examined(shop, 0, **env)["hidream"]["message"] == f"localhost:{port} answers, TLSv1.3"
        env["VTON_HIDREAM__BASE_URL"] = f"https://127.0.0.1:{port}"
        assert "certificate is not valid here" in examined(shop, 7, **env)["hidream"]["message"]
        assert server.heard == []


def ssl_server(key, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


SHUT = {
    "paused": ({"paused": "stocktaking"}, "paused: stocktaking", "ops", "vton resume"),
    "credits": (
        {"breaker": "credits", "breaker_why": "code 2007 (HTTP 200)"},
        "code 2007",
        "ops",
        "buy credits",
    ),
    "vendor": ({"breaker": "vendor", "breaker_why": "HTTP 503"}, "vendor: HTTP 503", "vendor", "ask HiDream"),
    "not reached": (
        {"closed_until": "9000000000000000", "closed_by": "unsent", "closed_why": "ConnectError"},
        "not reached: ConnectError",
        "ops",
        "hidream below",
    ),
    "replicas": (
        {
            "closed_until": "9000000000000000",
            "closed_by": "replicas",
            "closed_why": "0 of 1 replicas have it",
        },
        "replicas behind: 0 of 1 replicas have it",
        "ops",
        "replicas above",
    ),
}


def test_every_reason_that_only_a_person_can_put_right_has_its_advice_and_ends_a_run():
    assert set(ADVICE) == PERSONS == set(get_args(PauseReason)) - {"vendor"}


@pytest.mark.parametrize("shut", SHUT.values(), ids=SHUT)
def test_a_gate_that_is_shut_is_wrong_and_says_whose_it_is(shop, elsewhere, ledger, shut):
    gate, said, owner, todo = shut
    ledger.client.hset(ledger.key("gate"), mapping=gate)
    found = examined(shop, 7, **elsewhere.env())["account"]
    assert (found["state"], found["owner"]) == ("wrong", owner)
    assert said in found["message"]
    assert todo in found["todo"]
