"""The tables of the settings, each a frozen model: an unknown key is an error."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

BarInterval = Literal["1m", "5m", "15m", "1h", "4h", "1d"]
BarType = Literal["tick", "volume", "dollar"]


class Section(BaseModel):
    """A table of the TOML: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Lake(Section):
    """Where the lake is and how long a writer's lease lives (seconds).

    `log_store` is of a lake in S3: whether S3 itself refuses a second commit of one version, by
    the jar that deploy/log-store.sh makes.
    """

    root: str
    log_store: Literal["conditional", "single-driver"]
    region: str
    lease_seconds: int = Field(ge=2)
    session_time_zone: Literal["UTC"]


def _sendable(key: SecretStr) -> SecretStr:
    """Refuse what no header can carry: the fault would show the key."""
    text = key.get_secret_value()
    if not (text.isascii() and text.isprintable()) or text != text.strip():
        raise ValueError("the key holds a blank at an end, a line break or no plain letter")
    return key


ApiKey = Annotated[SecretStr, AfterValidator(_sendable)]


class BinanceSegment(Section):
    """One Binance market: its addresses, its request weight a minute, and a secret key.

    `historical_trades_url` is the host that is asked for trades by id; empty means `rest_url`.
    """

    rest_url: str
    ws_url: str
    weight_limit_per_minute: int = Field(gt=0)
    trades_dataset: Literal["trades", "agg_trades"]
    historical_trades_url: str = ""
    api_key: ApiKey | None = None


class Binance(Section):
    """Binance: the bulk archive and the three markets."""

    archive_url: str
    spot: BinanceSegment
    usdm: BinanceSegment
    coinm: BinanceSegment


class Deribit(Section):
    """Deribit: the live host, the history host, and the request rate it grants."""

    rest_url: str
    history_url: str
    ws_url: str
    requests_per_second: int = Field(gt=0)


class OtherExchange(Section):
    """An exchange whose bars CCXT knows how to ask for and to read.

    `ccxt` is CCXT's id of it; `rest_url` stands in the place of its hosts where one is named;
    without `requests_per_second` CCXT's own rate limit holds; `options` are handed to CCXT.
    """

    ccxt: str = Field(min_length=1)
    rest_url: str = ""
    requests_per_second: int | None = Field(default=None, gt=0)
    options: Mapping[str, Any] = Field(default_factory=dict)


class Exchanges(Section):
    """The exchanges that Candlelake speaks to; any further table is one of CCXT's."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, OtherExchange]

    binance: Binance
    deribit: Deribit

    @property
    def others(self) -> Mapping[str, OtherExchange]:
        """The exchanges of which CCXT gives the bars, by our name of each."""
        return self.__pydantic_extra__ or {}


class Extract(Section):
    """How the exchanges are asked: patience (seconds), retries, sizes, and when to ask the user."""

    connect_timeout_seconds: float = Field(gt=0)
    read_timeout_seconds: float = Field(gt=0)
    attempts: int = Field(ge=1)
    backoff_seconds: float = Field(ge=0)
    backoff_ceiling_seconds: float = Field(ge=0)
    limit_share: float = Field(gt=0, le=1)
    bar_interval: str
    chunk_limit: int = Field(ge=1000)
    pack_above: int = Field(ge=0)
    reserved_concurrency: int = Field(ge=1)
    workers: int = Field(ge=1)
    ask_above_bytes: int = Field(ge=0)
    ask_above_seconds: int = Field(ge=0)


class Workers(Section):
    """Where messages of a history are worked on, and how often one is delivered (seconds)."""

    home: Literal["pool", "celery", "sqs"]
    redis_url: str
    queue_url: str
    dead_letter_url: str
    visibility_seconds: int = Field(ge=1)
    deliveries: int = Field(ge=1)
    retry_seconds: int = Field(ge=0)


class Minute(Section):
    """What is polled on the clock, how often, and how long after an interval's end (seconds)."""

    indexes: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]+_[a-z0-9]+$")], ...]
    #: exchange/kind/name
    bars: tuple[Annotated[str, Field(pattern=r"^[^/]+/[^/]+/.+$")], ...]
    interval_seconds: int = Field(ge=1, le=86_400)
    delay_seconds: float = Field(ge=0)
    attempts: int = Field(ge=1)
    timeout_seconds: float = Field(gt=0)
    backfill_minutes: int = Field(ge=0)

    @field_validator("interval_seconds")
    @classmethod
    def _divides_a_day(cls, seconds: int) -> int:
        """Refuse intervals that would not begin alike on each day."""
        if 86_400 % seconds:
            raise ValueError("an interval has to divide a day into equal parts")
        return seconds


class Live(Section):
    """How collectors batch, wait, change connections and look for holes (seconds, bytes, ids)."""

    sink: Literal["bronze", "kafka"]
    seconds: float = Field(gt=0)
    bytes: int = Field(gt=0)
    messages: int = Field(gt=0)
    buffer_bytes: int = Field(gt=0)
    store_patience_seconds: float = Field(ge=0)
    stale_seconds: float = Field(gt=0)
    connection_seconds: float = Field(gt=0)
    rotation_seconds: float = Field(ge=0)
    hole_seconds: float = Field(ge=0)
    quiet_seconds: float = Field(gt=0)
    look_back_seconds: int = Field(ge=0)
    fill_ids: int = Field(ge=0)
    status_seconds: float = Field(gt=0)
    metrics_port: int = Field(ge=0, le=65535)
    metrics_host: str = Field(min_length=1)


class Kafka(Section):
    """The topic between collectors and bronze, and how its brokers are reached (seconds, records).

    `password` is SASL's, `key_password` that of an encrypted `key_file`; files are PEM. They and
    what else is secret come from the environment and are never in a file. `producer` and
    `consumer` are handed to the two clients, under the clients' own names.
    """

    servers: str
    topic: str = Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
    username: str
    password: SecretStr | None = None
    ca_file: str
    certificate_file: str
    key_file: str
    key_password: SecretStr | None = None
    transaction_seconds: int = Field(ge=1, le=900)
    records_per_batch: int = Field(ge=1)
    interval_seconds: float = Field(gt=0)
    producer: Mapping[str, str | int | bool] = Field(default_factory=dict)
    consumer: Mapping[str, str | int | bool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _secrets_elsewhere(self) -> Kafka:
        """Refuse secrets among the clients' own options, which stand in files."""
        for name in (*self.producer, *self.consumer):
            if "password" in name or "jaas" in name or "secret" in name:
                raise ValueError(f"{name} is a secret: set kafka.password or kafka.key_password")
        return self


class Status(Section):
    """What `candlelake status` takes for stale (seconds; 0 never)."""

    stream_seconds: float = Field(ge=0)
    lag_seconds: float = Field(ge=0)
    hole_seconds: float = Field(ge=0)
    pipeline_seconds: float = Field(ge=0)
    gold_seconds: float = Field(ge=0)


class Window(Section):
    """What a run takes where no --start or --end is given; empty means since listing, until now."""

    start: str
    end: str


class Bronze(Section):
    """How bronze is read: files a batch, and how many rejected rows stop it."""

    files_per_batch: int = Field(ge=1)
    quarantine_share: float = Field(ge=0, le=1)
    quarantine_rows: int = Field(ge=0)


class InformationSeries(Section):
    """What closes an information bar, and how much of it: text or a whole number."""

    bar_type: BarType
    threshold: Decimal = Field(gt=0, max_digits=38, decimal_places=18)

    @field_validator("threshold", mode="before")
    @classmethod
    def _exact(cls, value: object) -> object:
        """Refuse a number with a point: TOML reads it as a float."""
        if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
            return value
        raise ValueError("a threshold is a whole number, or text such as '0.5'")

    @model_validator(mode="after")
    def _counts_whole_trades(self) -> InformationSeries:
        """Refuse parts of a trade."""
        if self.bar_type == "tick" and self.threshold != self.threshold.to_integral_value():
            raise ValueError("a tick bar's threshold is a number of trades, and whole")
        return self


class InformationBars(InformationSeries):
    """A series of information bars, and the instruments (the venue's own names, or patterns)."""

    exchange: str = Field(min_length=1)
    kind: str = Field(min_length=1)
    instruments: tuple[str, ...] = Field(min_length=1)


class Gold(Section):
    """Which bars are built, and how long after its end a bar may be published (seconds)."""

    grace_seconds: int = Field(ge=0)
    bar_intervals: tuple[BarInterval, ...]
    information_bars: tuple[InformationBars, ...]


class Continuous(Section):
    """How often `pipeline --continuous` looks for what has landed (seconds)."""

    interval_seconds: float = Field(gt=0)


class Reconcile(Section):
    """When a comparison of two sources stops a run, and how near to a window's end is at its edge.

    So few rows, or so small a share of them, may be `undetermined`: only the exchange could tell.
    Of a comparison of more than `keep_rows` rows only those that differ are kept side by side.
    What a run has left in the lake is removed after `keep_runs_days`; 0 is never.
    """

    edge_seconds: float = Field(ge=0)
    undetermined_rows: int = Field(ge=0)
    undetermined_share: float = Field(ge=0, le=1)
    keep_rows: int = Field(ge=0)
    keep_runs_days: int = Field(ge=0)


class Serve(Section):
    """Where gold is served to programs: the database, the address, and who may ask how often.

    `database_url` is SQLAlchemy's, empty for the embedded database in the lake's folder; its
    password comes from the environment and is never in a file. `keys_file` holds hashed API keys;
    without one nobody is asked for a key, which a host other than loopback refuses to start with.
    """

    database_url: str
    database_password: SecretStr | None = None
    database_connections: int = Field(ge=1, le=500)
    statement_seconds: float = Field(gt=0)
    host: str
    port: int = Field(ge=0, le=65535)
    keys_file: str
    requests_per_second: float = Field(ge=0)
    burst: int = Field(ge=1)
    cors_origins: tuple[str, ...]
    page_rows: int = Field(ge=1)
    most_rows: int = Field(ge=1)
