"""The composition root of the workers: `dramatiq worker.app -Q submit` and `-Q collect` load this module.

It is the one module whose import does something: Dramatiq wants a broker with actors when it has loaded it. Settings are
read once, every part is built once, each gets its slice. What only one kind of worker needs is loaded where that is built:
the other kind starts sooner and is smaller.
"""

import asyncio
import json
import os
import ssl
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import dramatiq
import structlog

from jobs.config.load import read_credentials, read_settings, secrets_of
from jobs.config.settings import SUBMIT_THREADS, Credentials, LimitSettings, Settings
from jobs.deferred import left_out
from jobs.errors import ConfigError, VtonError
from jobs.health.heartbeats import Heartbeats
from jobs.ledger import Ledger
from jobs.ledger.accepted_answers import AcceptedAnswers
from jobs.ledger.confirmed import AsyncConfirmedRunner, Way, recorder
from jobs.ledger.high_water import HighWaterMark
from jobs.ledger.intents import IntentJournals
from jobs.ledger.records import Role
from jobs.ledger.term import KnownTerm
from jobs.local import redis_folder
from jobs.logging.setup import configure, redact
from jobs.pictures.store import PictureStore
from jobs.producing.queue import COLLECT, Queue
from jobs.records import BatchId, RequestId
from jobs.redis.client import (
    BROKER_CLIENTS,
    QUEUE_CLIENTS,
    SPARE_CLIENTS,
    connect,
    connect_async,
)
from jobs.tracing import Traces, traces_of
from worker.actors import TolerantBroker, declare
from worker.callbacks.address import CallbackAddresses
from worker.collect.pipelined import PipelinedRunner
from worker.consumer import WakesConsumers
from worker.hidream.client import HiDreamClient
from worker.hidream.session import MAX_CONNECTIONS, make_ssl_context
from worker.hidream.token_exchange import ApiKeyExchange
from worker.hidream.tokens import TokenSource
from worker.metrics import Metrics, serve_on_free_port
from worker.middleware import (
    BringsIn,
    EndsInTime,
    LoopServices,
    MessageContext,
    SendsHeartbeats,
    SendsTraces,
    ServesMetrics,
    SubmitLoop,
    TellsBounds,
)
from worker.shows_life import AliveFiles, ShowsLife

if TYPE_CHECKING:
    from jobs.notices.sender import Notices
    from jobs.results.exporter import Exporter
    from worker.collect.notices import NoticeLoop
    from worker.collect.reconciler import Reconciler
    from worker.collect.watcher import Watcher
    from worker.submit.submission import Submission

log = structlog.get_logger()

#: Commands out of a million that make Dramatiq look for dead workers' messages (≈ every 15 s on an idle queue).
MAINTENANCE_CHANCE = 50_000

#: How long a worker that was asked to end may take to record the answer of its last POST, s.
RECORD_S = 5.0


class App:
    """Everything a worker process is made of, each part built when it is first needed."""

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._credentials = credentials
        self._files = AliveFiles(settings.workers.alive_file)
        #: Of all doors of this process to the ledger.
        self._term = KnownTerm()
        data_dir, prefix = settings.data_dir.absolute(), settings.redis.prefix
        #: Orders on this host's disk.
        self._journals = IntentJournals(data_dir, HighWaterMark(data_dir, prefix))
        #: What the exporter tells the reconciler: batch → up to which entry of its outbox its files are written.
        self._exported: dict[BatchId, str] = {}

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger for threads."""
        redis = self.settings.redis
        client = connect(redis, db=redis.ledger_db, connections=SPARE_CLIENTS, patience_s=redis.patience_s)
        return Ledger(client, redis.prefix, self._term)

    @cached_property
    def queue(self) -> Queue:
        """The queue, for wake-up messages that are sent again."""
        redis = self.settings.redis
        client = connect(redis, db=redis.queue_db, connections=QUEUE_CLIENTS, patience_s=redis.patience_s)
        return Queue(client, redis.prefix)

    def submission(self) -> "Submission":
        """Submits jobs; made inside its event loop, by submit processes only."""
        from jobs.gate import Gate  # noqa: PLC0415 see above, as below
        from jobs.pictures.converted import ConvertedPictures  # noqa: PLC0415
        from worker.collect.schedule import PollSchedule  # noqa: PLC0415
        from worker.submit.bodies import Bodies  # noqa: PLC0415
        from worker.submit.confirmation import ConfirmedAnswers  # noqa: PLC0415
        from worker.submit.submission import Submission  # noqa: PLC0415

        settings, redis, hidream = self.settings, self.settings.redis, self.settings.hidream
        # Each submit actor may hold one; a worker may have been started with more threads than the settings say.
        most = max(SUBMIT_THREADS[1], settings.submit_threads) + 1
        client = connect_async(redis, db=redis.ledger_db, connections=most, patience_s=redis.patience_s)
        intents = (
            AsyncConfirmedRunner(client, redis.prefix, Way(redis.replicas), term=self._term)
            if redis.replicas
            else None
        )
        gate = Gate(
            self.ledger,
            PipelinedRunner(client, redis.prefix, term=self._term),
            settings.limits,
            submit_timeout_s=2 * hidream.submit_timeout_s,
            mark=HighWaterMark(settings.data_dir, redis.prefix),
            intents=intents,
            journals=self._journals,
        )
        self._journals.own()
        return Submission(
            gate=gate,
            client=HiDreamClient(hidream, self.tokens, self.ssl_context, connections=0),
            bodies=Bodies(
                converted=ConvertedPictures(
                    settings.data_dir.absolute() / "converted", max_bytes=settings.pictures.max_bytes
                ),
                max_picture_bytes=settings.pictures.max_bytes,
            ),
            schedule=PollSchedule(tasks=settings.tasks),
            metrics=self.metrics,
            answers=self.answers,
            notify_url=self.notify_url,
            confirmed=ConfirmedAnswers(runner=intents, answers=self.answers) if intents else None,
            traces=self.traces,
        )

    @cached_property
    def traces(self) -> Traces:
        """Where this process' spans go."""
        return traces_of(self.settings.tracing)

    @cached_property
    def answers(self) -> AcceptedAnswers:
        """Accepted answers on this host's disk."""
        return AcceptedAnswers(self.settings.data_dir.absolute())

    def _heartbeats(self, role: Role) -> Heartbeats:
        if role != "collect":
            self._journals.own()
        return Heartbeats(
            self.settings.redis,
            role,
            acts=self.metrics.acts,
            heard=self._files.ready,
            term=self._term,
            journals=self._journals,
        )

    @cached_property
    def exporter(self) -> "Exporter":
        """Writes the files of batches."""
        from jobs.results.exporter import Exporter  # noqa: PLC0415

        store = PictureStore(self.settings.data_dir.absolute())
        settings = self.settings
        return Exporter(
            self.ledger,
            output_dir=settings.output_dir,
            picture_store=store.root,
            output_mode=int(settings.output_mode, 8),
            flags=settings.flags,
            price=settings.limits.price,
            completed=self._say_completed,
            exported=self._exported,
            ended=self.traces.exported if self.traces.on else None,
        )

    @cached_property
    def notices(self) -> "Notices":
        """Says what somebody should hear of."""
        from jobs.notices.sender import Notices  # noqa: PLC0415

        return Notices(self.ledger, self.settings.notify)

    def _say_completed(self, folder: Path) -> None:
        from jobs.notices.batches import batch_over, is_simulated  # noqa: PLC0415

        if self.notices.on:
            summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
            self.notices.send(batch_over(summary, simulated=is_simulated(self.ledger.prefix)))

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """One for all connections: loading the CA bundle costs 20 ms."""
        return make_ssl_context()

    @cached_property
    def tokens(self) -> TokenSource:
        """The account's token; of this process, since Redis holds no secrets."""
        return TokenSource(
            credentials=self._credentials,
            exchange=ApiKeyExchange(settings=self.settings.hidream, ssl_context=self.ssl_context),
            read=read_credentials,
        )

    @cached_property
    def _addresses(self) -> CallbackAddresses | None:
        callbacks = self.settings.callbacks
        if not callbacks.public_url:
            return None
        return CallbackAddresses(callbacks.public_url, callbacks.secret.get_secret_value(), callbacks.valid_s)

    def notify_url(self, request_id: RequestId) -> str | None:
        """The callback address of a job; None when nobody listens."""
        return self._addresses.address(request_id, time.time()) if self._addresses else None

    def watcher(self) -> "Watcher":
        """The watcher; made inside its event loop, since its connections belong to that."""
        with left_out("rich"), left_out("click"):
            # httpx would load them for a terminal.
            from worker.collect.download import Downloader  # noqa: PLC0415
        from jobs.report import Thumbnails  # noqa: PLC0415
        from worker.collect.collection import Collection  # noqa: PLC0415
        from worker.collect.picture_process import PictureProcess  # noqa: PLC0415
        from worker.collect.shown import ShownPictures  # noqa: PLC0415
        from worker.collect.turns import Turns  # noqa: PLC0415
        from worker.collect.watcher import Watcher  # noqa: PLC0415

        swept = PictureStore(self.settings.data_dir.absolute()).sweep()
        if swept:
            log.info("worker.started", what="swept", files=swept)
        redis, hidream = self.settings.redis, self.settings.hidream
        client = connect_async(redis, db=redis.ledger_db, patience_s=redis.patience_s)
        ledger = PipelinedRunner(client, redis.prefix, term=self._term)
        pictures = self.settings.pictures
        store = PictureStore(self.settings.data_dir.absolute(), min_free_bytes=pictures.min_free_bytes)
        downloader = Downloader(
            hidream=hidream,
            pictures=pictures,
            store=store,
            ssl_context=self.ssl_context,
            connections=max(MAX_CONNECTIONS, self.settings.downloads),
        )
        room = asyncio.Semaphore(self.settings.downloads)
        shown = ShownPictures(
            thumbnails=Thumbnails(store.root.parent / "thumbnails"),
            downloader=downloader,
            process=PictureProcess(store.root.parent, flags=self.settings.flags.enabled),
            hosts=pictures.thumbnail_hosts,
        )
        shown.thumbnails.sweep()
        collection = Collection(
            ledger=ledger,
            downloader=downloader,
            metrics=self.metrics,
            room=room,
            shown=shown,
            traces=self.traces,
        )
        poller = HiDreamClient(
            hidream, self.tokens, self.ssl_context, _poll_connections(self.settings.limits)
        )
        turns = Turns(ledger, poller, collection, self.settings, self.metrics, traces=self.traces)
        return Watcher(ledger, turns, self.settings.limits.in_flight)

    def reconciler(self) -> "Reconciler":
        """The reconciler; idle unless it holds the lease."""
        from worker.collect.reconciler import Reconciler  # noqa: PLC0415

        return Reconciler(self.ledger, self.queue, self.settings, exported=self._exported)

    def notice_loop(self) -> "NoticeLoop":
        """Looks for what deserves a notice; idle when there is no way for one."""
        from worker.collect.notices import NoticeLoop  # noqa: PLC0415

        looking = None
        if self.notices.on:
            from jobs.notices.looking import Looking  # noqa: PLC0415

            looking = Looking(self.ledger, self.settings, self.notices)
        return NoticeLoop(looking, self.settings.notify.look_s)

    def broker(self) -> dramatiq.Broker:
        """A broker with the actors. No Retries, no time limits: the ledger decides what is tried again."""
        redis = self.settings.redis
        if not redis.url.get_secret_value():
            raise ConfigError("redis.url: not set; workers need the Redis of the producer (VTON_REDIS__URL)")
        client = connect(
            redis, db=redis.queue_db, connections=BROKER_CLIENTS, patience_s=redis.patience_s, decode=False
        )
        submits = SubmitLoop(self.submission)
        collects = LoopServices(COLLECT, self.watcher, self.reconciler, self.notice_loop)
        middleware = [
            MessageContext(),
            TellsBounds(self.settings),
            EndsInTime(self.settings.hidream.submit_timeout_s + RECORD_S),
            ServesMetrics(
                lambda role: serve_on_free_port(self.metrics, self.settings.metrics, role, redis.prefix)
            ),
            # After the loops by Dramatiq's order at the end, which is the other way round.
            SendsTraces(self.traces),
            # Before its subclass: Dramatiq takes the other order for the same middleware twice.
            collects,
            submits,
            WakesConsumers(),
            SendsHeartbeats(self._heartbeats),
            ShowsLife(self._files, collects, submits),
            BringsIn(lambda: self.answers.bring_in(recorder(self.ledger, redis.replicas))),
        ]
        broker = TolerantBroker(
            client=client,
            namespace=redis.prefix,
            middleware=middleware,
            maintenance_chance=MAINTENANCE_CHANCE,
        )
        declare(broker, submits.submit_all, lambda: self.exporter)
        return broker


def _poll_connections(limits: LimitSettings) -> int:
    """What the account's rate needs: about 15 polls a picture, each of which may take 0.2 s."""
    return int(min(256, max(MAX_CONNECTIONS, limits.images_per_minute / 60 * 15 * 0.2)))


def start() -> dramatiq.Broker:
    """Reads the settings, configures the logs and makes the broker Dramatiq's own."""
    os.umask(0o077)
    settings, credentials = read_settings(), read_credentials()
    if not credentials:
        raise ConfigError("no token: set HIDREAM_TOKEN or HIDREAM_API_KEY")
    # As long as this process lives, no command stops the data folder's own Redis under it.
    redis_folder.use(settings.data_dir, settings.redis.url.get_secret_value())
    configure(settings.logs)
    for secret in secrets_of(settings, credentials):
        redact(secret)
    broker = App(settings, credentials).broker()
    dramatiq.set_broker(broker)
    log.info("worker.started")
    return broker


try:
    broker = start()
except VtonError as error:
    # In one line, and with the code that tells a service manager that only a person can fix it.
    sys.stderr.write(f"vton: {error}\n")
    sys.exit(error.exit_code)
