"""The page that asks for a site's token, and what takes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from worker.site.access import HEADER, Access, same_origin
from worker.site.answers import Refuse, body, healthy, own_file, page, root

#: Seconds for which a browser remembers that it has entered.
_REMEMBERED_S: Final = 14 * 86_400
#: Bytes of a body.
_MAX_BODY: Final = 4096
_HERE: Final = Path(__file__).parent


class _Entered(msgspec.Struct, frozen=True, kw_only=True):
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """Lets in whoever knows one of the tokens; nobody learns by asking what there is."""

    #: The site in words, and the command that starts it.
    title: str
    command: str
    #: One for each role. A browser is let in by one at a time.
    accesses: Sequence[Access]
    refuse: Refuse
    #: Where the site's own `pages` lie.
    folder: Path

    def routes(self) -> list[Route]:
        """What everybody may ask for."""
        return [
            Route("/healthz", healthy, methods=["GET"]),
            Route("/pages/{name}", own_file(self.folder, _HERE), methods=["GET"]),
            Route("/enter", self._enter, methods=["POST"]),
        ]

    def page(self, request: Request) -> Response:
        """The page in place of any other."""
        given = {"title": self.title, "command": self.command}
        return page("worker.site", "enter.html", status=401, root=root(request), **given)

    async def _enter(self, request: Request) -> Response:
        given = await body(request, self.refuse, most=_MAX_BODY)
        if not same_origin(request) or request.headers.get(HEADER) != "enter":
            return self.refuse("origin", 403)
        if isinstance(given, Response):
            return given
        try:
            token = msgspec.json.decode(given, type=_Entered).token.strip()
        except (msgspec.DecodeError, RecursionError):
            return self.refuse("not_json", 400)
        opened = [each for each in self.accesses if each.opens(token)]
        if not opened:
            return self.refuse("token", 403)
        answer = PlainTextResponse("ok\n")
        for each in self.accesses:
            if each in opened:
                self._remember(request, answer, each)
            elif each.cookie_name in request.cookies:
                answer.delete_cookie(each.cookie_name)
        return answer

    def _remember(self, request: Request, answer: Response, access: Access) -> None:
        answer.set_cookie(
            access.cookie_name,
            access.cookie,
            max_age=_REMEMBERED_S,
            httponly=True,
            samesite="lax",
            secure=request.headers.get("origin", "").startswith("https:"),
        )
