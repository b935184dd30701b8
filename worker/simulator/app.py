"""The HTTP face: the vendor's three addresses, the pictures, and the simulator's own under `/_sim/`."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from jobs.errors import ConfigError
from worker.simulator.account import Account
from worker.simulator.downloads import Downloads
from worker.simulator.faults import Script, Strike, parse_rules
from worker.simulator.mishaps import broken
from worker.simulator.polls import Polls
from worker.simulator.replies import json_reply, status_reply
from worker.simulator.submits import submit
from worker.simulator.wire import Reply, Request

SUBMIT_PATH = "/api-pub/ec/v3/image/vton/async"
RESULTS_PATH = f"{SUBMIT_PATH}/results"
TOKEN_PATH = "/prod-api/user/apikey2token"  # noqa: S105 an address, no secret

_Answer = Reply | Awaitable[Reply]
_Route = Callable[[Request, bytes], _Answer]


class App:
    """Everything around one account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._polls, self._downloads = Polls(account), Downloads(account)
        self.most_body_bytes = account.options.max_body_bytes
        self._routes: dict[tuple[str, str], _Route] = {
            ("GET", RESULTS_PATH): lambda request, _: self._polls.answer(request),
            ("GET", TOKEN_PATH): lambda request, _: self._token(request),
            ("GET", "/_sim/health"): lambda _, __: self._health(),
            ("GET", "/_sim/ledger"): lambda request, _: self._ledger(request),
            ("GET", "/_sim/arrivals"): lambda _, __: json_reply({"arrivals": account.ledger.arrivals}),
            ("POST", "/_sim/credits"): lambda _, body: self._credits(body),
            ("GET", "/_sim/faults"): lambda _, __: self._faults(),
            ("POST", "/_sim/faults"): lambda _, body: self._new_faults(body),
        }

    def begin(self, request: Request) -> None:
        """Notes the arrival of a submit, whatever becomes of it."""
        if request.path == SUBMIT_PATH and request.method == "POST":
            self._account.ledger.arrive(request.arrived_s)

    def answer(self, request: Request, body: bytes | None) -> _Answer:
        """The reply to one request."""
        method = "GET" if request.method == "HEAD" else request.method
        if (method, request.path) == ("POST", SUBMIT_PATH):
            return submit(self._account, request, body)
        route = self._routes.get((method, request.path))
        if route is not None:
            return route(request, body or b"")
        if method == "GET" and request.path.startswith("/image/"):
            return self._downloads.answer(unquote(request.path.removeprefix("/image/")))
        return status_reply(404)

    def _health(self) -> Reply:
        return json_reply({"ok": True, "tasks": len(self._account.ledger.tasks)})

    def _ledger(self, request: Request) -> Reply:
        """The books; `?tasks=0` leaves the list of tasks out."""
        account = self._account
        limit = account.options.images_per_minute
        books: dict[str, Any] = {
            "totals": account.ledger.totals(images_per_minute=limit) | {"faults": account.script.counts()}
        }
        if request.query != "tasks=0":
            books["tasks"] = account.ledger.listing()
        return json_reply(books)

    def _credits(self, body: bytes) -> Reply:
        """Tops up; `{"add": null}` makes the balance endless."""
        ledger = self._account.ledger
        try:
            add = json.loads(body)["add"]
        except (ValueError, TypeError, KeyError):
            add = ""
        if add is not None and type(add) is not int:
            return json_reply({"error": 'the body must be {"add": <pictures>}'}, status=400)
        if add is None:
            ledger.set_credits(None)
        elif ledger.credits is not None:
            ledger.set_credits(ledger.credits + add)
        return json_reply({"credits": ledger.credits})

    def _faults(self) -> Reply:
        """The strikes so far."""
        script = self._account.script
        return json_reply({"rules": len(script.rules), "struck": script.counts()})

    def _new_faults(self, body: bytes) -> Reply:
        """Replaces the script; its counts begin anew."""
        try:
            rules = parse_rules(body.decode("utf-8", "replace"))
        except ConfigError as error:
            return json_reply({"error": str(error)}, status=400)
        self._account.script = Script(rules, seed=self._account.options.seed)
        return self._faults()

    def _token(self, request: Request) -> Reply:
        """Gives a token for an api-key."""
        account = self._account
        account.ledger.count("tokens:asked")
        key, good_key = request.headers.get("api-key", ""), account.options.api_key
        if not key or good_key not in {"any", key}:
            return status_reply(401)
        strike = account.script.strike("token")
        token, expires_s = account.give_token(_token_life(strike, account.options.token_life_s))
        expires = datetime.fromtimestamp(expires_s, UTC).isoformat()
        good = json_reply(
            {"code": 0, "message": "Success", "result": {"token": token, "expire_time": expires}}
        )
        return broken(strike, good)


def _token_life(strike: Strike | None, usual_s: float) -> float:
    if strike is not None and strike.do == "short":
        return strike.number("seconds")
    return -1.0 if strike is not None and strike.do == "expired" else usual_s
