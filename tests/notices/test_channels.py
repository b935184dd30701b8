"""Each way a notice goes out: a real program, a real server, real Apprise."""

import json
import os
import sys
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from examples.notices.check_signature import is_genuine
from jobs.config.settings import NotifySettings
from jobs.notices.channels import Apprise, Command, NoticeError, Webhook, channels_of
from jobs.notices.notice import Event, Notice

SECRET = "a secret of the shop"
NOTICE = Notice(
    event=Event.GAPS, severity="warning", title="b: 3 of 4 rows", todo="look", batch="b", facts={"rows": 4}
)
CONTENT = NOTICE.content("vton")
#: For what must not come to its end.
LONG_S = 600


def command(script: str, *, timeout_s: float = LONG_S) -> Command:
    return Command(argv=(sys.executable, "-c", script), timeout_s=timeout_s)


def test_a_command_reads_the_notice_and_none_of_our_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("HIDREAM_TOKEN", "sk-secret")
    monkeypatch.setenv("VTON_NOTIFY__SECRET", SECRET)
    monkeypatch.setenv("CHAT_WEBHOOK", "its own")
    out = tmp_path / "out"
    command(
        f"import sys, os, json; json.dump([json.load(sys.stdin), dict(os.environ)], open({str(out)!r}, 'w'))"
    ).send(CONTENT)
    read, environ = json.loads(out.read_text())
    assert read == CONTENT
    assert environ["CHAT_WEBHOOK"] == "its own"
    assert not {name for name in environ if name.startswith(("VTON_", "HIDREAM_"))}


def test_a_command_that_fails_says_its_last_words():
    with pytest.raises(NoticeError, match=r"ended with 3: .*no such channel"):
        command("import sys; sys.stderr.write('no such channel'); sys.exit(3)").send(CONTENT)


def test_a_command_that_is_not_there_is_named():
    with pytest.raises(NoticeError, match="/no/such/program: No such file"):
        Command(argv=("/no/such/program",), timeout_s=5).send(CONTENT)


def test_a_command_without_an_end_is_ended_with_all_it_has_started(tmp_path):
    pids = tmp_path / "pids"
    script = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep({LONG_S})'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        f"time.sleep({LONG_S})"
    )
    with pytest.raises(NoticeError, match="not over after 3 s"):
        command(script, timeout_s=3).send(CONTENT)
    for pid in pids.read_text().split() if pids.exists() else []:
        until = time.monotonic() + LONG_S
        while _lives(pid):
            assert time.monotonic() < until
            time.sleep(0.05)


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def webhook(listener, *, timeout_s: float = LONG_S) -> Webhook:
    return Webhook(url=f"{listener.url}/hook?key=1", secret=SECRET, timeout_s=timeout_s)


def test_a_webhooks_receiver_can_check_whose_it_is_and_when_it_was_sent(listener):
    webhook(listener).send(CONTENT)
    (came,) = listener.came
    assert json.loads(came.body) == CONTENT
    assert came.headers["X-Vton-Notice"] == CONTENT["id"]
    assert is_genuine(SECRET, came.headers, came.body)
    assert not is_genuine("another", came.headers, came.body)
    assert not is_genuine(SECRET, came.headers, came.body.replace(b"3 of 4", b"4 of 4"))
    sent_s = int(came.headers["X-Vton-Timestamp"])
    assert not is_genuine(SECRET, came.headers, came.body, now_s=sent_s + 301)
    assert not is_genuine(SECRET, {**came.headers, "X-Vton-Timestamp": str(sent_s + 1)}, came.body)
    assert not is_genuine(SECRET, {}, came.body)


def test_a_webhook_that_is_busy_is_asked_again_under_the_same_id(listener):
    listener.statuses = [503, 204]
    webhook(listener).send(CONTENT)
    assert [came.headers["X-Vton-Notice"] for came in listener.came] == [CONTENT["id"]] * 2


@pytest.mark.parametrize("status", [302, 400, 404, 500])
def test_a_webhook_that_refuses_is_asked_once_and_not_followed(listener, status):
    listener.statuses = [status]
    with pytest.raises(NoticeError, match=f"answered {status}"):
        webhook(listener).send(CONTENT)
    assert len(listener.came) == 1


def test_a_webhook_that_nobody_serves_fails_within_its_time_and_says_no_address():
    with pytest.raises(NoticeError, match=r"^not reached \(ConnectError\)$"):
        Webhook(url="http://127.0.0.1:9/key-4711", secret=SECRET, timeout_s=0.1).send(CONTENT)


#: Apprise still loads it.
ANCIENT = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@ANCIENT
def test_apprise_sends_title_and_text_to_an_address(listener):
    Apprise(urls=(listener.url.replace("http://", "json://"),)).send(CONTENT)
    said = json.loads(listener.came[0].body)
    assert (said["title"], said["message"], said["type"]) == (
        "vton: batch.gaps",
        "b: 3 of 4 rows\nlook",
        "warning",
    )


@ANCIENT
@pytest.mark.parametrize("url", ["nonsense", "json://127.0.0.1:9"])
def test_apprise_with_an_address_that_takes_nothing_is_a_failure(url):
    with pytest.raises(NoticeError):
        Apprise(urls=(url,)).send(CONTENT)


def test_every_way_that_is_set_is_one_and_none_is_off():
    every = NotifySettings(
        command=("true",),
        webhook=SecretStr("https://hooks.shop.example/x"),
        secret=SecretStr(SECRET),
        apprise=SecretStr("json://a json://b"),
    )
    assert [channel.name for channel in channels_of(every)] == ["command", "webhook", "apprise"]
    assert channels_of(NotifySettings()) == []


@pytest.mark.parametrize(
    "webhook", ["ftp://hooks.shop.example", "hooks.shop.example/x", "https://hooks.shop.example"]
)
def test_a_webhook_needs_an_address_and_a_key(webhook):
    with pytest.raises(ValueError, match="webhook"):
        NotifySettings(webhook=SecretStr(webhook))


def test_what_a_vendor_has_said_brings_no_secret_into_a_notice():
    notice = Notice(
        event=Event.BREAKER,
        severity="critical",
        title="token: Bearer abcdefgh12345678",
        cause="token",
        facts={"why": "https://a:b@c/?sig=1"},
    )
    said = json.dumps(notice.content("vton"))
    assert "abcdefgh12345678" not in said
    assert "sig=1" not in said
    assert "a:b@" not in said
    assert os.sep not in notice.key("vton")
