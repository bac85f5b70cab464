"""Settings of logs, traces and metrics, and the identity of the process they come from."""

from dataclasses import dataclass
from typing import Annotated, Self, TypeAlias

from pydantic import (
    BeforeValidator,
    Field,
    FilePath,
    PositiveFloat,
    PositiveInt,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

HTTP = "http/protobuf"
_GRPC_DEFAULT, _HTTP_DEFAULT = "http://localhost:4317", "http://localhost:4318"
_EXPORTERS = "^(otlp|none)$"
_PROTOCOLS = f"^(grpc|{HTTP})$"
_SAMPLERS = "^(parentbased_)?(always_on|always_off|traceidratio)$"
# More spans than this, waiting for a slow collector, are dropped.
MAX_WAITING_SPANS = 4_096


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """The process that spans and metrics come from: OpenTelemetry's `service` attributes."""

    service_name: str
    version: str
    instance_id: str


@dataclass(frozen=True, slots=True)
class OtlpTarget:
    """Where one signal is exported to: for HTTP, the whole URL of the signal."""

    endpoint: str
    protocol: str


def _is_true(value: object) -> bool:
    """OpenTelemetry's booleans: everything but "true" is false."""
    return str(value).lower() == "true"


OtelBoolean: TypeAlias = Annotated[bool, BeforeValidator(_is_true)]


class TelemetrySettings(BaseSettings):
    """Where spans and metrics are exported to, and which lines are logged.

    Without an endpoint or a port nothing is exported, and OpenTelemetry is not imported. Its
    exporters read headers, timeouts, files and compression for themselves. Timeouts and files are
    checked here: the exporters fail with a traceback, or go on with less protection.
    """

    model_config = SettingsConfigDict(
        env_prefix="OTEL_EXPORTER_OTLP_",
        validate_by_name=True,
        frozen=True,
        env_ignore_empty=True,
    )

    disabled: OtelBoolean = Field(default=False, validation_alias="OTEL_SDK_DISABLED")
    otlp_endpoint: str = Field(default="", validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    traces_endpoint: str = ""
    metrics_endpoint: str = ""
    protocol: str = Field(default="grpc", pattern=_PROTOCOLS)
    traces_protocol: str | None = Field(default=None, pattern=_PROTOCOLS)
    metrics_protocol: str | None = Field(default=None, pattern=_PROTOCOLS)
    timeout: PositiveFloat | None = None
    traces_timeout: PositiveFloat | None = None
    metrics_timeout: PositiveFloat | None = None
    certificate: FilePath | None = None
    traces_certificate: FilePath | None = None
    metrics_certificate: FilePath | None = None
    client_key: FilePath | None = None
    traces_client_key: FilePath | None = None
    metrics_client_key: FilePath | None = None
    client_certificate: FilePath | None = None
    traces_client_certificate: FilePath | None = None
    metrics_client_certificate: FilePath | None = None
    # "none" leaves a signal out; "otlp" exports it without an endpoint too, to this machine.
    traces: str | None = Field(
        default=None, pattern=_EXPORTERS, validation_alias="OTEL_TRACES_EXPORTER"
    )
    metrics: str | None = Field(
        default=None,
        pattern=_EXPORTERS,
        validation_alias="OTEL_METRICS_EXPORTER",
    )
    # Logs are lines on standard output.
    logs: str = Field(default="none", pattern="^none$", validation_alias="OTEL_LOGS_EXPORTER")
    sampler: str | None = Field(
        default=None, pattern=_SAMPLERS, validation_alias="OTEL_TRACES_SAMPLER"
    )
    sampler_ratio: float = Field(
        default=1.0, ge=0, le=1, validation_alias="OTEL_TRACES_SAMPLER_ARG"
    )
    max_waiting_spans: int = Field(
        default=MAX_WAITING_SPANS, ge=512, validation_alias="OTEL_BSP_MAX_QUEUE_SIZE"
    )
    max_export_batch_size: int = Field(
        default=512, ge=1, validation_alias="OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
    )
    schedule_delay_ms: PositiveInt = Field(
        default=5_000, validation_alias="OTEL_BSP_SCHEDULE_DELAY"
    )
    # Where Prometheus reads the metrics; port 0: nowhere.
    metrics_port: int = Field(
        default=0,
        ge=0,
        le=65_535,
        validation_alias="TRADEPOST_METRICS_PORT",
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        validation_alias="TRADEPOST_METRICS_HOST",
    )
    log_level: str = Field(
        default="info",
        pattern="^(debug|info|warning|error)$",
        validation_alias="TRADEPOST_LOG_LEVEL",
    )

    @model_validator(mode="after")
    def _check_http_endpoints(self) -> Self:
        for target in (self.traces_target, self.metrics_target):
            if target and target.protocol == HTTP and "://" not in target.endpoint:
                raise ValueError(
                    "OTEL_EXPORTER_OTLP_ENDPOINT: must begin with http:// or https:// where"
                    f" OTEL_EXPORTER_OTLP_PROTOCOL is {HTTP}"
                )
        return self

    @model_validator(mode="after")
    def _check_batch(self) -> Self:
        if self.max_export_batch_size > self.max_waiting_spans:
            raise ValueError(
                "OTEL_BSP_MAX_EXPORT_BATCH_SIZE: must be at most OTEL_BSP_MAX_QUEUE_SIZE, which is"
                f" {self.max_waiting_spans}"
            )
        return self

    @property
    def traces_target(self) -> OtlpTarget | None:
        """Where spans are exported to; None: they are not."""
        protocol = self.traces_protocol or self.protocol
        return self._target("traces", self.traces, self.traces_endpoint, protocol)

    @property
    def metrics_target(self) -> OtlpTarget | None:
        """Where metrics are exported to; None: they are not."""
        protocol = self.metrics_protocol or self.protocol
        return self._target("metrics", self.metrics, self.metrics_endpoint, protocol)

    @property
    def prometheus_port(self) -> int:
        """Where Prometheus reads the metrics; 0: nowhere."""
        return 0 if self.disabled else self.metrics_port

    @property
    def is_exporting(self) -> bool:
        """Whether anything is exported."""
        targets = (self.traces_target, self.metrics_target)
        return any(targets) or bool(self.prometheus_port)

    def _target(
        self, signal: str, exporter: str | None, own_endpoint: str, protocol: str
    ) -> OtlpTarget | None:
        """A signal's own endpoint is used as it is; the common one is the base of an HTTP URL."""
        endpoint = own_endpoint or self.otlp_endpoint
        if self.disabled or exporter == "none" or not (endpoint or exporter):
            return None
        if own_endpoint or protocol != HTTP:
            return OtlpTarget(endpoint or _GRPC_DEFAULT, protocol)
        return OtlpTarget(f"{(endpoint or _HTTP_DEFAULT).rstrip('/')}/v1/{signal}", protocol)
