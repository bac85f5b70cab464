"""Settings name the variable they come from, and docs/operations/settings.md has each."""

import json
import re
from collections.abc import Iterator
from importlib import import_module

import pytest
import structlog
from pydantic_settings import BaseSettings, EnvSettingsSource

from scripts.tools.paths import ROOT
from services.chassis.environment import SettingError, read, variables_of
from services.chassis.server.settings import DatabaseSettings, RegistrySettings, ServerSettings
from services.chassis.telemetry import logs
from services.edge.settings import EdgeSettings
from services.notification.settings import NotificationSettings
from services.order.settings import ParticipantSettings, SagaSettings
from services.payment.settings import PaymentSettings
from services.web.settings import LoginSettings, WebSettings
from tests.support.deploy.documented import VARIABLE, documented

# Every module of settings, of the chassis and of each service.
MODULES = [
    import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
    for file in sorted((ROOT / "services").rglob("settings.py"))
]
ALL = [
    each
    for module in MODULES
    for each in vars(module).values()
    if isinstance(each, type) and each.__module__ == module.__name__
    if issubclass(each, BaseSettings)
]
READ_BY_DISCOVERY = re.compile(rf"environ(?:\.get\(|\[|, )\"({VARIABLE.pattern})\"")
# Read by OpenTelemetry's own code.
OF_OPENTELEMETRY = frozenset(
    {
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_INSECURE",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_SERVICE_NAME",
    }
)

SESSION_KEY = "A" * 43 + "="
URLS_WITH_SECRETS = (
    "ftp://user:hunter2@host:99999/path?key=hunter2",
    "https://user:hun ter2/hunter2@host:99999/?hunter2",
    "consul://hunter2@?hunter2",
    "//hunter2@[::1/?a=b&c=hunter2",
)


def of_settings() -> set[str]:
    """The variables of all settings."""
    return {variable for kind in ALL for variable in variables_of(kind).values()}


def of_discovery() -> Iterator[str]:
    """The variables that the client library reads itself."""
    for file in (ROOT / "discovery").rglob("*.py"):
        yield from READ_BY_DISCOVERY.findall(file.read_text())


def subclasses(kind: type) -> Iterator[type]:
    """All classes below a class."""
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def test_every_variable_is_documented() -> None:
    """Each variable that settings or discovery read is in docs/operations/settings.md."""
    assert of_settings() | set(of_discovery()) <= documented()


def test_every_documented_variable_exists() -> None:
    """A table of docs/operations/settings.md lists no variable that nothing reads."""
    assert documented() <= of_settings() | set(of_discovery()) | OF_OPENTELEMETRY


def test_all_settings_are_checked() -> None:
    """No settings of a service are outside of a module `settings`."""
    ours = {each for each in subclasses(BaseSettings) if each.__module__.startswith("services.")}

    assert ours == set(ALL)


@pytest.mark.parametrize("kind", ALL)
def test_a_short_name_is_no_setting(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseSettings]
) -> None:
    """`URL` or `METRICS`, which another program may need, say nothing to a service."""
    before = EnvSettingsSource(kind)()
    for name in kind.model_fields:
        monkeypatch.setenv(name.upper(), "1")

    assert EnvSettingsSource(kind)() == before


@pytest.mark.parametrize(
    ("kind", "variable", "value", "cause"),
    [
        (SagaSettings, "TRADEPOST_SAGA_STEP_TIMEOUT_S", "8", "TRADEPOST_SAGA_LEASE_S = 10"),
        (SagaSettings, "TRADEPOST_SAGA_AUTHORIZATION_TTL_S", "60", "TRADEPOST_SAGA_CAPTURE_BUDGET"),
        (SagaSettings, "TRADEPOST_SAGA_COORDINATION", "dance", "'choreography', not 'dance'"),
        (ParticipantSettings, "TRADEPOST_PAYMENT_TARGET", "payment:50051", "invalid target"),
        (PaymentSettings, "TRADEPOST_PAYMENT_CALL_TIMEOUT_S", "9", "TRADEPOST_PAYMENT_LEASE_S"),
        (EdgeSettings, "TRADEPOST_EDGE_HOST", "localhost", "must be an IP address"),
        (WebSettings, "TRADEPOST_WEB_SESSION_KEYS", "c2VjcmV0", "key 1 is no key of 32 bytes"),
        (WebSettings, "TRADEPOST_WEB_SESSION_KEYS", " ,", "must have a key"),
        (WebSettings, "TRADEPOST_WEB_PUBLIC_URL", "shop.example", "must be an origin"),
        (WebSettings, "TRADEPOST_WEB_PUBLIC_URL", "https://shop.example/shop", "must be an origin"),
        (LoginSettings, "TRADEPOST_LOGIN_ISSUER", "http://login.example", "https:// URL"),
        (LoginSettings, "TRADEPOST_LOGIN_CLIENT_ID", "", "at least 1 character"),
        (ServerSettings, "TRADEPOST_PORT", "70000", "65535, not '70000'"),
        (ServerSettings, "TRADEPOST_PORT", "http", "not 'http'"),
        (ServerSettings, "TRADEPOST_ADVERTISE_ADDRESS", "10.0.0.1:50051", "without a port"),
        (ServerSettings, "TRADEPOST_HOST", "http://order", "must be a name or an address"),
        (DatabaseSettings, "DATABASE_READERS", "0", "greater than or equal to 1"),
        (RegistrySettings, "TRADEPOST_REGISTRY", "etcd", "not 'etcd'"),
        (NotificationSettings, "TRADEPOST_NOTIFICATION_SENDER_URL", "secret", "smtp://host:port"),
    ],
)
def test_an_error_names_the_variable(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[BaseSettings],
    variable: str,
    value: str,
    cause: str,
) -> None:
    """The error names the variable to change and the cause; it repeats no secret."""
    monkeypatch.setenv("DATABASE_URL", "sqlite:////tmp/db")
    monkeypatch.setenv("TRADEPOST_PROCESSOR_URL", "simulated:///tmp/db")
    monkeypatch.setenv("TRADEPOST_WEB_SESSION_KEYS", SESSION_KEY)
    monkeypatch.setenv("TRADEPOST_LOGIN_ISSUER", "https://login.example")
    monkeypatch.setenv("TRADEPOST_LOGIN_CLIENT_ID", "storefront")
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingError) as refused:
        read(kind)

    assert refused.value.variable == variable
    assert cause in refused.value.cause
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("value", URLS_WITH_SECRETS)
def test_no_error_repeats_what_may_be_secret_in_a_url(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Whichever variable somebody puts a URL into, its password and parameters are left out."""
    refusals = []
    for kind in ALL:
        for variable in variables_of(kind).values():
            with monkeypatch.context() as environment:
                environment.setenv("DATABASE_URL", "sqlite:////tmp/db")
                environment.setenv("TRADEPOST_PROCESSOR_URL", "simulated:///tmp/db")
                environment.setenv("TRADEPOST_NOTIFICATION_SENDER_URL", "file:///tmp")
                environment.setenv("TRADEPOST_WEB_SESSION_KEYS", SESSION_KEY)
                environment.setenv("TRADEPOST_LOGIN_ISSUER", "https://login.example")
                environment.setenv("TRADEPOST_LOGIN_CLIENT_ID", "storefront")
                environment.setenv(variable, value)
                try:
                    read(kind)
                except SettingError as error:
                    refusals.append(str(error))

    assert len(refusals) > len(ALL)
    assert [each for each in refusals if "hunter2" in each] == []


def test_all_wrong_variables_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator can correct several settings before the next start."""
    monkeypatch.setenv("TRADEPOST_PORT", "http")
    monkeypatch.setenv("TRADEPOST_DRAIN_S", "soon")

    with pytest.raises(SettingError) as refused:
        read(ServerSettings)

    assert {"TRADEPOST_PORT", "TRADEPOST_DRAIN_S"} <= set(VARIABLE.findall(str(refused.value)))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", ""])
def test_an_address_of_every_interface_is_not_registered(host: str) -> None:
    """Callers can't dial it: an address to advertise is asked for, and must not be one either."""
    with pytest.raises(SettingError, match=r"TRADEPOST_ADVERTISE_ADDRESS: must be set"):
        ServerSettings(host=host).check_address()
    if host:
        with pytest.raises(SettingError, match=r"TRADEPOST_ADVERTISE_ADDRESS: .* can't be dialled"):
            ServerSettings(host="127.0.0.1", advertise_address=host).check_address()
    ServerSettings(host=host, advertise_address="10.0.0.7").check_address()


def test_a_port_set_by_kubernetes_is_ignored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Next to a Service called tradepost, TRADEPOST_PORT is an address: a warning, no error."""
    structlog_config = structlog.get_config()
    logs.configure()
    monkeypatch.setenv("TRADEPOST_PORT", "tcp://10.96.0.12:50051")
    monkeypatch.setenv("TRADEPOST_SERVICE_PORT", "50051")
    try:
        settings = read(ServerSettings)
    finally:
        structlog.configure(**structlog_config)

    line = json.loads(capsys.readouterr().out)
    assert settings.port == 0
    assert (line["level"], line["event"]) == ("warning", "setting_ignored")
    assert (line["setting"], line["value"]) == ("TRADEPOST_PORT", "tcp://10.96.0.12:50051")
    assert "Kubernetes" in line["cause"]
