"""Passes a notice on by mail: `notify.command: [python3, /srv/vton/mail.py]`.

MAIL_HOST (and MAIL_PORT) is your mail server, MAIL_FROM and MAIL_TO the addresses; MAIL_USER and MAIL_PASSWORD if it wants
them, then over TLS. Needs nothing but Python.
"""

import json
import os
import smtplib
import sys
from email.message import EmailMessage
from typing import Any


def message_of(notice: dict[str, Any], sender: str, to: str) -> EmailMessage:
    """The mail: the title is its subject, the numbers stand below."""
    mail = EmailMessage()
    mail["Subject"] = f"vton: {notice['title']}".replace("\n", " ")[:200]
    mail["From"], mail["To"] = sender, to
    facts = json.dumps(notice["facts"], indent=2, ensure_ascii=False)
    mail.set_content(f"{notice['text']}\n\n{notice['event']} at {notice['at']}\n{facts}\n")
    return mail


def main() -> None:
    """Mails the notice on standard input."""
    user = os.environ.get("MAIL_USER", "")
    needed = ["MAIL_HOST", "MAIL_FROM", "MAIL_TO", *(["MAIL_PASSWORD"] if user else [])]
    if missing := [name for name in needed if not os.environ.get(name)]:
        raise SystemExit(f"mail.py: not set: {', '.join(missing)}")
    port = os.environ.get("MAIL_PORT", "25")
    if not port.isdecimal():
        raise SystemExit("mail.py: MAIL_PORT is no number")
    mail = message_of(json.load(sys.stdin), os.environ["MAIL_FROM"], os.environ["MAIL_TO"])
    try:
        with smtplib.SMTP(os.environ["MAIL_HOST"], int(port), timeout=8) as server:
            if user:
                server.starttls()
                server.login(user, os.environ["MAIL_PASSWORD"])
            server.send_message(mail)
    except OSError as error:
        # Those of smtplib are among them.
        raise SystemExit(f"mail.py: {os.environ['MAIL_HOST']} does not take it: {error}") from None


if __name__ == "__main__":
    main()
