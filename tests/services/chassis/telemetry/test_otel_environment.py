"""A service is configured by OpenTelemetry's own variables, as OpenTelemetry specifies them."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from discovery.clock import SystemClock
from scripts.tools.paths import ROOT
from services.chassis.environment import SettingError, read
from services.chassis.ids import IdFactory
from services.chassis.server import instrumentation
from services.chassis.server.settings import ServerSettings
from services.chassis.telemetry.settings import TelemetrySettings
from tests.support.limits import WAIT_S
from tests.support.telemetry.otlp_collector import Collector, collecting, collecting_http

PREFIX = "OTEL_EXPORTER_OTLP"
HTTP = "http/protobuf"
TLS = ROOT / "tests/support/telemetry/tls"


@pytest.fixture(autouse=True)
def no_other_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the variables that a test sets."""
    for name in ("ENDPOINT", "PROTOCOL", "HEADERS", "TIMEOUT", "INSECURE", "CERTIFICATE"):
        monkeypatch.delenv(f"{PREFIX}_{name}", raising=False)


async def export_one(*, seed: int = 1, **settings: str) -> bool:
    """Export a span and a metric as a service does; return whether it is traced at all."""
    ids = IdFactory(clock=SystemClock(), rng=random.Random(seed))
    async with instrumentation.exporting(
        "echo", ServerSettings(**settings), read(TelemetrySettings), clock=SystemClock(), ids=ids
    ) as recorders:
        if recorders is None:
            return False
        if recorders.tracer_provider is not None:
            recorders.tracer_provider.get_tracer("test").start_span("one").end()
        if recorders.meter_provider is not None:
            recorders.meter_provider.get_meter("test").create_counter("count").add(1)
    return True


async def test_instances_without_an_id_are_told_apart() -> None:
    """Each process has a service.instance.id of its own, also where its port isn't chosen yet."""
    async with collecting() as collector, endpoint(collector):
        await export_one(seed=1)
        await export_one(seed=2)
        await export_one(port="50051")

    ids = [resource["service.instance.id"] for resource in collector.resources]
    assert len(set(ids)) == 3
    assert "" not in ids
    assert ids[2] == "echo-127.0.0.1-50051"


@asynccontextmanager
async def endpoint(collector: Collector, **variables: str) -> AsyncIterator[None]:
    """Set the endpoint of a collector, and other variables, while the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(f"{PREFIX}_ENDPOINT", collector.endpoint)
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


async def test_the_resource_is_what_the_environment_says() -> None:
    """OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come before what the service says itself."""
    variables = {
        "OTEL_SERVICE_NAME": "orders-eu",
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=x,service.instance.id=pod-7,region=eu%20west",
    }
    async with collecting() as collector, endpoint(collector, **variables):
        await export_one()

    (resource,) = collector.resources
    assert resource["service.name"] == "orders-eu"
    assert resource["service.instance.id"] == "pod-7"
    assert resource["region"] == "eu west"
    assert resource["service.version"] == ServerSettings.model_fields["version"].default


async def test_http_exports_to_the_paths_of_the_signals() -> None:
    """With http/protobuf the endpoint is a base, and headers are sent along."""
    variables = {f"{PREFIX}_PROTOCOL": HTTP, f"{PREFIX}_HEADERS": "api-key=s3cret"}
    async with collecting_http() as collector, endpoint(collector, **variables):
        await export_one()

    assert [span.name for span in collector.spans] == ["one"]
    assert "count" in collector.metrics
    assert {headers["api-key"] for headers in collector.headers} == {"s3cret"}


async def test_headers_are_metadata_of_grpc() -> None:
    """OTEL_EXPORTER_OTLP_HEADERS holds for gRPC too."""
    async with (
        collecting() as collector,
        endpoint(collector, **{f"{PREFIX}_HEADERS": "api-key=s3cret"}),
    ):
        await export_one()

    assert {headers["api-key"] for headers in collector.headers} == {"s3cret"}


async def test_each_signal_may_have_its_own_endpoint_and_protocol() -> None:
    """A signal's own variable comes before the common one, and is a whole URL for HTTP."""
    async with collecting() as common, collecting() as traces, collecting_http() as metrics:
        own = {
            f"{PREFIX}_TRACES_ENDPOINT": traces.endpoint,
            f"{PREFIX}_METRICS_ENDPOINT": f"{metrics.endpoint}/v1/metrics",
            f"{PREFIX}_METRICS_PROTOCOL": HTTP,
        }
        async with endpoint(common, **own):
            await export_one()

    assert (common.spans, common.metrics) == ([], {})
    assert [span.name for span in traces.spans] == ["one"]
    assert "count" in metrics.metrics


async def test_an_endpoint_of_traces_alone_exports_traces_alone() -> None:
    """Without a common endpoint only the signal with an endpoint is exported."""
    async with collecting() as collector:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(f"{PREFIX}_TRACES_ENDPOINT", collector.endpoint)
            await export_one()

    assert [span.name for span in collector.spans] == ["one"]
    assert collector.metrics == {}


async def test_traces_can_be_left_out() -> None:
    """OTEL_TRACES_EXPORTER=none exports metrics only."""
    async with (
        collecting() as collector,
        endpoint(collector, OTEL_TRACES_EXPORTER="none"),
    ):
        await export_one()

    assert collector.spans == []
    assert "count" in collector.metrics


@pytest.mark.parametrize("value", ["true", "TRUE"])
async def test_the_sdk_can_be_disabled(value: str) -> None:
    """OTEL_SDK_DISABLED=true exports nothing, whatever the endpoint."""
    async with collecting() as collector, endpoint(collector, OTEL_SDK_DISABLED=value):
        assert not await export_one()

    assert (collector.spans, collector.metrics) == ([], {})


async def test_empty_variables_count_as_unset() -> None:
    """An empty variable has no meaning, as OpenTelemetry specifies."""
    empty = dict.fromkeys(
        (
            "OTEL_SDK_DISABLED",
            "OTEL_TRACES_SAMPLER",
            f"{PREFIX}_PROTOCOL",
            f"{PREFIX}_TIMEOUT",
            f"{PREFIX}_TRACES_ENDPOINT",
            f"{PREFIX}_TRACES_TIMEOUT",
            f"{PREFIX}_CERTIFICATE",
        ),
        "",
    )
    async with collecting() as collector, endpoint(collector, **empty):
        await export_one()

    assert [span.name for span in collector.spans] == ["one"]


async def test_the_sampler_decides_what_is_exported() -> None:
    """OTEL_TRACES_SAMPLER=always_off exports no span, but metrics."""
    async with (
        collecting() as collector,
        endpoint(collector, OTEL_TRACES_SAMPLER="always_off"),
    ):
        await export_one()

    assert collector.spans == []
    assert "count" in collector.metrics


@pytest.mark.parametrize("insecure", ["true", "false"])
async def test_an_endpoint_without_a_scheme_is_insecure_if_it_says_so(insecure: str) -> None:
    """OTEL_EXPORTER_OTLP_INSECURE decides for `host:port`, where TLS is the default."""
    async with collecting() as collector:
        collector.endpoint = collector.endpoint.removeprefix("http://")
        variables = {f"{PREFIX}_INSECURE": insecure, f"{PREFIX}_TIMEOUT": "0.5"}
        async with endpoint(collector, **variables), asyncio.timeout(WAIT_S):
            await export_one()

    assert [span.name for span in collector.spans] == (["one"] if insecure == "true" else [])


async def test_a_certificate_is_trusted() -> None:
    """OTEL_EXPORTER_OTLP_CERTIFICATE names the authority of an https endpoint."""
    pair = ((TLS / "localhost.key").read_bytes(), (TLS / "localhost.crt").read_bytes())
    async with collecting(grpc.ssl_server_credentials([pair])) as collector:
        collector.endpoint = collector.endpoint.replace("127.0.0.1", "localhost")
        variables = {f"{PREFIX}_CERTIFICATE": str(TLS / "localhost.crt")}
        async with endpoint(collector, **variables):
            await export_one()

    assert [span.name for span in collector.spans] == ["one"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        (f"{PREFIX}_PROTOCOL", "http/json"),
        (f"{PREFIX}_TRACES_PROTOCOL", "grpcs"),
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_METRICS_EXPORTER", "prometheus"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
        # More than the queue holds by default.
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4097"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
        (f"{PREFIX}_TIMEOUT", "10s"),
        (f"{PREFIX}_METRICS_TIMEOUT", "-1"),
        (f"{PREFIX}_CERTIFICATE", "/no/such/ca.pem"),
        (f"{PREFIX}_TRACES_CLIENT_KEY", "/no/such/key.pem"),
    ],
)
def test_what_is_not_supported_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """A value that would be ignored, or fail later, is refused by the name of its variable."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingError) as refused:
        read(TelemetrySettings)

    assert refused.value.variable == variable


def test_an_http_endpoint_needs_a_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    """`host:port` is an endpoint for gRPC only."""
    monkeypatch.setenv(f"{PREFIX}_PROTOCOL", HTTP)
    monkeypatch.setenv(f"{PREFIX}_ENDPOINT", "collector:4318")

    with pytest.raises(SettingError, match=f"{PREFIX}_ENDPOINT: must begin with http"):
        read(TelemetrySettings)
