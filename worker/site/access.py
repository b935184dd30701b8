"""Who may enter a site: whoever knows its token. A page that was opened with it carries a second one for what it sends.

Pure. The token itself travels once, in the body of a request; what a browser keeps and sends follows from it, one way only.
"""

import hashlib
import hmac
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

#: Carries the page's own token; no form and no page of another origin can send it.
HEADER: Final = "x-vton-review"


class Access:
    """What one token opens."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        #: The name differs with the token: a browser sends cookies of all ports of a host to each.
        self.cookie_name = f"vton_review_{self._mac('name')[:8]}"
        self.cookie = self._mac("cookie")
        #: What the page sends with each request that changes something.
        self.page_token = self._mac("page")

    def opens(self, token: str) -> bool:
        """Whether this is the token; takes the same time for every wrong one."""
        given, own = (
            hashlib.sha256(each).digest() for each in (token.encode("utf-8", "replace"), self._token)
        )
        return hmac.compare_digest(given, own)

    def knows(self, request: Request) -> bool:
        """Whether the browser has entered before."""
        return _same(request.cookies.get(self.cookie_name, ""), self.cookie)

    def may_write(self, request: Request) -> bool:
        """Whether one of our own pages has sent this."""
        return same_origin(request) and self.is_page(request.headers.get(HEADER, ""))

    def is_page(self, given: str) -> bool:
        """Whether this is what our own pages send."""
        return _same(given, self.page_token)

    def _mac(self, what: str) -> str:
        return hmac.new(self._token, f"vton-review\n{what}".encode(), hashlib.sha256).hexdigest()


def same_origin(request: Request) -> bool:
    """Whether a page of this origin has sent it, as the browser says; older browsers name the origin alone."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        origin = urlsplit(request.headers.get("origin", "")).netloc
    except ValueError:
        return False
    return bool(origin) and origin == request.headers.get("host")


def _same(given: str, own: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), own.encode())
