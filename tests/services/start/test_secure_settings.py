"""Which settings of TLS and tokens stop the start, and what the line says."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from discovery.clock import SystemClock
from discovery.tls.certificates import Certificates
from services.chassis.environment import SettingError, read
from services.chassis.identity.security import secured
from services.chassis.server.settings import ServerSettings
from tests.support.certificates.authority import Authority, write
from tests.support.suite.service_process import service_process

WRONG_SETTINGS = 78
DAY = timedelta(days=1)
CERTIFICATE = "TRADEPOST_TLS_CERTIFICATE_FILE"
KEY = "TRADEPOST_TLS_KEY_FILE"
JWKS, ISSUER = "TRADEPOST_JWKS_URL", "TRADEPOST_TOKEN_ISSUER"
TOKENS = {
    JWKS: "file:///keys/jwks.json",
    ISSUER: "https://issuer.test",
    "TRADEPOST_TOKEN_AUDIENCE": "tradepost",
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """The environment of an inventory with certificates in files and a JWKS."""
    return TOKENS | {"TRADEPOST_TLS": "files"} | write(Authority().issue("inventory"), tmp_path)


class Starts:
    """Starts the security of an inventory as its process does, in an environment of the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    async def __call__(self, environment: Mapping[str, str]) -> bool:
        """Return whether it is open. Raises SettingError."""
        for variable, value in environment.items():
            self._monkeypatch.setenv(variable, value)
        settings, rng = read(ServerSettings), random.Random(7)
        async with secured(
            "inventory", settings.addresses, clock=SystemClock(), rng=rng
        ) as security:
            return security.is_open

    async def refusal(self, environment: Mapping[str, str]) -> tuple[str, str]:
        """Return the variable and the cause of the refusal, which shows no key."""
        with pytest.raises(SettingError) as refused:
            await self(environment)
        assert "PRIVATE KEY" not in str(refused.value)
        return refused.value.variable, refused.value.cause


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Starts:
    return Starts(monkeypatch)


@pytest.mark.parametrize(
    ("addresses", "variable"),
    [
        ({"TRADEPOST_HOST": "0.0.0.0"}, "TRADEPOST_HOST"),
        ({"TRADEPOST_HOST": "::"}, "TRADEPOST_HOST"),
        ({"TRADEPOST_HOST": "192.0.2.7"}, "TRADEPOST_HOST"),
        ({"TRADEPOST_HOST": "inventory.shop.test"}, "TRADEPOST_HOST"),
        ({"TRADEPOST_ADVERTISE_ADDRESS": "10.0.0.7"}, "TRADEPOST_ADVERTISE_ADDRESS"),
    ],
)
async def test_the_open_mode_is_refused_beyond_loopback(
    start: Starts, addresses: Mapping[str, str], variable: str
) -> None:
    """The line names the address, and what makes the start possible."""
    setting, cause = await start.refusal(addresses)

    assert setting == variable
    for remedy in ("TRADEPOST_TLS", "TRADEPOST_JWKS_URL", "TRADEPOST_INSECURE=yes"):
        assert remedy in cause


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"TRADEPOST_HOST": "localhost"},
        {"TRADEPOST_HOST": "127.0.0.2"},
        {"TRADEPOST_HOST": "[::1]"},
        {"TRADEPOST_HOST": "0.0.0.0", "TRADEPOST_INSECURE": "yes"},
    ],
)
async def test_the_open_mode_is_for_loopback_or_for_who_insists(
    start: Starts, environment: Mapping[str, str]
) -> None:
    """On this machine alone, or with TRADEPOST_INSECURE=yes, a service starts without TLS."""
    assert await start(environment)


async def test_certificates_and_tokens_make_the_secure_mode(
    start: Starts, files: dict[str, str]
) -> None:
    """It may listen on any address; keys may come from this machine without TLS."""
    assert not await start(files | {"TRADEPOST_HOST": "0.0.0.0"})
    assert not await start(files | {JWKS: "http://127.0.0.1:8080/jwks"})


@pytest.mark.parametrize(
    ("changes", "variable", "cause"),
    [
        (dict.fromkeys(TOKENS, ""), JWKS, "because TRADEPOST_TLS is files"),
        ({JWKS: ""}, JWKS, "because TRADEPOST_TOKEN_ISSUER is"),
        ({ISSUER: ""}, ISSUER, "because TRADEPOST_JWKS_URL is"),
        ({ISSUER: " "}, ISSUER, "not ' '"),
        ({"TRADEPOST_TOKEN_AUDIENCE": "tradepost\n"}, "TRADEPOST_TOKEN_AUDIENCE", "tradepost"),
        ({"TRADEPOST_TOKEN_AUDIENCE": ""}, "TRADEPOST_TOKEN_AUDIENCE", "TRADEPOST_JWKS_URL is"),
        ({JWKS: "ftp://keys"}, JWKS, "ftp://keys"),
        ({JWKS: "https://[issuer/jwks"}, JWKS, "https://[issuer/jwks"),
        ({JWKS: "https:///jwks"}, JWKS, "must name a host"),
        ({JWKS: "https://issuer.test:99999/jwks"}, JWKS, "port"),
        ({JWKS: "file:///keys/%00"}, JWKS, "must name a file"),
        ({JWKS: "http://issuer.test/jwks"}, JWKS, "must be https://"),
        ({"TRADEPOST_TLS": "none"}, "TRADEPOST_TLS", f"{CERTIFICATE} is set"),
        ({"TRADEPOST_TLS": "consul"}, "TRADEPOST_TLS", f"{CERTIFICATE} is set"),
        ({"TRADEPOST_TLS": "yes"}, "TRADEPOST_TLS", "'consul', not 'yes'"),
        ({CERTIFICATE: ""}, CERTIFICATE, "must be set, because TRADEPOST_TLS is files"),
        ({KEY: "/keys/none.key"}, KEY, "/keys/none.key"),
    ],
)
async def test_half_a_secure_configuration_is_refused(
    start: Starts, files: dict[str, str], changes: Mapping[str, str], variable: str, cause: str
) -> None:
    """The line names the variable to set or to unset."""
    setting, why = await start.refusal({**files, **changes})

    assert setting == variable
    assert cause in why


async def test_a_jwks_without_tls_is_refused(start: Starts) -> None:
    """Tokens must not travel unencrypted."""
    setting, cause = await start.refusal(TOKENS)

    assert setting == "TRADEPOST_TLS"
    assert "must be files or consul" in cause


@pytest.mark.parametrize(
    ("certificates", "cause"),
    [
        (Authority().issue("inventory", not_after=-DAY / 48), "expired at"),
        (Authority().issue("inventory", not_before=DAY, not_after=2 * DAY), "not yet"),
        (Authority().issue("inventory", spiffe_id=""), "must have one SPIFFE id"),
        (Authority().issue("payment"), "spiffe://shop.test/payment doesn't name inventory"),
        (
            Authority().issue("payment", spiffe_id="spiffe://shop.test/inventory"),
            "must have the DNS name inventory",
        ),
    ],
)
async def test_a_certificate_that_others_would_not_believe_is_refused(
    start: Starts, tmp_path: Path, files: dict[str, str], certificates: Certificates, cause: str
) -> None:
    """An instance whose every connection fails doesn't start."""
    setting, why = await start.refusal(files | write(certificates, tmp_path))

    assert setting == CERTIFICATE
    assert cause in why


async def test_roots_that_are_over_are_refused_unless_another_is_valid(
    start: Starts, tmp_path: Path, files: dict[str, str]
) -> None:
    """With expired roots nobody could be believed; while one is replaced, one of two may be so."""
    over, authority = Authority(valid=-DAY / 48), Authority()
    both = over.roots + authority.roots

    with_over = write(over.issue("inventory"), tmp_path)
    setting, why = await start.refusal(files | with_over)
    assert setting == "TRADEPOST_TLS_ROOTS_FILE"
    assert "none of them is valid now" in why

    assert not await start(files | write(authority.issue("inventory", roots=both), tmp_path))


async def test_a_key_of_another_certificate_is_refused(
    start: Starts, tmp_path: Path, files: dict[str, str]
) -> None:
    """The line names the variables and the files, and never shows a key."""
    certificates = Authority().issue("inventory")
    foreign = replace(certificates, key=Authority().issue("inventory").key)

    setting, cause = await start.refusal(files | write(foreign, tmp_path))

    assert {CERTIFICATE, KEY} <= set(setting.split(", "))
    assert files[KEY] in cause
    assert "isn't that of the certificate" in cause


async def test_a_refused_process_ends_with_one_line(tmp_path: Path) -> None:
    """Exit status 78: an orchestrator need not try again before the setting changes."""
    environment = {"DATABASE_URL": f"sqlite:///{tmp_path}/db", "TRADEPOST_HOST": "0.0.0.0"}
    async with service_process("inventory", environment) as process:
        status = await process.end()

    line = process.lines[-1]
    assert (status, line["event"], line["level"]) == (WRONG_SETTINGS, "cannot_start", "error")
    assert line["setting"] == "TRADEPOST_HOST"
