"""The event stream of one viewer: each look as the parts of the page that it changes."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from worker.dashboard.feed import Feed
from worker.dashboard.look import Look

#: Seconds that a viewer may take for one event; then it is one that is gone.
_SEND_S: Final = 15.0

#: The parts of the page by their ids, as HTML.
Draw = Callable[[Look], Mapping[str, str]]


class Stream(Response):
    """Goes on until the viewer leaves, or `ending`."""

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, draw: Draw, *, ending: Callable[[], bool]) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        self._feed = feed
        self._draw = draw
        self._ending = ending
        # Not known before it has ended.
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends looks as they are taken."""
        del scope
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        leaving = asyncio.ensure_future(_left(receive))
        self._feed.viewers += 1
        seen: Look | None = None
        parts: Mapping[str, str] = {}
        try:
            while not leaving.done() and not self._ending():
                look = await self._feed.look()
                if look is not seen:
                    drawn = self._draw(look)
                    changed = {name: text for name, text in drawn.items() if parts.get(name) != text}
                    seen, parts = look, drawn
                    async with asyncio.timeout(_SEND_S):
                        await send({"type": "http.response.body", "body": _event(changed), "more_body": True})
                await asyncio.wait({leaving}, timeout=self._feed.due_in_s)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            return
        finally:
            self._feed.viewers -= 1
            leaving.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(parts: Mapping[str, str]) -> bytes:
    return f"data: {json.dumps(parts)}\n\n".encode()
