"""The HTTP face: the vendor's three addresses, the pictures, and the simulator's own under `/_sim/`."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from jobs.errors import ConfigError
from worker.simulator.account import Account
from worker.simulator.downloads import Downloads
from worker.simulator.faults import Script, Strike, parse_rules
from worker.simulator.mishaps import broken
from worker.simulator.polls import Polls
from worker.simulator.replies import json_reply, status_reply
from worker.simulator.submits import submit
from worker.simulator.wires import Wires

SUBMIT_PATH = "/api-pub/ec/v3/image/vton/async"
RESULTS_PATH = f"{SUBMIT_PATH}/results"
TOKEN_PATH = "/prod-api/user/apikey2token"  # noqa: S105 an address, no secret


def build_app(account: Account, wires: Wires) -> Starlette:
    """The application around one account."""
    desk, polls, downloads = Desk(account, wires), Polls(account, wires), Downloads(account, wires)

    async def order(request: Request) -> Response:
        return await submit(account, wires, request)

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        account.wake()
        yield
        await account.close()

    routes = [
        Route(SUBMIT_PATH, order, methods=["POST"]),
        Route(RESULTS_PATH, polls.answer),
        Route(TOKEN_PATH, desk.token),
        Route("/image/{name}", downloads.answer),
        Route("/_sim/health", desk.health),
        Route("/_sim/ledger", desk.ledger),
        Route("/_sim/arrivals", desk.arrivals),
        Route("/_sim/credits", desk.credits, methods=["POST"]),
        Route("/_sim/faults", desk.faults, methods=["GET", "POST"]),
    ]
    return Starlette(routes=routes, lifespan=life)


class Desk:
    """The token exchange and the simulator's own addresses."""

    def __init__(self, account: Account, wires: Wires) -> None:
        self._account = account
        self._wires = wires

    async def health(self, _: Request) -> Response:
        """That it is up."""
        return json_reply({"ok": True, "tasks": len(self._account.ledger.tasks)})

    async def ledger(self, request: Request) -> Response:
        """The books; `?tasks=0` leaves the list of tasks out."""
        limit = self._account.options.images_per_minute
        totals = self._account.ledger.totals(images_per_minute=limit) | {
            "faults": self._account.script.counts()
        }
        if request.query_params.get("tasks") == "0":
            return json_reply({"totals": totals})
        return json_reply({"tasks": self._account.ledger.listing(), "totals": totals})

    async def arrivals(self, _: Request) -> Response:
        """When submits arrived, epoch seconds, refused ones too."""
        return json_reply({"arrivals": self._account.ledger.arrivals})

    async def credits(self, request: Request) -> Response:
        """Tops up; `{"add": null}` makes the balance endless."""
        ledger = self._account.ledger
        try:
            add = json.loads(await request.body())["add"]
        except (ValueError, TypeError, KeyError):
            add = ""
        if add is not None and type(add) is not int:
            return json_reply({"error": 'the body must be {"add": <pictures>}'}, status=400)
        if add is None:
            ledger.set_credits(None)
        elif ledger.credits is not None:
            ledger.set_credits(ledger.credits + add)
        return json_reply({"credits": ledger.credits})

    async def faults(self, request: Request) -> Response:
        """Shows the strikes so far, or replaces the script; counts begin anew then."""
        account = self._account
        if request.method == "POST":
            try:
                rules = parse_rules((await request.body()).decode("utf-8", "replace"))
            except ConfigError as error:
                return json_reply({"error": str(error)}, status=400)
            account.script = Script(rules, seed=account.options.seed)
        return json_reply({"rules": len(account.script.rules), "struck": account.script.counts()})

    async def token(self, request: Request) -> Response:
        """Gives a token for an api-key."""
        account = self._account
        account.ledger.count("tokens:asked")
        if not self._enters(request.headers):
            return status_reply(401)
        strike = account.script.strike("token")
        life_s = _token_life(strike, account.options.token_life_s)
        token, expires_s = account.give_token(life_s)
        expires = datetime.fromtimestamp(expires_s, UTC).isoformat()
        good = json_reply(
            {"code": 0, "message": "Success", "result": {"token": token, "expire_time": expires}}
        )
        return good if strike is None else broken(strike, self._wires, good)

    def _enters(self, headers: Mapping[str, str]) -> bool:
        key, good = headers.get("api-key", ""), self._account.options.api_key
        return bool(key) and good in {"any", key}


def _token_life(strike: Strike | None, usual_s: float) -> float:
    if strike is not None and strike.do == "short":
        return strike.number("seconds")
    return -1.0 if strike is not None and strike.do == "expired" else usual_s
