"""The composition root of the workers: `dramatiq worker.app -Q submit` and `-Q collect` load this module.

It is the one module whose import does something: Dramatiq wants a broker with actors when it has loaded it. Settings are
read once, every part is built once, each gets its slice.
"""

import asyncio
import os
import ssl
import sys
import time
from functools import cached_property

import dramatiq
import structlog

from jobs.config.load import read_credentials, read_settings, secrets_of
from jobs.config.settings import SUBMIT_THREADS, Credentials, LimitSettings, Settings
from jobs.errors import ConfigError, VtonError
from jobs.gate import Gate
from jobs.ledger import Ledger
from jobs.ledger.accepted_answers import AcceptedAnswers
from jobs.ledger.high_water import HighWaterMark
from jobs.local import redis_folder
from jobs.logging.setup import configure, redact
from jobs.pictures.store import PictureStore
from jobs.producing.queue import COLLECT, Queue
from jobs.records import RequestId
from jobs.redis.client import (
    BROKER_CLIENTS,
    QUEUE_CLIENTS,
    SPARE_CLIENTS,
    connect,
    connect_async,
)
from jobs.results.exporter import Exporter
from worker.actors import TolerantBroker, declare
from worker.callbacks.address import CallbackAddresses
from worker.collect.collection import Collection
from worker.collect.download import Downloader
from worker.collect.pipelined import PipelinedRunner
from worker.collect.reconciler import Reconciler
from worker.collect.schedule import PollSchedule
from worker.collect.turns import Turns
from worker.collect.watcher import Watcher
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
    ServesMetrics,
    SubmitLoop,
    TellsBounds,
)
from worker.submit.bodies import Bodies
from worker.submit.submission import Submission

log = structlog.get_logger()

#: Commands out of a million that make Dramatiq look for dead workers' messages (≈ every 15 s on an idle queue).
MAINTENANCE_CHANCE = 50_000

#: How long a worker that was told to end may take to record the answer of its last POST, s.
RECORD_S = 5.0


class App:
    """Everything a worker process is made of, each part built when it is first needed."""

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._credentials = credentials

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger for threads."""
        redis = self.settings.redis
        client = connect(redis, db=redis.ledger_db, connections=SPARE_CLIENTS, patience_s=redis.patience_s)
        return Ledger(client, redis.prefix)

    @cached_property
    def queue(self) -> Queue:
        """The queue, for wake-up messages that are sent again."""
        redis = self.settings.redis
        client = connect(redis, db=redis.queue_db, connections=QUEUE_CLIENTS, patience_s=redis.patience_s)
        return Queue(client, redis.prefix)

    def submission(self) -> Submission:
        """Submits jobs; made inside its event loop, by submit processes only."""
        settings, redis, hidream = self.settings, self.settings.redis, self.settings.hidream
        # Each submit actor may hold one; a worker may have been started with more threads than the settings say.
        most = max(SUBMIT_THREADS[1], settings.submit_threads) + 1
        client = connect_async(redis, db=redis.ledger_db, connections=most, patience_s=redis.patience_s)
        gate = Gate(
            self.ledger,
            PipelinedRunner(client, redis.prefix),
            settings.limits,
            submit_timeout_s=2 * hidream.submit_timeout_s,
            mark=HighWaterMark(settings.data_dir, redis.prefix),
        )
        return Submission(
            gate=gate,
            client=HiDreamClient(hidream, self.tokens, self.ssl_context, connections=0),
            bodies=Bodies(max_picture_bytes=settings.pictures.max_bytes),
            schedule=PollSchedule(tasks=settings.tasks),
            metrics=self.metrics,
            answers=self.answers,
            notify_url=self.notify_url,
        )

    @cached_property
    def answers(self) -> AcceptedAnswers:
        """Accepted answers on this host's disk."""
        return AcceptedAnswers(self.settings.data_dir.absolute())

    @cached_property
    def exporter(self) -> Exporter:
        """Writes the files of batches."""
        store = PictureStore(self.settings.data_dir.absolute())
        return Exporter(self.ledger, output_dir=self.settings.output_dir, picture_store=store.root)

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

    def watcher(self) -> Watcher:
        """The watcher; made inside its event loop, since its connections belong to that."""
        swept = PictureStore(self.settings.data_dir.absolute()).sweep()
        if swept:
            log.info("worker.started", what="swept", files=swept)
        redis, hidream = self.settings.redis, self.settings.hidream
        client = connect_async(redis, db=redis.ledger_db, patience_s=redis.patience_s)
        ledger = PipelinedRunner(client, redis.prefix)
        downloader = Downloader(
            hidream=hidream,
            pictures=self.settings.pictures,
            store=PictureStore(
                self.settings.data_dir.absolute(), min_free_bytes=self.settings.pictures.min_free_bytes
            ),
            ssl_context=self.ssl_context,
            connections=max(MAX_CONNECTIONS, self.settings.downloads),
        )
        room = asyncio.Semaphore(self.settings.downloads)
        collection = Collection(ledger=ledger, downloader=downloader, metrics=self.metrics, room=room)
        poller = HiDreamClient(
            hidream, self.tokens, self.ssl_context, _poll_connections(self.settings.limits)
        )
        turns = Turns(ledger, poller, collection, self.settings, self.metrics)
        return Watcher(ledger, turns, self.settings.limits.in_flight)

    def reconciler(self) -> Reconciler:
        """The reconciler; idle unless it holds the lease."""
        return Reconciler(self.ledger, self.queue, self.settings)

    def broker(self) -> dramatiq.Broker:
        """A broker with the actors. No Retries, no time limits: the ledger decides what is tried again."""
        redis = self.settings.redis
        if not redis.url.get_secret_value():
            raise ConfigError("redis.url: not set; workers need the Redis of the producer (VTON_REDIS__URL)")
        client = connect(
            redis, db=redis.queue_db, connections=BROKER_CLIENTS, patience_s=redis.patience_s, decode=False
        )
        submits = SubmitLoop(self.submission)
        middleware = [
            MessageContext(),
            TellsBounds(self.settings),
            EndsInTime(self.settings.hidream.submit_timeout_s + RECORD_S),
            ServesMetrics(lambda: serve_on_free_port(self.metrics, self.settings.metrics)),
            # Before its subclass: Dramatiq takes the other order for the same middleware twice.
            LoopServices(COLLECT, self.watcher, self.reconciler),
            submits,
            WakesConsumers(),
            BringsIn(lambda: self.answers.bring_in(self.ledger)),
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
