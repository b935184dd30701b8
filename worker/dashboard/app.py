"""The dashboard as an application: a page, the stream that keeps it true, small pictures, and acts that are shown first.

Whoever has not entered sees the page that asks for the token at every address. Who may only look is refused at every act.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from jobs.errors import NotFoundError, RedisDownError, UsageError, VtonError
from worker.dashboard.acts import ask, do
from worker.dashboard.feed import Feed
from worker.dashboard.look import Look, Shop
from worker.dashboard.pictures import SmallPictures
from worker.dashboard.stream import Stream
from worker.dashboard.view import PACKAGE, Done, draw
from worker.site.access import Access, same_origin
from worker.site.answers import OWN_PAGES, App, body, guarded, page, root
from worker.site.entrance import Entrance
from worker.site.files import Shown

#: Bytes of a form, and fields of it.
_MAX_FORM: Final = 8192
_MAX_FIELDS: Final = 12
#: Viewers at once; beyond them nobody is let in, so that callbacks have their connections.
_MAX_VIEWERS: Final = 64
#: What was done from here that the page lists.
_DONE_SHOWN: Final = 8
#: No script and no style but our own files; forms go to ourselves only, nobody frames us.
_POLICY: Final = OWN_PAGES.replace("form-action 'none'", "form-action 'self'")
_HERE: Final = Path(__file__).parent

log = structlog.get_logger()

Answer = Callable[[Request], Awaitable[Response]]


@dataclass(slots=True, kw_only=True)
class DashboardSite:
    """What is served; an ASGI application is made of it by `app`."""

    shop: Shop
    feed: Feed
    pictures: SmallPictures
    #: Who may act, and who may look only; None: nobody is let in to look only.
    acting: Access
    looking: Access | None = None
    #: The server is about to end.
    ending: Callable[[], bool] = lambda: False
    _done: deque[Done] = field(default_factory=partial(deque, maxlen=_DONE_SHOWN))
    #: By role: the parts of the page as the last look has them.
    _drawn: dict[bool, tuple[Look, dict[str, str]]] = field(default_factory=dict)

    def routes(self) -> list[Route]:
        """Every address."""
        return [
            *self._entrance.routes(),
            Route("/", self._let_in(self._page), methods=["GET"]),
            Route("/events", self._let_in(self._events), methods=["GET"]),
            Route("/b/{batch}/{path:path}", self._let_in(self._picture), methods=["GET"]),
            Route("/ask/{act}", self._let_in(self._acting_only(self._ask)), methods=["GET"]),
            Route("/do/{act}", self._do, methods=["POST"]),
        ]

    def app(self) -> App:
        """The application as a server runs it; `GET /healthz` says 200 while it does."""
        # A form says where it comes from by its Origin, which no-referrer would blank.
        return guarded(
            Starlette(routes=self.routes(), exception_handlers={VtonError: _away}), referrer="same-origin"
        )

    @property
    def _entrance(self) -> Entrance:
        return Entrance(
            title="Dashboard",
            command="vton serve --dashboard",
            accesses=[self.acting] + ([self.looking] if self.looking else []),
            refuse=_refused,
            folder=_HERE,
        )

    def _may_act(self, request: Request) -> bool:
        return self.acting.knows(request)

    def _let_in(self, answer: Answer) -> Answer:
        """The same for who has entered, whichever role; anybody else is asked for a token."""

        async def only(request: Request) -> Response:
            if self._may_act(request) or (self.looking is not None and self.looking.knows(request)):
                return await answer(request)
            return self._entrance.page(request)

        return only

    def _acting_only(self, answer: Answer) -> Answer:
        async def only(request: Request) -> Response:
            return await answer(request) if self._may_act(request) else _refused("role", 403)

        return only

    async def _page(self, request: Request) -> Response:
        look, acting, here = await self.feed.look(), self._may_act(request), root(request)
        parts = self._draw(look, acting=acting)
        return page(
            PACKAGE,
            "dashboard.html",
            policy=_POLICY,
            root=here,
            parts=parts,
            acting=acting,
            shop=self.shop.ledger.prefix.removeprefix("vton").strip("-"),
        )

    async def _events(self, request: Request) -> Response:
        if self.feed.viewers >= _MAX_VIEWERS:
            return _refused("viewers", 503)
        return Stream(self.feed, partial(self._draw, acting=self._may_act(request)), ending=self._is_ending)

    def _is_ending(self) -> bool:
        # Asked anew each time: the server that knows it is made after this.
        return self.ending()

    def _draw(self, look: Look, *, acting: bool) -> dict[str, str]:
        """The parts for one role, drawn once for all its viewers."""
        drawn = self._drawn.get(acting)
        if drawn is None or drawn[0] is not look:
            drawn = self._drawn[acting] = look, draw(look, self._done, acting=acting)
        return drawn[1]

    async def _picture(self, request: Request) -> Response:
        names = request.path_params
        found = await run_in_threadpool(self.pictures.find, names["batch"], names["path"])
        match found:
            case None:
                raise HTTPException(404)
            case Shown():
                caching = {"cache-control": "private, max-age=86400, immutable"}
                return FileResponse(found.path, media_type=found.media_type, headers=caching)
            case _:
                return Response(
                    found, media_type="image/webp", headers={"cache-control": "private, max-age=3600"}
                )

    async def _ask(self, request: Request) -> Response:
        return await self._question(request, request.path_params["act"], dict(request.query_params))

    async def _question(
        self, request: Request, act: str, given: dict[str, str], *, refused: str = ""
    ) -> Response:
        question = await run_in_threadpool(ask, self.shop, act, given)
        return page(
            PACKAGE,
            "ask.html",
            policy=_POLICY,
            status=409 if refused else 200,
            root=root(request),
            question=question,
            refused=refused,
            given=given,
            page_token=self.acting.page_token,
        )

    async def _do(self, request: Request) -> Response:
        sent = await body(request, _refused, most=_MAX_FORM)
        if not self._may_act(request):
            return _refused("role", 403)
        if isinstance(sent, Response):
            return sent
        try:
            given = dict(parse_qsl(sent.decode(), max_num_fields=_MAX_FIELDS, keep_blank_values=True))
        except ValueError:
            return _refused("not_a_form", 400)
        if not same_origin(request) or not self.acting.is_page(given.pop("page", "")):
            return _refused("origin", 403)
        act = request.path_params["act"]
        try:
            words = await run_in_threadpool(do, self.shop, act, given)
        except UsageError as error:
            return await self._question(request, act, given, refused=str(error))
        log.info("dashboard.acted", act=act, batch=given.get("batch"), words=words)
        self._done.appendleft(Done(at_ms=round(time.time() * 1000), words=words))
        self.feed.forget()
        return RedirectResponse(root(request), status_code=303)


def _refused(reason: str, status: int) -> Response:
    log.warning("dashboard.refused", reason=reason)
    # An unread body stays unread.
    return PlainTextResponse(f"{reason}\n", status_code=status, headers={"connection": "close"})


async def _away(_request: Request, error: Exception) -> Response:
    """An error of ours. After a form whose answer was lost nobody knows: whoever sent it looks again."""
    if isinstance(error, NotFoundError):
        return PlainTextResponse("not found\n", status_code=404)
    if isinstance(error, RedisDownError):
        log.warning("redis.waiting", why=str(error))
    said = f"{error}\nWhether anything was done is not known: go back, and look before you do it again.\n"
    return PlainTextResponse(said, status_code=503, headers={"connection": "close"})
