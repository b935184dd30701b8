"""The programs of examples/notices, each run as `notify.command` runs it, against what they talk to."""

import base64
import hashlib
import hmac
import json
import socket
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path

import pytest

from jobs.notices.channels import Command, NoticeError
from jobs.notices.notice import Event, Notice

FOLDER = Path(__file__).parents[2] / "examples" / "notices"
NOTICE = Notice(
    event=Event.GAPS, severity="warning", title="b: 3 of 4 行", todo="look", batch="b", facts={"rows": 4}
)
CONTENT = NOTICE.content("vton")
TEXT = "[warning] b: 3 of 4 行\nlook"


def run(name: str, *words: str, content=CONTENT) -> None:
    Command(argv=(sys.executable, str(FOLDER / name), *words), timeout_s=600).send(content)


@pytest.mark.parametrize(
    ("chat", "body"),
    [
        ("slack", {"text": TEXT}),
        ("feishu", {"msg_type": "text", "content": {"text": TEXT}}),
        ("dingtalk", {"msgtype": "text", "text": {"content": TEXT}}),
        ("wecom", {"msgtype": "text", "text": {"content": TEXT}}),
    ],
)
def test_a_chat_gets_the_body_that_it_takes(listener, monkeypatch, chat, body):
    monkeypatch.setenv("CHAT_WEBHOOK", f"{listener.url}/hook?access=1")
    run("chat.py", chat)
    (came,) = listener.came
    assert json.loads(came.body) == body
    assert came.headers["Content-Type"] == "application/json"


def test_feishus_signature_is_the_one_that_it_documents(listener, monkeypatch):
    monkeypatch.setenv("CHAT_WEBHOOK", listener.url)
    monkeypatch.setenv("CHAT_SECRET", "key")
    run("chat.py", "feishu")
    body = json.loads(listener.came[0].body)
    signed = hmac.new(f"{body['timestamp']}\nkey".encode(), b"", hashlib.sha256).digest()
    assert body["sign"] == base64.b64encode(signed).decode()


def test_dingtalks_signature_is_the_one_that_it_documents(listener, monkeypatch):
    monkeypatch.setenv("CHAT_WEBHOOK", f"{listener.url}/hook?access_token=1")
    monkeypatch.setenv("CHAT_SECRET", "key")
    run("chat.py", "dingtalk")
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(listener.came[0].path).query))
    signed = hmac.new(b"key", f"{query['timestamp']}\nkey".encode(), hashlib.sha256).digest()
    assert query["sign"] == base64.b64encode(signed).decode()
    assert len(query["timestamp"]) == 13, "milliseconds"


@pytest.mark.parametrize(
    ("chat", "answer"), [("feishu", b'{"code": 19024}'), ("wecom", b'{"errcode": 93000}')]
)
def test_a_chat_that_says_no_with_a_200_is_a_failure(listener, monkeypatch, chat, answer):
    monkeypatch.setenv("CHAT_WEBHOOK", listener.url)
    listener.answer = answer
    with pytest.raises(NoticeError, match=chat):
        run("chat.py", chat)


@pytest.mark.parametrize(
    ("words", "env", "said"),
    [
        (("chat.py", "slack"), {}, "chat.py: CHAT_WEBHOOK is not set"),
        (("chat.py", "slack"), {"CHAT_WEBHOOK": "hooks.example"}, "chat.py: CHAT_WEBHOOK is no address"),
        (("chat.py", "slack"), {"CHAT_WEBHOOK": "http://127.0.0.1:1/"}, "chat.py: slack does not answer"),
        (("chat.py",), {"CHAT_WEBHOOK": "http://127.0.0.1:1/"}, "say slack, feishu, dingtalk or wecom"),
        (("check_in.py",), {}, "check_in.py: CHECK_IN_URL is not set"),
        (
            ("check_in.py",),
            {"CHECK_IN_URL": "http://127.0.0.1:1/"},
            "check_in.py: the service does not answer",
        ),
        (("mail.py",), {"MAIL_FROM": "a@b.example"}, "mail.py: not set: MAIL_HOST, MAIL_TO"),
        (
            ("mail.py",),
            {
                "MAIL_FROM": "a@b.example",
                "MAIL_TO": "a@b.example",
                "MAIL_HOST": "127.0.0.1",
                "MAIL_PORT": "1",
            },
            "mail.py: 127.0.0.1 does not take it",
        ),
    ],
)
def test_what_is_missing_is_one_line_and_a_failure(words, env, said):
    ended = subprocess.run(
        [sys.executable, FOLDER / words[0], *words[1:]],
        input=json.dumps(CONTENT), env=env, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (1, "")
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(("event", "calls"), [(Event.ENDED, 1), (Event.GAPS, 1), (Event.BREAKER, 0)])
def test_only_a_batch_that_has_ended_checks_in(listener, monkeypatch, event, calls):
    monkeypatch.setenv("CHECK_IN_URL", listener.url)
    run("check_in.py", content={**CONTENT, "event": event})
    assert len(listener.came) == calls


def test_a_mail_has_the_title_as_its_subject_and_the_numbers(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        got: list[bytes] = []
        thread = threading.Thread(target=_take_mail, args=(server, got))
        thread.start()
        monkeypatch.setenv("MAIL_HOST", "127.0.0.1")
        monkeypatch.setenv("MAIL_PORT", str(server.getsockname()[1]))
        monkeypatch.setenv("MAIL_FROM", "vton@shop.example")
        monkeypatch.setenv("MAIL_TO", "ops@shop.example")
        run("mail.py", content={**CONTENT, "title": "b: 3 of 4 rows"})
        thread.join()
    head, _, body = b"".join(got).partition(b"\n\n")
    assert b"Subject: vton: b: 3 of 4 rows" in head
    assert b"To: ops@shop.example" in head
    assert b"rows" in body


def _take_mail(server: socket.socket, got: list[bytes]) -> None:
    """As much of a mail server as one mail needs."""
    connection, _ = server.accept()
    with connection, connection.makefile("rb") as lines:
        connection.sendall(b"220 here\r\n")
        for line in lines:
            word = line[:4].upper().strip()
            if word == b"DATA":
                connection.sendall(b"354 go\r\n")
                for part in lines:
                    if part == b".\r\n":
                        break
                    got.append(part.replace(b"\r\n", b"\n"))
            connection.sendall(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                return
