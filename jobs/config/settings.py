"""Settings: every section and key with its type, its bounds and its default; jobs.config.load reads them."""

import math
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from jobs.config.delivery import DeliverySettings, MarksSettings
from jobs.config.price import Price
from jobs.config.redis_address import address_fault
from jobs.config.section import Section
from jobs.records import PersonsReason

#: Settings that may be given by a file, which the variable with `_FILE` behind its name names.
SECRET_SETTINGS = (
    ("callbacks", "secret"),
    ("redis", "url"),
    ("review", "token"),
    ("review", "look_token"),
    ("dashboard", "token"),
    ("dashboard", "look_token"),
    ("notify", "webhook"),
    ("notify", "secret"),
    ("notify", "apprise"),
)


def secret_variable(section: str, key: str) -> str:
    """The environment's name of a setting."""
    return f"VTON_{section}__{key}".upper()


Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Budget = Annotated[int, Field(ge=0)]
#: A sum of money, exact; 0: none.
Cost = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=6)]
FILE_MODE = r"^0[0-7]{3}$"
#: What may be of a prefix of keys; a currency, or none.
PREFIX, CURRENCY = r"^[A-Za-z0-9_-]+$", r"^([A-Z]{3})?$"
#: Rights of a file, octal; a text, so that YAML does not make another number of it.
FileMode = Annotated[str, Field(pattern=FILE_MODE)]
#: 0: follows from the account's limits, see `Settings.needs`.
Automatic = Annotated[int, Field(ge=0)]

#: Bounds of what follows from the limits, for each process.
SUBMIT_THREADS = (4, 64)
POLLS_PER_SECOND = (50, 1000)
DOWNLOADS = (8, 32)
#: Seconds that a slow POST may take, its place in the rate reserved, and that a slow download takes.
_SLOW_POST_S = 30
_SLOW_DOWNLOAD_S = 5
#: Polls that one picture needs on the mean, with some room: 4 to 12 at the usual spreads of latency, 15 at one of 0.6.
#: It is no maximum: a slow picture is asked for more often. POLL_COST in worker.collect.schedule decides it, and a test of
#: that module holds it.
_POLLS_EACH = 15
#: Characters of a token below which it could be guessed.
_MIN_TOKEN = 16


class RedisSettings(Section):
    """The broker and the ledger: one server, two databases."""

    url: SecretStr = SecretStr("")
    queue_db: int = Field(0, ge=0)
    ledger_db: int = Field(1, ge=0)
    prefix: str = Field("vton", pattern=PREFIX)
    patience_s: Seconds = 120
    replicas: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _replicated(self) -> Self:
        if self.replicas and not self.url.get_secret_value():
            raise ValueError("replicas needs url: the Redis that `vton run` starts has none")
        return self

    @field_validator("url")
    @classmethod
    def _address(cls, url: SecretStr) -> SecretStr:
        text = url.get_secret_value()
        if text and (fault := address_fault(text)):
            raise ValueError(fault)
        return url


class HiDreamSettings(Section):
    """Addresses, time-outs and the code table of the API."""

    base_url: str = "https://hidreamai.com"
    submit_path: str = "/api-pub/ec/v3/image/vton/async"
    results_path: str = "/api-pub/ec/v3/image/vton/async/results"
    token_url: str = "https://www.hidreamai.com/prod-api/user/apikey2token"  # noqa: S105 an address, no secret
    image_prefix: str = "https://storage-cdn.hidreamai.com/image/"
    image_hosts: tuple[str, ...] = ("hidreamai.com",)
    connect_timeout_s: Seconds = 5
    submit_timeout_s: Seconds = 60
    poll_timeout_s: Seconds = 15
    download_timeout_s: Seconds = 120
    refresh_before_s: Seconds = 600
    final_codes: dict[int, str] = Field({1051: "picture_invalid"})
    pause_codes: dict[int, PersonsReason] = Field({2007: "credits", 2031: "module"})
    busy_codes: tuple[int, ...] = (2004,)
    safe_statuses: tuple[Annotated[int, Field(ge=400, le=599)], ...] = ()

    @field_validator("base_url", "token_url", "image_prefix")
    @classmethod
    def _http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http(s) address with a host")
        if parts.username is not None:
            raise ValueError("must be without a user name and password")
        if not url.isascii() or " " in url:
            raise ValueError("must be plain ASCII: an international name as xn--, the rest with escapes")
        return url


class LimitSettings(Section):
    """What the account may do, and what the shop wants to spend."""

    in_flight: Count = 3
    images_per_minute: float = Field(20, gt=0)
    max_images_per_batch: Budget = 0
    max_images_per_day: Budget = 0
    max_attempts: Count = 3
    #: Of each collect process; 0: follows from the limits above.
    polls_per_second: float = Field(0, ge=0)
    price_per_image: Cost = Decimal(0)
    currency: str = Field("", pattern=CURRENCY)
    max_cost_per_batch: Cost = Decimal(0)
    max_cost_per_day: Cost = Decimal(0)

    @model_validator(mode="after")
    def _priced(self) -> Self:
        for name, cost in (("batch", self.max_cost_per_batch), ("day", self.max_cost_per_day)):
            if cost and not self.price:
                raise ValueError(f"max_cost_per_{name} needs price_per_image")
            if cost and cost < self.price_per_image:
                raise ValueError(f"max_cost_per_{name} is less than one picture costs")
        return self

    @property
    def price(self) -> Price:
        """What one picture costs; false when that is not known."""
        return Price(per_image=self.price_per_image, currency=self.currency)

    @property
    def batch_budget(self) -> int:
        """Pictures that a batch may buy, by whichever of its budgets is smaller; 0: as many as wanted."""
        return self._smaller(self.max_images_per_batch, self.max_cost_per_batch)

    @property
    def day_budget(self) -> int:
        """The same of a UTC day."""
        return self._smaller(self.max_images_per_day, self.max_cost_per_day)

    def _smaller(self, pictures: int, cost: Decimal) -> int:
        both = (pictures, self.price.pictures(cost) if cost else 0)
        return min(filter(None, both), default=0)


class TaskSettings(Section):
    """How long tasks take, and what becomes of odd ones."""

    latency_s: Seconds = 12
    give_up_s: Seconds = 1800
    lost_after_s: Seconds = 60
    unknown_policy: Literal["hold", "resubmit"] = "hold"
    unknown_quiet_s: Seconds = 300


class CallbackSettings(Section):
    """The receiver's address inside and outside."""

    public_url: str = ""
    host: str = "127.0.0.1"
    port: int = Field(8780, ge=0, le=65535)
    valid_s: Seconds = 172800
    #: Only from the environment: VTON_CALLBACKS__SECRET; two keys joined by a comma while they are rotated.
    secret: SecretStr = SecretStr("")


class PictureSettings(Section):
    """Which pictures go out and how big the ones coming in may be."""

    roots: tuple[Path, ...] = ()
    max_bytes: Count = 10_000_000
    max_pixels: Count = 40_000_000
    min_side: Count = 64
    convert: Literal["auto", "off"] = "auto"
    max_side: Automatic = 0
    max_download_bytes: Count = 50_000_000
    volatile_parameters: tuple[str, ...] = ()
    private_hosts: Literal["refuse", "allow"] = "refuse"
    thumbnail_hosts: tuple[str, ...] = ("*",)
    min_free_bytes: Budget = 200_000_000


class AddressCheckSettings(Section):
    """How `--check-urls` asks for pictures."""

    #: Requests at once, and begun a second, of one host.
    parallel: Count = 8
    per_second: float = Field(20, gt=0)
    timeout_s: Seconds = 15
    #: An answer that takes longer is a warning.
    slow_s: Seconds = 5
    #: What was found is believed for so long; 0: not at all.
    keep_hours: float = Field(12, ge=0)


Share = Annotated[float, Field(ge=0)]


class FlagSettings(Section):
    """From where on a picture is flagged, see docs/flags.md. Flags never buy, reject or delete."""

    enabled: bool = True
    unchanged: Share = 0.004
    is_garment: Share = 0.006
    same_as_row: Share = 0.004
    blank: Share = 4
    dark: Share = 40
    grey: Share = 0.25
    blurred: Share = 0.7
    small: Share = 480
    aspect: Share = 0.05
    colour: Share = 10


class WorkerSettings(Section):
    """Processes of `vton run` and the periods of the collect workers."""

    submit_processes: Count = 1
    submit_threads: Automatic = 0
    collect_processes: Count = 1
    downloads: Automatic = 0
    reconcile_s: Seconds = 5
    export_s: Seconds = 2
    patience_s: Seconds = 20
    #: Touched while a worker answers, for `python -m worker.alive`.
    alive_file: Path | None = None


class TableSettings(Section):
    """How results.csv and failed.csv are written."""

    mark: Literal["auto", "always", "never"] = "auto"


class LogSettings(Section):
    """How much is logged, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class _SiteSettings(Section):
    """Where a site is served, and what opens it."""

    host: str = "127.0.0.1"
    #: Only from the environment: VTON_<SITE>__TOKEN; empty: one is made and kept in the data folder.
    token: SecretStr = SecretStr("")
    #: Only from the environment: VTON_<SITE>__LOOK_TOKEN, for who may look and do nothing; empty: there is none.
    look_token: SecretStr = SecretStr("")

    @field_validator("token", "look_token")
    @classmethod
    def _long(cls, token: SecretStr) -> SecretStr:
        return _long_token(token)

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.look_token.get_secret_value() and self.look_token == self.token:
            raise ValueError("look_token: must be another one than token")
        return self


class ReviewSettings(_SiteSettings):
    """Where `vton serve --review` serves the contact sheets, and what opens them."""

    port: int = Field(8781, ge=0, le=65535)


class DashboardSettings(_SiteSettings):
    """Where `vton serve --dashboard` serves the dashboard, and what opens it."""

    port: int = Field(8782, ge=0, le=65535)


def _long_token(token: SecretStr) -> SecretStr:
    if 0 < len(token.get_secret_value()) < _MIN_TOKEN:
        raise ValueError(f"must have at least {_MIN_TOKEN} characters")
    return token


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What each process needs so that the account's limits are the only limits."""

    submit_threads: int
    polls_per_second: float
    downloads: int


class DataSettings(Section):
    """What is kept of what has ended."""

    #: Days after its end that a batch stays in the ledger; at the end of a run older ones are pruned. 0: none is.
    keep_days: int = Field(0, ge=0)


class MetricsSettings(Section):
    """Where each process tells Prometheus of itself."""

    #: The first port; each process takes the next free one. 0: nowhere.
    port: int = Field(0, ge=0, le=65535)
    host: str = "127.0.0.1"
    #: Everything of this host in one exposition. 0: nowhere.
    all_port: int = Field(0, ge=0, le=65535)


class NotifySettings(Section):
    """Where notices go; docs/notices.md says of what."""

    command: tuple[str, ...] = ()
    #: As a rule a secret itself: who knows it may write there.
    webhook: SecretStr = SecretStr("")
    timeout_s: Seconds = 10
    look_s: Seconds = 15
    unknown_after_s: Seconds = 3600
    workers_after_s: Seconds = 120
    #: Only from the environment: VTON_NOTIFY__SECRET, which signs what the webhook is sent.
    secret: SecretStr = SecretStr("")
    #: Only from the environment: VTON_NOTIFY__APPRISE, addresses for Apprise with blanks between.
    apprise: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _signed(self) -> "NotifySettings":
        webhook = self.webhook.get_secret_value()
        if webhook and (urlsplit(webhook).scheme not in {"http", "https"} or not urlsplit(webhook).hostname):
            raise ValueError("webhook must be an http(s) address with a host")
        if webhook and not self.secret.get_secret_value():
            raise ValueError("webhook needs VTON_NOTIFY__SECRET, which signs what it is sent")
        return self


class TracingSettings(Section):
    """Whether spans are sent; all else about them is said by OpenTelemetry's own OTEL_* variables."""

    enabled: bool = False
    #: What the end of a process may wait for the last spans.
    end_s: Seconds = 3


class Settings(Section):
    """Everything, read once."""

    output_dir: Path = Path("out")
    data_dir: Path = Path(".vton")
    output_mode: FileMode = "0600"
    redis: RedisSettings = RedisSettings.model_construct()
    hidream: HiDreamSettings = HiDreamSettings.model_construct()
    limits: LimitSettings = LimitSettings.model_construct()
    tasks: TaskSettings = TaskSettings.model_construct()
    callbacks: CallbackSettings = CallbackSettings.model_construct()
    pictures: PictureSettings = PictureSettings.model_construct()
    address_check: AddressCheckSettings = AddressCheckSettings.model_construct()

    flags: FlagSettings = FlagSettings.model_construct()
    workers: WorkerSettings = WorkerSettings.model_construct()
    tables: TableSettings = TableSettings.model_construct()
    logs: LogSettings = LogSettings.model_construct()
    metrics: MetricsSettings = MetricsSettings.model_construct()
    marks: MarksSettings = MarksSettings.model_construct()
    delivery: DeliverySettings = DeliverySettings.model_construct()
    review: ReviewSettings = ReviewSettings.model_construct()
    notify: NotifySettings = NotifySettings.model_construct()
    data: DataSettings = DataSettings.model_construct()
    tracing: TracingSettings = TracingSettings.model_construct()
    dashboard: DashboardSettings = DashboardSettings.model_construct()

    @property
    def needs(self) -> Needs:
        """What follows from `limits.in_flight` and `limits.images_per_minute`, whatever else is set."""
        slots, per_second = self.limits.in_flight, self.limits.images_per_minute / 60
        # One thread for each slot, and one more that waits at the gate for the next slot to be free.
        threads = min(slots + 1, per_second * _SLOW_POST_S)
        return Needs(
            submit_threads=_within(SUBMIT_THREADS, threads, self.workers.submit_processes),
            polls_per_second=_within(
                POLLS_PER_SECOND, per_second * _POLLS_EACH, self.workers.collect_processes
            ),
            downloads=_within(DOWNLOADS, per_second * _SLOW_DOWNLOAD_S, self.workers.collect_processes),
        )

    @property
    def submit_threads(self) -> int:
        """Threads of each submit process."""
        return self.workers.submit_threads or self.needs.submit_threads

    @property
    def polls_per_second(self) -> float:
        """Questions for results, of each collect process."""
        return self.limits.polls_per_second or self.needs.polls_per_second

    @property
    def downloads(self) -> int:
        """Downloads at once, of each collect process."""
        return self.workers.downloads or self.needs.downloads


def _within(bounds: tuple[int, int], needed: float, processes: int) -> int:
    return int(min(bounds[1], max(bounds[0], math.ceil(needed / processes))))


class Credentials(Section):
    """What the account is entered with; one of the two, or neither."""

    token: SecretStr | None = None
    api_key: SecretStr | None = None

    def __bool__(self) -> bool:
        return bool(self.token or self.api_key)
