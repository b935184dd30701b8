"""The watcher and the collection as they run in a collect process: real ledger, real HTTP, real files."""

import asyncio
import hashlib
import io
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog
from PIL import Image

from jobs.config.settings import (
    Credentials,
    HiDreamSettings,
    LimitSettings,
    RedisSettings,
    Settings,
    TaskSettings,
)
from jobs.gate.account import LOST, doubt
from jobs.ledger import steps
from jobs.pictures.store import PictureStore
from jobs.producing.queue import Queue
from jobs.records import PAID_LOSSES, BatchId, Failure, Job, JobState, Owner
from jobs.redis.client import connect_async
from tests.driver import Driver, rid
from tests.raw_server import Answer, Heard, RawServer, Wire, raw, says
from worker.collect import watcher
from worker.collect.collection import DISK_FULL, Collection
from worker.collect.download import Downloader
from worker.collect.giving_up import ENOUGH_FETCHES, ENOUGH_UNANSWERED, INCOMPLETE_MS, MANY_UNANSWERED
from worker.collect.pipelined import PipelinedRunner
from worker.collect.reconciler import Reconciler
from worker.collect.turns import Turns
from worker.collect.watcher import Watcher
from worker.hidream.client import HiDreamClient
from worker.hidream.session import make_ssl_context
from worker.hidream.token_exchange import ApiKeyExchange
from worker.hidream.tokens import TokenSource
from worker.metrics import Metrics

RESULTS = "/api-pub/ec/v3/image/vton/async/results?task_id="
PATIENT_S = 60
#: A sleep of the watcher that a test would notice, and the time in which it must have been ended, s.
LONG_SLEEP_S, SOON_S = 14, 12
HOUR_MS = 3_600_000
MISSING = says({"code": 404, "message": "no such task"}, 404)


def jpeg(text: str = "a") -> bytes:
    """A whole picture whose bytes no other text has."""
    made = io.BytesIO()
    Image.new("RGB", (64, 96), (90, 140, 60)).save(made, "JPEG", comment=text.encode())
    return made.getvalue()


def told(*subs: dict[str, Any]) -> Answer:
    return says({"code": 0, "message": "Success", "result": {"sub_task_results": list(subs)}})


def sub(status: int, image: str = "", description: str = "") -> dict[str, Any]:
    return {"task_status": status, "task_completion": 0.5, "image": image, "description": description}


RUNNING = told(sub(2))


@dataclass
class Scene:
    """A vendor, a ledger and collect processes."""

    driver: Driver
    redis: RedisSettings
    folder: Path
    context: ssl.SSLContext
    server: RawServer = field(init=False)
    metrics: Metrics = field(default_factory=Metrics)
    #: Target → answers in order, the last one for ever.
    script: dict[str, list[Answer]] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)

    def answer(self, wire: Wire, heard: Heard) -> None:
        target = heard.target.removeprefix(RESULTS)
        answers = self.script[target]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.heard.append(target)
        answer(wire, heard)

    def polls(self, task: str, *answers: Answer) -> None:
        self.script[task] = list(answers)

    def picture(self, name: str, *answers: Answer) -> str:
        """Puts a picture on the vendor's shelf; returns its address."""
        self.script[f"/image/{name}.jpg"] = list(answers) or [raw(200, jpeg(name))]
        return f"{self.server.url}/image/{name}.jpg"

    def done(self, name: str, *answers: Answer) -> Answer:
        return told(sub(1, self.picture(name, *answers)))

    def submitted(self, task: str = "t", *, due: bool = True, subs: tuple[str, ...] = ("s1",)) -> Job:
        """A job whose task is under way, to be asked for now."""
        job = self.driver.submitted(task=task, subs=subs)
        if due:
            self.driver.score("due", job.request_id, 0)
        return job

    def settings(self, **tasks: Any) -> Settings:
        return Settings(
            data_dir=self.folder / "data",
            limits=LimitSettings(max_attempts=2, polls_per_second=1000),
            tasks=TaskSettings(**({"latency_s": 0.05, "lost_after_s": 1e-6} | tasks)),
        )

    def process(self, url: str = "", **tasks: Any) -> "Process":
        return Process(self, self.settings(**tasks), url or self.server.url)

    def hurry(self, request_id: str) -> None:
        """What is put off is due now."""
        self.driver.score("due", request_id, 0)
        self.driver.ledger.client.rpush(self.driver.ledger.key("watch"), "1")

    def aged(self, request_id: str, **times_ms: int) -> None:
        """Makes some of its times so many ms older."""
        for name, ms in times_ms.items():
            self.driver.ledger.client.hincrby(self.driver.ledger.key("job", request_id), name, -ms)

    def others_are_answered(self) -> None:
        """HiDream answers polls of another task at this moment, and for as long as the test lasts."""
        self.driver.gate(answered_ms=10**14, answered_by="another", fetched_ms=10**14)

    def outbox(self) -> list[str]:
        return [entry.request_id or "" for entry in self.driver.ledger.outbox(BatchId("a"), "0")]

    def on_disk(self) -> dict[str, bytes]:
        root = self.folder / "data" / "pictures"
        return {path.name: path.read_bytes() for path in root.rglob("*") if path.is_file()}


class Process:
    """A collect process' watcher with its own connections."""

    def __init__(self, scene: Scene, settings: Settings, url: str) -> None:
        self._scene = scene
        self._settings = settings
        self._url = url
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> None:
        scene, settings = self._scene, self._settings
        hidream = HiDreamSettings(
            base_url=self._url, connect_timeout_s=20, poll_timeout_s=60, download_timeout_s=60
        )
        exchange = ApiKeyExchange(settings=hidream, ssl_context=scene.context)
        tokens = TokenSource(credentials=Credentials.model_validate({"token": "sk-w"}), exchange=exchange)
        client = connect_async(scene.redis, db=scene.redis.ledger_db)
        ledger = PipelinedRunner(client, scene.redis.prefix)
        downloader = Downloader(
            hidream=hidream,
            pictures=settings.pictures,
            store=PictureStore(settings.data_dir),
            ssl_context=scene.context,
        )
        room = asyncio.Semaphore(4)
        collection = Collection(ledger=ledger, downloader=downloader, metrics=scene.metrics, room=room)
        poller = HiDreamClient(hidream, tokens, scene.context)
        made = Watcher(
            ledger, Turns(ledger, poller, collection, settings, scene.metrics), settings.limits.in_flight
        )
        self._stack.push_async_callback(client.aclose, close_connection_pool=True)
        self._stack.push_async_callback(downloader.aclose)
        self._stack.push_async_callback(poller.aclose)
        running = asyncio.create_task(made.run())

        async def stop() -> None:
            made.stop()
            await running

        self._stack.push_async_callback(stop)

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()


async def until(holds: Callable[[], Any], timeout_s: float = PATIENT_S) -> None:
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110 what it waits for happens in Redis, which sets no Event of ours
            await asyncio.sleep(0.005)


async def hurried(scene: Scene, job: Job, holds: Callable[[], Any]) -> None:
    """Waits, the job being due all the while."""

    def once_more() -> Any:
        scene.hurry(job.request_id)
        return holds()

    await until(once_more)


def play(act: Coroutine[Any, Any, None]) -> None:
    asyncio.run(act)


@pytest.fixture(scope="session")
def context() -> ssl.SSLContext:
    return make_ssl_context()


@pytest.fixture
def scene(
    driver: Driver, redis_settings: RedisSettings, tmp_path: Path, context: ssl.SSLContext
) -> Iterator[Scene]:
    driver.admit("a", ["p", "q", "r", "s"], seal=True)
    made = Scene(driver, redis_settings, tmp_path, context)
    with RawServer(made.answer) as made.server:
        yield made


def run_to_end(scene: Scene, job: Job, *, hurried: bool = True, **tasks: Any) -> Job:
    """Runs one process until the job is out of `submitted`; with `hurried` no wait is waited for."""

    async def act() -> None:
        seen = -1
        async with scene.process(**tasks):
            async with asyncio.timeout(PATIENT_S):
                while (now := scene.driver.job(job.request_id)).state is JobState.SUBMITTED:
                    if hurried and now.polls != seen and not now.picture_urls:
                        seen = now.polls
                        scene.hurry(job.request_id)
                    await asyncio.sleep(0.005)

    play(act())
    return scene.driver.job(job.request_id)


# -- the good way --------------------------------------------------------------------------------------------


def test_a_pending_task_is_asked_again_until_its_picture_is_on_the_disk(scene: Scene) -> None:
    scene.polls("t", told(sub(0)), RUNNING, scene.done("one"))
    job = run_to_end(scene, scene.submitted(), hurried=False)
    assert job.state is JobState.SUCCEEDED
    [picture] = job.pictures
    content = jpeg("one")
    assert picture.sha256 == hashlib.sha256(content).hexdigest()
    assert (picture.width, picture.height, picture.bytes) == (64, 96, len(content))
    assert scene.on_disk() == {picture.name: content}
    assert scene.heard == ["t", "t", "t", "/image/one.jpg"]
    assert (job.failure, job.source, job.attempts) == (None, "poll", 1)
    assert scene.driver.members("leases") == scene.driver.members("due") == {}
    assert scene.outbox() == [job.request_id]
    assert scene.metrics.tasks.labels(status="succeeded")._value.get() == 1


def test_a_task_that_was_put_off_is_asked_when_its_time_has_come(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "LONGEST_SLEEP_S", LONG_SLEEP_S)
    # Nothing rings: no callback, no other task. Three polls and a second fetch are due within a second or so.
    scene.polls("t", RUNNING, RUNNING, scene.done("old", raw(403, b"")), scene.done("new"))
    job = scene.submitted()
    begun = time.monotonic()
    job = run_to_end(scene, job, hurried=False)
    assert job.state is JobState.SUCCEEDED
    assert time.monotonic() - begun < SOON_S, "one sleep of the watcher without a look"


def test_the_slot_is_free_before_the_picture_is_there(scene: Scene) -> None:
    leases: list[Any] = []

    def slow(wire: Wire, heard: Heard) -> None:
        leases.append(scene.driver.members("leases"))
        raw(200, jpeg())(wire, heard)

    scene.polls("t", scene.done("one", slow))
    run_to_end(scene, scene.submitted())
    assert leases == [{}]


def test_a_task_done_without_a_picture_is_asked_again(scene: Scene) -> None:
    scene.polls("t", told(sub(1, "")), scene.done("one"))
    job = run_to_end(scene, scene.submitted())
    assert (job.state, scene.heard.count("t")) == (JobState.SUCCEEDED, 2)


def test_a_callback_makes_a_far_task_due_now(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "LONGEST_SLEEP_S", LONG_SLEEP_S)
    scene.polls("t", scene.done("one"))
    job = scene.submitted(due=False)

    async def act() -> None:
        loop = asyncio.get_running_loop()
        async with scene.process():
            # Its watcher sleeps at the bell by now, or will see the hint at its first look.
            await asyncio.sleep(0.05)
            begun = loop.time()
            scene.driver.ledger.run(steps.hint(job.request_id, "t"))
            await until(lambda: scene.driver.state(job.request_id) is JobState.SUCCEEDED)
            assert loop.time() - begun < SOON_S

    play(act())
    assert scene.driver.job(job.request_id).source == "callback"


def test_a_callback_during_a_poll_is_followed_by_another_poll_at_once(scene: Scene) -> None:
    def overtaken(wire: Wire, heard: Heard) -> None:
        scene.driver.ledger.run(steps.hint(rid("p"), "t"))
        RUNNING(wire, heard)

    scene.polls("t", overtaken, scene.done("one"))
    job = run_to_end(scene, scene.submitted(), hurried=False, latency_s=1000)
    assert (job.state, scene.heard.count("t")) == (JobState.SUCCEEDED, 2)


def test_some_pictures_of_several_are_a_success_that_tells_of_the_others(scene: Scene) -> None:
    scene.polls("t", told(sub(1, scene.picture("one")), sub(3, description="congested")))
    job = run_to_end(scene, scene.submitted(subs=("s1", "s2")))
    assert job.state is JobState.SUCCEEDED
    assert [picture.sha256 for picture in job.pictures] == [hashlib.sha256(jpeg("one")).hexdigest()]
    assert job.failure is not None
    assert (job.failure.kind, job.failure.code) == ("task_failed", 3)
    assert "congested" in job.failure.message


def test_what_is_known_of_missing_pictures_outlasts_a_death_before_the_others_are_here(scene: Scene) -> None:
    job = scene.submitted(subs=("s1", "s2"))
    failure = Failure(kind="task_failed", message="congested", retryable=True, owner=Owner.VENDOR)
    assert job.task_id is not None
    ended = steps.ended(job.request_id, job.task_id, [scene.picture("one")], "poll", None, partial=failure)
    assert scene.driver.ledger.run(ended)
    scene.driver.score("due", job.request_id, 0)
    assert run_to_end(scene, scene.driver.job(job.request_id)).failure == failure


def test_a_task_of_two_that_goes_on_listing_one_is_ended_with_what_it_told(scene: Scene) -> None:
    scene.polls("t", scene.done("one"))
    job = scene.submitted(subs=("s1", "s2"))

    async def act() -> None:
        async with scene.process(latency_s=1000):
            await until(lambda: scene.driver.job(job.request_id).incomplete)
            assert scene.driver.state(job.request_id) is JobState.SUBMITTED
            scene.aged(job.request_id, incomplete_ms=INCOMPLETE_MS)
            scene.hurry(job.request_id)
            await until(lambda: scene.driver.state(job.request_id) is JobState.SUCCEEDED)

    play(act())
    job = scene.driver.job(job.request_id)
    assert len(job.pictures) == 1
    assert job.failure is not None
    assert job.failure.kind == "task_lost"


def test_a_task_of_two_that_failed_one_and_never_listed_the_other_is_not_bought_again_by_itself(
    scene: Scene,
) -> None:
    scene.polls("t", told(sub(3)))
    job = scene.submitted(subs=("s1", "s2"))
    scene.driver.ledger.run(steps.defer(job.request_id, 0, incomplete="0 1"))
    scene.aged(job.request_id, incomplete_ms=INCOMPLETE_MS)
    job = run_to_end(scene, scene.driver.job(job.request_id))
    assert (job.state, job.task_id, job.paid_loss) == (JobState.FAILED, "t", True)


def test_what_a_task_has_brought_is_kept_when_the_rest_of_it_never_ends(scene: Scene) -> None:
    scene.polls("t", told(sub(1, scene.picture("one")), sub(2)))
    job = scene.submitted(subs=("s1", "s2"))
    scene.aged(job.request_id, submitted_ms=HOUR_MS)
    job = run_to_end(scene, job)
    assert (job.state, len(job.pictures)) == (JobState.SUCCEEDED, 1)
    assert job.failure is not None
    assert job.failure.kind == "task_timeout"


def test_a_task_of_two_is_not_over_when_one_is_listed(scene: Scene) -> None:
    both = told(sub(1, scene.picture("one")), sub(1, scene.picture("two")))
    scene.polls("t", scene.done("one"), both)
    job = run_to_end(scene, scene.submitted(subs=("s1", "s2")))
    assert (len(job.pictures), scene.heard.count("t")) == (2, 2)


# -- bad ends ------------------------------------------------------------------------------------------------


def test_a_failed_task_is_bought_again_and_then_the_job_fails(scene: Scene) -> None:
    scene.polls("t1", told(sub(3, description="congested")))
    scene.polls("t2", told(sub(3, description="congested still")))
    job = run_to_end(scene, scene.submitted("t1"))
    assert (job.state, job.task_failures, job.task_id) == (JobState.QUEUED, 1, None)
    assert list(scene.driver.members("retry")) == [job.request_id]
    assert scene.driver.members("leases") == scene.driver.members("due") == {}
    scene.driver.score("retry", job.request_id, 0)
    scene.driver.ledger.run(steps.reconcile(policy="hold", quiet_s=300))
    again = scene.submitted("t2")
    assert again.request_id == job.request_id
    job = run_to_end(scene, again)
    assert (job.state, job.attempts) == (JobState.FAILED, 2)
    assert job.failure is not None
    assert (job.failure.kind, job.failure.owner, job.failure.retryable) == ("task_failed", Owner.VENDOR, True)
    assert "congested still" in job.failure.message
    assert scene.driver.spent("a") == 2, "both were bought"


@pytest.mark.parametrize(
    ("status", "state", "kind", "owner"),
    [
        (4, JobState.REJECTED, "moderated", Owner.MERCH),
    ],
)
def test_a_task_that_will_never_do_ends_its_job_at_once(
    scene: Scene, status: int, state: JobState, kind: str, owner: Owner
) -> None:
    scene.polls("t", told(sub(status, description="no")))
    job = run_to_end(scene, scene.submitted())
    assert job.state is state
    assert job.failure is not None
    assert (job.failure.kind, job.failure.code, job.failure.owner) == (kind, status, owner)
    assert not job.failure.retryable
    assert scene.driver.members("leases") == scene.driver.members("due") == {}
    assert scene.outbox() == [job.request_id]


def test_a_task_is_lost_only_when_it_is_missing_several_times_in_a_row(scene: Scene) -> None:
    scene.others_are_answered()
    scene.polls("t", MISSING)
    job = run_to_end(scene, scene.submitted())
    assert (job.state, scene.heard) == (JobState.FAILED, ["t"] * ENOUGH_UNANSWERED)
    assert job.failure is not None
    assert (job.failure.kind, job.failure.owner, job.failure.retryable) == ("task_lost", Owner.VENDOR, True)
    assert scene.metrics.tasks.labels(status="lost")._value.get() == 1


def test_an_old_task_may_be_missing_for_a_while(scene: Scene) -> None:
    scene.others_are_answered()
    scene.polls("t", *[MISSING] * (ENOUGH_UNANSWERED + 2), scene.done("one"))
    job = scene.submitted()
    scene.aged(job.request_id, submitted_ms=HOUR_MS)
    assert run_to_end(scene, job, lost_after_s=60).state is JobState.SUCCEEDED


STORMS = [
    MISSING,
    raw(403, b""),
    raw(404, b""),
    raw(500, b""),
    raw(502, b"<html>"),
    raw(503, b"", Retry_After="0"),
]


@pytest.mark.parametrize("storm", STORMS)
def test_ten_minutes_without_any_answer_lose_no_task(scene: Scene, storm: Answer) -> None:
    tasks = ("t1", "t2", "t3")
    for task in tasks:
        scene.polls(task, *[storm] * (MANY_UNANSWERED + 2), scene.done(task))
    jobs = [scene.submitted(task).request_id for task in tasks]

    async def act() -> None:
        async with scene.process(lost_after_s=60, give_up_s=1800):
            young = set(jobs)
            while scene.driver.counts("a").get("succeeded") != len(tasks):
                for job in map(scene.driver.job, jobs):
                    if job.unanswered and job.request_id in young:
                        young.remove(job.request_id)
                        for time_ms in ("unanswered_ms", *(("missing_ms",) if job.missing_ms else ())):
                            scene.aged(job.request_id, **{time_ms: 600_000})
                    if job.state is JobState.SUBMITTED and not job.picture_urls:
                        scene.hurry(job.request_id)
                await asyncio.sleep(0.01)

    with structlog.testing.capture_logs() as events:
        play(asyncio.wait_for(act(), 60))
    assert {"task.lost", "gate.paused"}.isdisjoint(each["event"] for each in events)
    assert {"lost", "paused"}.isdisjoint(scene.driver.gate())
    assert scene.driver.members("leases") == {}


def test_a_long_silence_stops_the_buying_until_a_poll_is_answered(scene: Scene) -> None:
    scene.polls("t", raw(404, b""), raw(500, b""), RUNNING)
    job = scene.submitted()
    scene.aged(job.request_id, unanswered_ms=600_000 - int(time.time() * 1000))

    async def act() -> None:
        async with scene.process(latency_s=1000, lost_after_s=60):
            await until(lambda: scene.driver.gate().get("breaker_by") == "silence")
            assert scene.driver.gate()["breaker"] == "vendor"
            assert scene.driver.ask().reason == "vendor"
            probe = _probe(scene)
            assert scene.driver.gate()["breaker"] == "vendor", "an accepted submit is no result"
            assert scene.driver.ask().reason == "vendor", "one probe at a time"
            scene.polls(probe.task_id or "", RUNNING)
            for polls in (2, 3):
                scene.hurry(job.request_id)
                await until(lambda polls=polls: scene.driver.job(job.request_id).polls == polls)

    play(act())
    assert "breaker" not in scene.driver.gate()
    assert scene.driver.ask().kind == "granted"


def _probe(scene: Scene) -> Job:
    """The job that tries an open breaker, accepted."""
    scene.driver.gate(probe_at=0)
    job = scene.driver.submitted()
    assert scene.driver.gate()["probe"] == job.request_id
    return job


@pytest.mark.parametrize("status", [5, "frozen"])
def test_a_status_that_nobody_has_documented_is_no_end(scene: Scene, status: Any) -> None:
    odd = told(sub(status, description="no"))
    scene.polls("t", odd, odd, told(sub(2)), odd, scene.done("one"))
    with structlog.testing.capture_logs() as events:
        job = run_to_end(scene, scene.submitted())
    assert (job.state, scene.heard.count("t")) == (JobState.SUCCEEDED, 5)
    assert [each["status"] for each in events if each["event"] == "task.odd"] == [str(status)] * 2
    assert scene.driver.members("odd") == {}


def test_a_task_of_an_undocumented_status_is_given_up_in_time_and_its_id_is_kept(scene: Scene) -> None:
    scene.polls("t", told(sub(5)))
    job = scene.submitted()
    scene.aged(job.request_id, submitted_ms=HOUR_MS)
    job = run_to_end(scene, job)
    assert (job.state, job.task_id, job.paid_loss) == (JobState.FAILED, "t", True)
    assert job.failure is not None
    assert (job.failure.kind, job.failure.owner) == ("status_unknown", Owner.VENDOR)
    assert "5" in job.failure.message
    assert "lost" not in scene.driver.gate()


def test_several_tasks_of_an_undocumented_status_stop_the_buying_until_one_says_something_else(
    scene: Scene,
) -> None:
    tasks = ("t1", "t2", "t3")
    for task in tasks:
        scene.polls(task, told(sub(5)))
    jobs = [scene.submitted(task) for task in tasks]

    async def act() -> None:
        async with scene.process(latency_s=1000):
            await until(lambda: scene.driver.gate().get("breaker_by") == "odd")
            assert scene.driver.ask().reason == "vendor"
            scene.polls("t2", RUNNING)
            scene.hurry(jobs[1].request_id)
            await until(lambda: "breaker" not in scene.driver.gate())

    play(act())
    assert len(scene.driver.members("odd")) == 2
    assert scene.driver.ask().kind == "granted"


def test_a_probe_that_brings_a_picture_does_not_close_a_breaker_while_the_others_are_still_odd(
    scene: Scene,
) -> None:
    for number in range(3):
        scene.submitted(f"t{number}", due=False)
        scene.driver.ledger.run(steps.defer(rid("pqr"[number]), 60_000, odd="5"))
    assert scene.driver.ledger.run(doubt("odd", "why"))
    scene.driver.gate(probe_at=0)
    probe = scene.driver.succeeded()
    assert scene.driver.gate()["breaker"] == "vendor"
    assert "probe" not in scene.driver.gate(), "another one may go"
    for name in "pqr":
        scene.driver.ledger.run(steps.fail(rid(name), _failure("status_unknown")))
    assert scene.driver.gate()["breaker"] == "vendor", "that they were given up says nothing good"
    scene.driver.ledger.run(steps.hint(probe.request_id, None))
    scene.driver.admit("b", ["z"])
    scene.driver.gate(probe_at=0)
    scene.driver.succeeded()
    assert "breaker" not in scene.driver.gate()


def _failure(kind: str) -> Failure:
    return Failure(kind=kind, message="why", retryable=True, owner=Owner.VENDOR)


# -- tasks that had been given up ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(PAID_LOSSES))
def test_a_task_that_was_given_up_brings_its_picture_when_it_is_asked_again(scene: Scene, kind: str) -> None:
    leases: list[Any] = []

    def runs(wire: Wire, heard: Heard) -> None:
        leases.append(scene.driver.members("leases"))
        RUNNING(wire, heard)

    def missing(wire: Wire, heard: Heard) -> None:
        leases.append(scene.driver.members("leases"))
        MISSING(wire, heard)

    def done(wire: Wire, heard: Heard) -> None:
        leases.append(scene.driver.members("leases").keys())
        scene.done("one")(wire, heard)

    scene.polls("t", missing, runs, done)
    job = scene.submitted()
    scene.aged(job.request_id, submitted_ms=HOUR_MS)
    assert scene.driver.ledger.run(steps.fail(job.request_id, _failure(kind)))
    assert scene.driver.ledger.run(steps.reopen(job.request_id, JobState.FAILED, "a"))
    job = run_to_end(scene, scene.driver.job(job.request_id), lost_after_s=60)
    assert (job.state, job.task_id, job.attempts, job.past_task_ids) == (JobState.SUCCEEDED, "t", 1, ())
    assert leases == [{}, {}, {job.request_id}], "it takes a slot when HiDream says that it runs"
    assert scene.driver.spent("a") == 1
    assert "lat_n" not in scene.driver.gate(), "its time teaches nothing"


def test_tasks_that_are_lost_once_more_do_not_pause_the_account(scene: Scene) -> None:
    scene.driver.gate(lost=LOST - 1)
    scene.others_are_answered()
    scene.polls("t", MISSING)
    job = scene.submitted()
    scene.driver.ledger.run(steps.fail(job.request_id, _failure("task_lost")))
    scene.driver.ledger.run(steps.reopen(job.request_id, JobState.FAILED))
    assert run_to_end(scene, scene.driver.job(job.request_id)).state is JobState.FAILED
    assert "paused" not in scene.driver.gate()


def test_a_task_that_never_ends_is_given_up(scene: Scene) -> None:
    scene.polls("t", RUNNING)
    job = scene.submitted()
    scene.aged(job.request_id, submitted_ms=HOUR_MS)
    job = run_to_end(scene, job, give_up_s=1800)
    assert (job.state, scene.heard) == (JobState.FAILED, ["t"])
    assert job.failure is not None
    assert (job.failure.kind, job.failure.retryable) == ("task_timeout", True)
    assert "360" in job.failure.message


def test_an_old_task_is_given_up_without_answers_only_after_many(scene: Scene) -> None:
    scene.driver.gate(lost=LOST - 1)
    scene.polls("t", raw(500, b""))
    job = scene.submitted()
    scene.aged(job.request_id, unanswered_ms=HOUR_MS)
    job = run_to_end(scene, job, give_up_s=1800)
    assert (job.state, len(scene.heard)) == (JobState.FAILED, MANY_UNANSWERED)
    assert job.failure is not None
    assert (job.failure.kind, job.paid_loss) == ("task_timeout", True)
    gate = scene.driver.gate()
    assert (gate["breaker_by"], "paused" in gate) == ("silence", False), "an outage passes by itself"


def test_a_night_without_answers_harms_no_task_that_has_ended_well(scene: Scene) -> None:
    scene.polls("t", raw(500, b""), raw(502, b"<html>"), scene.done("one"))
    job = scene.submitted()
    scene.aged(job.request_id, submitted_ms=HOUR_MS)
    assert run_to_end(scene, job, give_up_s=1800).state is JobState.SUCCEEDED


def test_tasks_lost_in_a_row_pause_the_account(scene: Scene) -> None:
    scene.driver.gate(lost=LOST - 1)
    scene.others_are_answered()
    scene.polls("t", MISSING)
    with structlog.testing.capture_logs() as events:
        run_to_end(scene, scene.submitted())
    assert scene.driver.gate()["paused"].startswith("no results: ")
    assert [each["event"] for each in events][-2:] == ["task.lost", "gate.paused"]


def test_a_refused_token_opens_the_breaker_and_loses_no_task(scene: Scene) -> None:
    scene.polls("t", *[raw(401, b"")] * (MANY_UNANSWERED + 1), scene.done("one"))
    job = scene.submitted()
    scene.aged(job.request_id, submitted_ms=HOUR_MS)
    job = run_to_end(scene, job, give_up_s=1800)
    assert job.state is JobState.SUCCEEDED
    assert "breaker" not in scene.driver.gate(), "the token is good again: nothing else could show it"


def test_an_overdue_task_that_nobody_may_be_told_of_gives_its_slot_to_others(scene: Scene) -> None:
    scene.polls("t", says({"code": 12, "message": "not yours"}, 403))
    job = scene.submitted()
    scene.aged(job.request_id, submitted_ms=HOUR_MS)

    async def act() -> None:
        async with scene.process(give_up_s=1800):
            await until(lambda: scene.driver.job(job.request_id).unanswered)

    play(act())
    assert scene.driver.members("leases") == {}
    assert scene.driver.state(job.request_id) is JobState.SUBMITTED, "the token may be fixed"


def test_a_task_that_nobody_may_be_told_of_is_given_up_when_others_are_answered(scene: Scene) -> None:
    scene.polls("t", says({"code": 12, "message": "not yours"}, 403))
    job = scene.submitted()
    scene.aged(job.request_id, unanswered_ms=HOUR_MS)
    scene.others_are_answered()
    job = run_to_end(scene, job, give_up_s=1800)
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert (job.failure.kind, job.failure.owner) == ("task_timeout", Owner.VENDOR)


def test_what_the_vendor_says_of_waiting_is_obeyed(scene: Scene) -> None:
    scene.polls("t", raw(429, b"", Retry_After="40"))
    job = scene.submitted()

    async def act() -> None:
        async with scene.process():
            await until(lambda: scene.driver.job(job.request_id).polls)

    play(act())
    now_ms = scene.driver.ledger.run(steps.take_due(1)).now_ms
    assert 30_000 < scene.driver.members("due")[job.request_id] - now_ms <= 40_000
    assert scene.driver.job(job.request_id).unanswered == 1


# -- pictures ------------------------------------------------------------------------------------------------


def test_an_address_that_is_no_good_is_asked_for_once_more(scene: Scene) -> None:
    scene.polls("t", scene.done("old", raw(403, b"")), scene.done("new"))
    job = run_to_end(scene, scene.submitted())
    assert scene.heard == ["t", "/image/old.jpg", "t", "/image/new.jpg"]
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 1)
    assert job.pictures[0].url.endswith("/image/new.jpg")
    assert scene.driver.gate()["lat_n"] == "1", "its latency is learnt once"


def test_a_broken_picture_is_fetched_again_and_leaves_no_file(scene: Scene) -> None:
    half = raw(200, jpeg("one")[:-40])
    scene.polls("t", scene.done("one", half, raw(200, jpeg("one"))))
    job = run_to_end(scene, scene.submitted())
    assert job.state is JobState.SUCCEEDED
    assert scene.on_disk() == {job.pictures[0].name: jpeg("one")}


def test_a_picture_that_stays_away_is_lost_after_long(scene: Scene) -> None:
    scene.polls("t", scene.done("one", raw(404, b"")))
    job = scene.submitted()

    async def act() -> None:
        async with scene.process():
            await until(lambda: scene.heard.count("/image/one.jpg") == 1)
            await until(lambda: not scene.driver.job(job.request_id).picture_urls)
            scene.aged(job.request_id, fetch_failed_ms=HOUR_MS)
            scene.others_are_answered()
            for tries in range(2, ENOUGH_FETCHES + 1):
                assert scene.driver.state(job.request_id) is JobState.SUBMITTED, "one failure is no proof"
                scene.hurry(job.request_id)
                await until(lambda tries=tries: scene.heard.count("/image/one.jpg") == tries)
                await until(lambda: not scene.driver.job(job.request_id).picture_urls)
            await until(lambda: scene.driver.state(job.request_id) is JobState.FAILED)

    play(act())
    failure = scene.driver.job(job.request_id).failure
    assert failure is not None
    assert (failure.kind, failure.owner, failure.retryable) == ("picture_lost", Owner.VENDOR, True)
    assert scene.on_disk() == {}


def test_a_picture_from_a_host_that_is_not_allowed_pauses_the_account_and_waits_for_a_setting(
    scene: Scene,
) -> None:
    with RawServer(raw(200, jpeg("elsewhere"))) as other:
        scene.polls("t", told(sub(1, f"{other.url}/image/x.jpg")))
        job = scene.submitted()

        async def refused() -> None:
            async with scene.process():
                await until(lambda: "paused" in scene.driver.gate())
                # Stopping lets what is under way finish.

        async def fixed() -> None:
            async with scene.process(url=other.url):
                scene.hurry(job.request_id)
                await until(lambda: scene.driver.state(job.request_id) is JobState.SUCCEEDED)

        play(refused())
        assert scene.driver.gate()["paused"].startswith("a picture was refused: 127.0.0.1 is not among")
        held = scene.driver.job(job.request_id)
        assert (held.state, held.attempts) == (JobState.SUBMITTED, 1)
        now_ms = scene.driver.ledger.run(steps.take_due(1)).now_ms
        assert 5_000 < scene.driver.members("due")[job.request_id] - now_ms <= 10_000
        assert scene.driver.members("leases") == {}
        assert other.heard == []
        play(fixed())
    assert scene.heard == ["t"], "the result was known"


def test_refusals_of_our_own_are_no_failed_downloads(scene: Scene) -> None:
    pictures = [raw(404, b""), raw(200, jpeg("elsewhere"))]

    def answer(wire: Wire, heard: Heard) -> None:
        if heard.target.startswith(RESULTS):
            told(sub(1, f"{other.url}/image/x.jpg"))(wire, heard)
        else:
            # Hurried, the job may be fetched once more than is looked for: the last answer stays.
            (pictures.pop(0) if len(pictures) > 1 else pictures[0])(wire, heard)

    def refusals() -> int:
        return sum(each["event"] == "image.failed" for each in events)

    async def refused() -> None:
        async with scene.process():
            await hurried(scene, job, lambda: refusals() > ENOUGH_FETCHES)

    with RawServer(answer) as other:
        scene.polls("t", told(sub(1, f"{other.url}/image/x.jpg")))
        job = scene.submitted()
        with structlog.testing.capture_logs() as events:
            play(refused())
        held = scene.driver.job(job.request_id)
        assert (held.state, held.fetches, held.fetch_failed_ms) == (JobState.SUBMITTED, 0, None)
        scene.aged(job.request_id, submitted_ms=HOUR_MS, ended_ms=HOUR_MS, refused_ms=HOUR_MS)
        scene.others_are_answered()

        async def allowed() -> None:
            async with scene.process(url=other.url):
                await hurried(scene, job, lambda: scene.driver.job(job.request_id).fetches)
                assert scene.driver.job(job.request_id).refused_ms is None
                await hurried(
                    scene, job, lambda: scene.driver.state(job.request_id) is not JobState.SUBMITTED
                )

        play(allowed())
    assert scene.driver.state(job.request_id) is JobState.SUCCEEDED


def test_pictures_that_nobody_can_fetch_stop_the_buying_and_are_not_lost(scene: Scene) -> None:
    scene.polls("t", scene.done("one", raw(503, b"")))
    job = scene.submitted()
    sixteen_minutes = 16 * 60_000

    async def act() -> None:
        async with scene.process():
            await until(lambda: scene.driver.job(job.request_id).fetches == 1)
            scene.aged(job.request_id, fetch_failed_ms=sixteen_minutes, fetches=1 - ENOUGH_FETCHES)
            await hurried(scene, job, lambda: scene.driver.gate().get("breaker_by") == "pictures")
            assert scene.driver.ask().reason == "vendor"
            scene.picture("one")
            await hurried(scene, job, lambda: scene.driver.state(job.request_id) is not JobState.SUBMITTED)

    play(act())
    assert scene.driver.state(job.request_id) is JobState.SUCCEEDED
    assert {"breaker", "lost", "paused"}.isdisjoint(scene.driver.gate())


def test_a_full_disk_pauses_buying_until_there_is_room_again(scene: Scene, queue: Queue) -> None:
    data = scene.folder / "data"
    # Root may write anywhere; a folder cannot be made under a file by anybody.
    data.write_bytes(b"")
    scene.polls("t", scene.done("one"))
    job = scene.submitted()
    settings = scene.settings()
    reconciler = Reconciler(scene.driver.ledger, queue, settings)

    async def act() -> None:
        async with scene.process():
            await until(lambda: scene.driver.gate().get("paused") == DISK_FULL)
            await until(lambda: scene.driver.members("due")[job.request_id])
            await asyncio.to_thread(reconciler.reconcile, [])
            assert scene.driver.gate()["paused"] == DISK_FULL, "there is no room yet"
            data.unlink()
            await asyncio.to_thread(reconciler.reconcile, [])
            assert "paused" not in scene.driver.gate()
            scene.hurry(job.request_id)
            await until(lambda: scene.driver.state(job.request_id) is JobState.SUCCEEDED)

    with structlog.testing.capture_logs() as events:
        play(act())
    names = [each["event"] for each in events]
    assert names.index("disk.full") < names.index("gate.resumed") < names.index("image.saved")
    assert list(scene.on_disk()) == [scene.driver.job(job.request_id).pictures[0].name]
    assert scene.heard.count("t") == 1


def test_a_persons_pause_is_not_ended_by_room_on_the_disk(scene: Scene, queue: Queue) -> None:
    scene.driver.gate(paused="by hand")
    Reconciler(scene.driver.ledger, queue, scene.settings()).reconcile([])
    assert scene.driver.gate()["paused"] == "by hand"


# -- several processes, and trouble of our own ---------------------------------------------------------------


def test_two_processes_at_the_same_task_record_it_once(scene: Scene) -> None:
    together = threading.Barrier(2)
    done = scene.done("one")

    def both(wire: Wire, heard: Heard) -> None:
        together.wait(PATIENT_S)
        done(wire, heard)

    scene.polls("t", both)
    job = scene.submitted()

    def asked_twice() -> bool:
        # Its hold is over early, until the other process has taken it too.
        if scene.heard.count("t") < 2:
            scene.hurry(job.request_id)
        return scene.heard.count("t") == 2

    async def act() -> None:
        async with scene.process(), scene.process():
            await until(asked_twice)
            await until(lambda: scene.driver.state(job.request_id) is JobState.SUCCEEDED)

    play(act())
    assert scene.heard.count("t") == 2
    assert scene.outbox() == [job.request_id]
    assert scene.driver.gate()["lat_n"] == "1"
    assert scene.metrics.tasks.labels(status="succeeded")._value.get() == 1
    assert scene.driver.counts("a")["succeeded"] == 1
    assert len(scene.on_disk()) == 1


def test_two_processes_share_the_tasks(scene: Scene) -> None:
    for number in range(4):
        scene.polls(f"t{number}", RUNNING, scene.done(f"one-{number}"))
        scene.submitted(f"t{number}")

    async def act() -> None:
        async with scene.process(), scene.process():
            await until(lambda: scene.driver.counts("a").get("succeeded") == 4)

    play(act())
    assert sorted(scene.outbox()) == sorted(rid(name) for name in "pqrs")
    assert sorted(scene.heard) == sorted(
        each for n in range(4) for each in (f"t{n}", f"t{n}", f"/image/one-{n}.jpg")
    )
    assert scene.driver.ledger.status(BatchId("a")).complete


def test_stopping_lets_a_picture_under_way_arrive(scene: Scene) -> None:
    asked = threading.Event()

    def slow(wire: Wire, heard: Heard) -> None:
        asked.set()
        content = jpeg("one")
        wire.say(f"HTTP/1.1 200 X\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content[:100])
        threading.Event().wait(0.2)
        wire.say(content[100:])

    scene.polls("t", scene.done("one", slow))
    job = scene.submitted()

    async def act() -> None:
        async with scene.process():
            await until(asked.is_set)

    play(act())
    assert scene.driver.state(job.request_id) is JobState.SUCCEEDED


def test_a_job_that_nobody_can_read_is_told_and_harms_no_other(scene: Scene) -> None:
    scene.polls("t2", scene.done("two"))
    bad, good = scene.submitted("t1"), scene.submitted("t2")
    scene.driver.ledger.client.hset(scene.driver.ledger.key("job", bad.request_id), "pair", "no pair")

    async def act() -> None:
        async with scene.process():
            await until(lambda: scene.driver.state(good.request_id) is JobState.SUCCEEDED)
            await until(lambda: [each for each in events if each["event"] == "job.unreadable"])

    with structlog.testing.capture_logs() as events:
        play(act())
    assert scene.driver.raw(bad.request_id)["state"] == "submitted", "it is left to whoever can read it"
    assert scene.driver.members("due").keys() == {bad.request_id}


def test_an_error_of_our_own_harms_no_other_job_and_sets_its_own_aside_in_time(scene: Scene) -> None:
    scene.polls("t1", scene.done("one"))
    scene.polls("t2", scene.done("two"))
    bad, good = scene.submitted("t1"), scene.submitted("t2")
    # A count that can grow no more: the script that records its end fails.
    scene.driver.ledger.client.hset(
        scene.driver.ledger.key("job", bad.request_id), mapping={"polls": 2**63 - 1}
    )

    async def act() -> None:
        async with scene.process():
            await until(lambda: scene.driver.state(good.request_id) is JobState.SUCCEEDED)
            await until(lambda: scene.driver.job(bad.request_id).errors == 1)
            assert scene.driver.members("leases") == {}, "its task is over"
            await hurried(scene, bad, lambda: scene.driver.state(bad.request_id) is JobState.FAILED)

    with structlog.testing.capture_logs() as events:
        play(act())
    assert [each["what"] for each in events if each["event"] == "actor.failed"] == ["watcher"]
    job = scene.driver.job(bad.request_id)
    assert (job.task_id, job.paid_loss) == ("t1", True)
    assert job.failure is not None
    assert (job.failure.kind, job.failure.owner) == ("set_aside", Owner.OPS)
    assert scene.driver.members("due") == scene.driver.members("leases") == {}
    assert scene.outbox() == [good.request_id, bad.request_id]


@pytest.mark.parametrize("place", ["description", "image", "task_status"])
def test_half_a_character_in_hidreams_words_keeps_no_job_for_ever(scene: Scene, place: str) -> None:
    half = {"task_status": 4 if place == "description" else 1, "image": "", place: "\ud83d no"}
    scene.polls("t", told(half))
    job = scene.submitted()
    scene.aged(job.request_id, submitted_ms=HOUR_MS)

    async def act() -> None:
        async with scene.process(give_up_s=1800):
            async with asyncio.timeout(PATIENT_S):
                while scene.driver.state(job.request_id) is JobState.SUBMITTED:
                    scene.aged(job.request_id, fetch_failed_ms=10**12, refused_ms=10**12)
                    scene.driver.ledger.client.hincrby(
                        scene.driver.ledger.key("job", job.request_id), "fetches", 1
                    )
                    scene.hurry(job.request_id)
                    await asyncio.sleep(0.02)

    with structlog.testing.capture_logs():
        play(act())
    job = scene.driver.job(job.request_id)
    assert job.state in {JobState.FAILED, JobState.REJECTED}
    assert job.task_id == "t"
    assert scene.driver.members("leases") == {}
