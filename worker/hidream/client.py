"""Asks HiDream: jobs are submitted, and their tasks asked after, over the same session."""

import re
import ssl
import time
from dataclasses import replace
from urllib.parse import urlencode

import structlog
from pydantic import SecretStr

from jobs.config.settings import HiDreamSettings
from jobs.records import TaskId
from worker.hidream.outcomes import NotSent, Paused, PollFailed, PollOutcome, SubmitOutcome, Unknown
from worker.hidream.replies import poll_outcome, submit_outcome
from worker.hidream.session import MAX_CONNECTIONS, NoAnswerError, Sending, Session
from worker.hidream.tokens import TokenSource, TokenUnavailableError
from worker.hidream.wire import Body, Reply

log = structlog.get_logger()

#: What is kept of a reply that we cannot judge.
_TASK_ID = re.compile(rb'"task_id"\s*:\s*"([!-~]{1,200}?)"')


class HiDreamClient:
    """Submits and polls, many at a time over at most so many connections (0: any); made and used inside one event loop."""

    def __init__(
        self,
        settings: HiDreamSettings,
        tokens: TokenSource,
        ssl_context: ssl.SSLContext,
        connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._submit_address = join(settings.base_url, settings.submit_path)
        self._results_address = join(settings.base_url, settings.results_path)
        self._session = Session(settings, ssl_context, connections, repeats=True)

    async def submit(self, body: Body, request_id: str = "") -> SubmitOutcome:
        """Sends one job and judges the answer; each POST lasts at most `submit_timeout_s`, body and reply.

        A refused token is renewed and the job sent again, once; a refusal buys nothing.
        `request_id`: as the body says it; an answer to another one is not this job's.
        """
        try:
            token = await self._tokens.atoken()
            outcome = await self._post(body, request_id, token)
            if isinstance(outcome, Paused) and outcome.reason == "token":
                outcome = await self._post(body, request_id, await self._tokens.arenew(token))
        except TokenUnavailableError as error:
            return (
                Paused(reason="token", message=error.reason) if error.final else NotSent(reason=error.reason)
            )
        return outcome

    async def results(self, task_id: TaskId, *, expected: int = 1) -> PollOutcome:
        """Asks once how a task stands; each GET lasts at most `poll_timeout_s`, waiting for a connection too.

        A refused token is renewed and the query sent again, once.

        Args:
            task_id: as the submit reply named it.
            expected: sub-tasks the submit reply named; with fewer listed the task is not over.
        """
        try:
            token = await self._tokens.atoken()
            outcome = await self._get(task_id, token, expected)
            if isinstance(outcome, PollFailed) and outcome.auth:
                outcome = await self._get(task_id, await self._tokens.arenew(token), expected)
        except TokenUnavailableError as error:
            return PollFailed(reason=error.reason, auth=error.final)
        return outcome

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._session.aclose()

    async def _post(self, body: Body, request_id: str, token: SecretStr) -> SubmitOutcome:
        sending = Sending(body)
        outcome: SubmitOutcome
        try:
            reply = await self._session.ask(
                "POST",
                self._submit_address,
                token,
                seconds=self._settings.submit_timeout_s,
                sending=sending,
            )
            judged = self._judge(reply, body, request_id, whole=sending.end())
            outcome = replace(judged, http_status=reply.status)
        except NoAnswerError as error:
            outcome = Unknown(reason=str(error))
        except Exception as error:
            # An error of ours: the connection is in no known state, and what HiDream did is not known either.
            self._session.drop()
            log.exception("actor.failed", what="submit")
            outcome = Unknown(reason=f"an error of our own: {type(error).__name__}")
        if isinstance(outcome, Unknown) and outcome.mixed:
            self._session.drop()
        if isinstance(outcome, Unknown) and not sending.end():
            return NotSent(reason=outcome.reason, http_status=outcome.http_status)
        return outcome

    def _judge(self, reply: Reply, body: Body, request_id: str, *, whole: bool) -> SubmitOutcome:
        try:
            return submit_outcome(
                reply,
                self._settings,
                now_s=time.time(),
                request_id=request_id,
                sent_bytes=body.length,
                whole=whole,
            )
        except Exception as error:
            log.exception("actor.failed", what="submit")
            named = _TASK_ID.search(reply.body)
            task_id = named.group(1).decode() if named else "none"
            return Unknown(
                reason=f"an error of our own ({type(error).__name__}), the reply's task: {task_id}"
            )

    async def _get(self, task_id: TaskId, token: SecretStr, expected: int) -> PollOutcome:
        address = f"{self._results_address}?{urlencode({'task_id': task_id})}"
        try:
            reply = await self._session.ask("GET", address, token, seconds=self._settings.poll_timeout_s)
        except NoAnswerError as error:
            return PollFailed(reason=str(error))
        outcome = poll_outcome(reply, self._settings, now_s=time.time(), task_id=task_id, expected=expected)
        if isinstance(outcome, PollFailed) and outcome.mixed:
            self._session.drop()
        return outcome


def join(base_url: str, path: str) -> str:
    """Scheme and host, and a path."""
    return f"{base_url.rstrip('/')}/{path.lstrip('/')}"
