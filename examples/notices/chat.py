"""Passes a notice on to a chat: `notify.command: [python3, /srv/vton/chat.py, slack]`.

It is slack, feishu, dingtalk or wecom; CHAT_WEBHOOK is the address that the chat has given you, CHAT_SECRET the key for
its signature (Feishu, DingTalk), if you have set one. Needs nothing but Python.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import sys
import time
import urllib.parse
import urllib.request
from typing import Any


def _sign(key: str, text: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


def request_of(
    chat: str, notice: dict[str, Any], address: str, secret: str, now_s: float
) -> tuple[str, dict[str, Any]]:
    """The address and the body with which a chat takes a notice."""
    text = f"[{notice['severity']}] {notice['text']}"
    match chat:
        case "slack":
            return address, {"text": text}
        case "feishu":
            body: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
            if secret:
                stamp = str(int(now_s))
                body |= {"timestamp": stamp, "sign": _sign(f"{stamp}\n{secret}", "")}
            return address, body
        case "dingtalk":
            if secret:
                stamp = str(int(now_s * 1000))
                sign = urllib.parse.quote_plus(_sign(secret, f"{stamp}\n{secret}"))
                address += f"&timestamp={stamp}&sign={sign}"
            return address, {"msgtype": "text", "text": {"content": text}}
        case "wecom":
            return address, {"msgtype": "text", "text": {"content": text}}
        case _:
            raise SystemExit(f"chat.py: {chat or 'no chat'}: say slack, feishu, dingtalk or wecom")


def main(chat: str) -> None:
    """Posts the notice on standard input; ends with an error when the chat does not take it."""
    webhook = os.environ.get("CHAT_WEBHOOK", "")
    if not webhook:
        raise SystemExit("chat.py: CHAT_WEBHOOK is not set: the address that the chat has given you")
    notice = json.load(sys.stdin)
    address, body = request_of(chat, notice, webhook, os.environ.get("CHAT_SECRET", ""), time.time())
    try:
        request = urllib.request.Request(  # noqa: S310 the address is your own
            address, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=8) as reply:  # noqa: S310
            answer = reply.read().decode()
    except OSError as error:
        raise SystemExit(f"chat.py: {chat} does not answer well: {error}") from None
    except (ValueError, http.client.HTTPException):
        # The address is a secret: it is not said.
        raise SystemExit("chat.py: CHAT_WEBHOOK is no address") from None
    if chat != "slack":
        # These answer 200 whatever they think of it, and say it inside.
        said = json.loads(answer)
        if said.get("errcode", said.get("code", 0)):
            raise SystemExit(f"{chat}: {answer}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
