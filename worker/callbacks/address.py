"""The address HiDream calls back: `/callbacks/<job>/<expiry>/<mac>`, which only we can have made.

Pure: no clock, no network. The MAC binds the job to the expiry, so that an address neither serves another job
nor lives longer than meant.
"""

import hashlib
import hmac
import re
from typing import Final
from urllib.parse import quote, urlsplit

from jobs.errors import ConfigError

#: Characters of a key below which it could be guessed from one known address.
_MIN_KEY: Final = 16
_PATH: Final = re.compile(
    r"/callbacks/(?P<job>[^/]{1,64})/(?P<expiry>[0-9]{1,12})/(?P<mac>[0-9a-f]{64})", re.ASCII
)


class CallbackAddresses:
    """Makes and proves callback addresses.

    Args:
        public_url: where HiDream reaches the receiver, e.g. `https://shop.example/hooks`.
        secret: the key; `new,old` while it is rotated: addresses are made with the first, proven with either.
        valid_s: how long an address is good for, in seconds.

    Raises:
        ConfigError: the URL is not http(s) or carries a query, or a key is missing or below 16 characters.
    """

    def __init__(self, public_url: str, secret: str, valid_s: float) -> None:
        parts = urlsplit(public_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ConfigError("callbacks.public_url: must be an http(s) address without query and fragment")
        keys = [key.strip() for key in secret.split(",") if key.strip()]
        if not keys or any(len(key) < _MIN_KEY for key in keys):
            raise ConfigError(f"VTON_CALLBACKS__SECRET: each key must have at least {_MIN_KEY} characters")
        self._base = public_url.rstrip("/")
        self._prefix = parts.path.rstrip("/")
        self._keys = [key.encode() for key in keys]
        self._valid_s = valid_s

    def address(self, request_id: str, now_s: float) -> str:
        """The full address for one job, good from `now_s` (unix seconds) on for the configured time."""
        expiry = str(int(now_s + self._valid_s))
        mac = _mac(self._keys[0], request_id, expiry)
        return f"{self._base}/callbacks/{quote(request_id, safe='')}/{expiry}/{mac}"

    def verify(self, job: str, expiry: str, mac: str, now_s: float) -> bool:
        """Whether we made this address and it is still good; takes the same time for every wrong MAC."""
        given = mac.encode("utf-8", "replace")
        proven = False
        for key in self._keys:
            proven |= hmac.compare_digest(_mac(key, job, expiry).encode(), given)
        return proven and int(expiry) >= now_s

    def split(self, path: str) -> tuple[str, str, str] | None:
        """A request's path as (job, expiry, mac), or None when it cannot be ours.

        An ingress may pass the public URL's own path on or strip it: both are understood.
        """
        match = _PATH.fullmatch(path.removeprefix(self._prefix))
        return (match["job"], match["expiry"], match["mac"]) if match else None


def _mac(key: bytes, job: str, expiry: str) -> str:
    message = f"vton-callback\n{job}\n{expiry}".encode("utf-8", "replace")
    return hmac.new(key, message, hashlib.sha256).hexdigest()
