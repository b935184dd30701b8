"""How the receiver of the webhook checks that a notice is yours, new and whole; copy `is_genuine` into your own."""

import hashlib
import hmac
import time
from collections.abc import Mapping

#: A notice that is older may have been recorded and sent again by somebody else, s.
LONGEST_S = 300


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes, now_s: float | None = None) -> bool:
    """Whether a request is a notice of yours. `body`: its bytes as they came, not parsed and written anew."""
    stamp = headers.get("X-Vton-Timestamp", "")
    if not stamp.isdecimal() or abs((time.time() if now_s is None else now_s) - int(stamp)) > LONGEST_S:
        return False
    wanted = "v1=" + hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, headers.get("X-Vton-Signature", ""))
