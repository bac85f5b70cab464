"""The settings that docs/operations/settings.md lists, and those that each program reads."""

import re
from collections.abc import Mapping

import pytest
from pydantic_settings import BaseSettings

from scripts.tools.paths import ROOT
from services.chassis.contracts import contracts
from services.chassis.environment import read
from services.chassis.identity.mode import is_secure
from services.chassis.identity.settings import TlsSettings, TokenSettings
from services.chassis.retention.settings import RetentionSettings
from services.chassis.server.settings import DatabaseSettings, RegistrySettings, ServerSettings
from services.edge.settings import EdgeSettings, ListenerTlsSettings
from services.notification.settings import NotificationSettings
from services.order.settings import ParticipantSettings, SagaSettings
from services.payment.settings import PaymentSettings
from services.web.settings import LoginSettings, WebSettings

VARIABLE = re.compile(r"(?:CONSUL|DATABASE|DISCOVERY|OTEL|TRADEPOST)_[A-Z][A-Z0-9_]*")
_IDENTITY = (TlsSettings, TokenSettings, RegistrySettings)
_SERVICE = (*_IDENTITY, ServerSettings, DatabaseSettings, RetentionSettings)
_PAGES = (*_IDENTITY, WebSettings, LoginSettings)
READ_BY: Mapping[str, tuple[type[BaseSettings], ...]] = {
    **dict.fromkeys(contracts(), _SERVICE),
    "payment": (*_SERVICE, PaymentSettings),
    "order": (*_SERVICE, SagaSettings, ParticipantSettings),
    "notification": (*_SERVICE, NotificationSettings),
    "storefront": _PAGES,
    "console": _PAGES,
    "edge": (*_IDENTITY, EdgeSettings, ListenerTlsSettings),
}


def documented() -> set[str]:
    """The variables in the first column of the tables of docs/operations/settings.md."""
    lines = (ROOT / "docs/operations/settings.md").read_text().splitlines()
    cells = [line.split("|")[1] for line in lines if line.startswith("| `")]
    return {name for cell in cells for name in VARIABLE.findall(cell)}


def check_environment(
    program: str, variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fail unless each variable is documented, and the program would start with all of them."""
    ours = {name for name in variables if VARIABLE.fullmatch(name)}
    assert ours
    assert ours <= documented()
    with monkeypatch.context() as environment:
        for name, value in variables.items():
            environment.setenv(name, value)
        settings = {kind: read(kind) for kind in READ_BY[program]}
    addresses: Mapping[str, str] = {}
    for each in settings.values():
        if isinstance(each, ServerSettings | WebSettings):
            each.check_address()
            addresses = each.addresses
    tls, tokens = settings[TlsSettings], settings[TokenSettings]
    assert isinstance(tls, TlsSettings)
    assert isinstance(tokens, TokenSettings)
    is_secure(tls, tokens, addresses)


def stop_takes_s(program: str, variables: Mapping[str, str]) -> float:
    """How long a stop may take by these settings."""
    if program == "edge":
        return 0.0
    prefix = "TRADEPOST_WEB_" if program in {"storefront", "console"} else "TRADEPOST_"
    return float(variables[f"{prefix}DRAIN_S"]) + float(variables[f"{prefix}STOP_GRACE_S"])
