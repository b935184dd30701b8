"""The contact sheets of all batches, and the one door through which their pages send and hear verdicts.

Whoever has not entered sees the page that asks for the token at every address: nobody learns by asking which batches exist.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from jobs.errors import NotFoundError, VtonError
from jobs.records import BatchId, Verdict
from jobs.report import SERVED_MARK
from jobs.results.review import COLUMNS, BadLine, checked_verdict, latest_at
from worker.review.known import Known
from worker.site.access import Access
from worker.site.answers import App, body, guarded, page, root
from worker.site.entrance import Entrance
from worker.site.files import PAGE, shown

#: Bytes of a body: 100 verdicts have 100 KB at most.
MAX_BODY: Final = 262_144
#: Batches in the list.
_LISTED: Final = 200
#: The sheet's own policy, a hash for each script, stands in its head; this one adds who may frame it.
_SHEET: Final = (
    "frame-ancestors 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; connect-src 'self'"
)
_HERE: Final = Path(__file__).parent

log = structlog.get_logger()


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict as a page sends it; nothing of it is checked yet."""

    row: Any = 0
    request_id: str = ""
    picture_sha256: str
    verdict: str
    reasons: list[str] = []
    note: str = ""
    reviewer: str
    at: str

    def cells(self) -> dict[str, str]:
        values = {name: getattr(self, name, "") for name in COLUMNS}
        return values | {"row": str(self.row), "reasons": " ".join(self.reasons)}


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    #: News.position of the last answer; empty at first.
    since: str = ""
    verdicts: list[_Given] = []


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    position: str
    whole: bool
    verdicts: list[Verdict]
    #: Index of a verdict given → why it is not kept. All others are in the ledger.
    refused: dict[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSite:
    """What is served; an ASGI application is made of it by `app`."""

    known: Known
    #: Who sees and judges.
    judging: Access
    #: Who only sees; None: nobody has this role.
    looking: Access | None = None
    #: Where the batch folders are.
    output_dir: Path

    def app(self) -> App:
        """The application as a server runs it; `GET /healthz` says 200 while it does."""
        routes = [
            *self._entrance.routes(),
            Route("/b/{batch}/verdicts", self._exchange, methods=["POST"]),
            Route("/", self._batches, methods=["GET"]),
            Route("/b/{batch}/{path:path}", self._file, methods=["GET"]),
        ]
        return guarded(Starlette(routes=routes, exception_handlers={VtonError: _away}))

    @property
    def _entrance(self) -> Entrance:
        return Entrance(
            title="Contact sheets",
            command="vton serve --review",
            accesses=self._accesses,
            refuse=_refused,
            folder=_HERE,
        )

    @property
    def _accesses(self) -> list[Access]:
        return [self.judging] + ([self.looking] if self.looking else [])

    def _access(self, request: Request) -> Access | None:
        """By which of the roles a browser has entered."""
        return next((each for each in self._accesses if each.knows(request)), None)

    async def _batches(self, request: Request) -> Response:
        if self._access(request) is None:
            return self._entrance.page(request)
        found = await run_in_threadpool(self._listed)
        return page("worker.review", "batches.html", root=root(request), batches=found)

    def _listed(self) -> list[tuple[str, str]]:
        """Name and quoted name of the newest batches that have a sheet."""
        newest = self.known.batches()[:_LISTED]
        return [(each, quote(each, safe="")) for each in newest if shown(self.output_dir, each, PAGE)]

    async def _file(self, request: Request) -> Response:
        access = self._access(request)
        if access is None:
            return self._entrance.page(request)
        found = await run_in_threadpool(
            shown, self.output_dir, request.path_params["batch"], request.path_params["path"]
        )
        if found is None:
            raise HTTPException(404)
        if found.media_type == "text/html":
            return self._sheet(found.path.read_text(encoding="utf-8"), access)
        caching = "private, max-age=86400, immutable" if found.lasting else "no-cache"
        return FileResponse(found.path, media_type=found.media_type, headers={"cache-control": caching})

    def _sheet(self, page: str, access: Access) -> Response:
        if SERVED_MARK not in page:
            return PlainTextResponse(
                "This sheet was written by an earlier version, which could not be served.\n"
                "Write it anew: vton results BATCH\n",
                status_code=409,
            )
        given = f'"{access.page_token}"' + (" data-looks" if access is self.looking else "")
        page = page.replace(SERVED_MARK, SERVED_MARK.replace('""', given), 1)
        return HTMLResponse(page, headers={"content-security-policy": _SHEET, "cache-control": "no-store"})

    async def _exchange(self, request: Request) -> Response:
        asked = await _body(request)
        access = self._access(request)
        if access is None or not access.may_write(request):
            return _refused("token", 403)
        if isinstance(asked, Response):
            return asked
        if access is self.looking and asked.verdicts:
            return _refused("role", 403)
        batch = BatchId(request.path_params["batch"])
        answer = await run_in_threadpool(self._take, batch, asked)
        return Response(msgspec.json.encode(answer), media_type="application/json")

    def _take(self, batch: BatchId, asked: _Asked) -> _Answer:
        if not self.known.exists(batch):
            raise NotFoundError(f"no such batch: {batch}")
        good: dict[int, Verdict] = {}
        refused: dict[int, str] = {}
        latest = latest_at()
        for index, given in enumerate(asked.verdicts):
            match checked_verdict(given.cells(), line=index, latest=latest):
                case BadLine(why=why):
                    refused[index] = why
                case verdict:
                    good[index] = verdict
        replaced = self.known.replaced(batch, list(good.values())) if good else set()
        refused |= {index: "its picture was replaced" for index, one in good.items() if one in replaced}
        kept = [one for one in good.values() if one not in replaced]
        if kept:
            self.known.add(batch, kept)
            log.info("review.saved", batch=batch, verdicts=len(kept))
        if refused:
            log.warning("review.refused", batch=batch, reason="verdict", verdicts=len(refused))
        news = self.known.since(batch, asked.since)
        return _Answer(
            position=news.position, whole=news.whole, verdicts=list(news.verdicts), refused=refused
        )


async def _body(request: Request) -> _Asked | Response:
    """What a page asks, or the answer to what is nothing of the kind."""
    given = await body(request, _refused, most=MAX_BODY)
    if isinstance(given, Response):
        return given
    try:
        return msgspec.json.decode(given, type=_Asked)
    except (msgspec.DecodeError, RecursionError):
        return _refused("not_json", 400)


def _refused(reason: str, status: int) -> Response:
    log.warning("review.refused", reason=reason)
    # An unread body stays unread.
    return PlainTextResponse(f"{reason}\n", status_code=status, headers={"connection": "close"})


async def _away(_request: Request, error: Exception) -> Response:
    """An error of ours: what was sent stays with its page, which sends it again."""
    if isinstance(error, NotFoundError):
        return PlainTextResponse("not found\n", status_code=404)
    log.warning("redis.waiting", why=str(error))
    return PlainTextResponse("try again\n", status_code=503, headers={"connection": "close"})
