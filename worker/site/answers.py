"""What all sites do alike: the headers of answers, pages and their own files, bodies of requests within bounds."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from worker.bounded import BodyError, bounded_body

#: Seconds for a whole body.
READ_S: Final = 15.0
#: For what is no page, and with what a site's own pages need.
STRICT: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
OWN_PAGES: Final = f"{STRICT}; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_TYPES: Final[Mapping[str, str]] = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}

#: Refuses a request for a reason, with a status; the site's own, which logs it.
Refuse = Callable[[str, int], Response]
App = Callable[[Scope, Receive, Send], Any]


def guarded(inner: Starlette, *, referrer: str = "no-referrer") -> App:
    """The same, with the headers that every answer has. `referrer`: a page with forms needs `same-origin`."""
    headers = (*_HEADERS, (b"referrer-policy", referrer.encode()))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                if not any(name == b"content-security-policy" for name, _ in given):
                    given.append((b"content-security-policy", STRICT.encode()))
                message["headers"] = [*given, *headers]
            await send(message)

        await inner(scope, receive, sending)

    return app


async def body(request: Request, refuse: Refuse, *, most: int) -> bytes | Response:
    """A body of so many bytes at most, or the answer to one that is none.

    It is read before anything is refused: an answer before the end of a body is lost with the connection now and then.
    """
    try:
        return await bounded_body(request, most=most, seconds=READ_S)
    except BodyError as error:
        return refuse(error.reason, 413 if error.reason == "too_big" else 408)
    except ClientDisconnect:
        return refuse("hung_up", 400)


def root(request: Request) -> str:
    """The way from a page to the first one: an ingress may have put a path of its own before ours."""
    return "../" * (request.url.path.count("/") - 1) or "./"


def page(package: str, name: str, *, status: int = 200, policy: str = OWN_PAGES, **given: object) -> Response:
    """A page of the package's `pages`, or of those that all sites share."""
    # A name from a file system may hold half characters.
    text = templates(package).get_template(name).render(**given).encode("utf-8", "backslashreplace")
    headers = {"content-security-policy": policy, "cache-control": "no-store"}
    return HTMLResponse(text, status_code=status, headers=headers)


@cache
def templates(package: str) -> Environment:
    """The templates of a site."""
    loaders = [PackageLoader(each, "pages") for each in (package, "worker.site")]
    return Environment(autoescape=True, loader=ChoiceLoader(loaders), undefined=StrictUndefined)


def own_file(*folders: Path) -> Callable[[Request], Any]:
    """An endpoint for `{name}`: the scripts and styles that lie in these folders."""
    files = {
        each.name: each for folder in folders for each in folder.glob("pages/*") if each.suffix in _TYPES
    }

    async def give(request: Request) -> Response:
        found = files.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return FileResponse(found, media_type=_TYPES[found.suffix], headers={"cache-control": "no-cache"})

    return give


async def healthy(_request: Request) -> Response:
    """Says that the server runs."""
    return PlainTextResponse("ok\n")
