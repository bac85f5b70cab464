"""What an edge needs before it listens where other machines reach it."""

import random
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from discovery.clock import SystemClock
from services.chassis.environment import SettingError
from services.chassis.server.program import WRONG_SETTINGS
from services.edge.control_plane.envoy_publisher import CertificateSources
from services.edge.own_certificates import own_certificates
from tests.support.certificates.authority import Authority, write
from tests.support.suite.service_process import service_process

HOST = "TRADEPOST_EDGE_HOST"
CERTIFICATE, KEY = "TRADEPOST_EDGE_CERTIFICATE_FILE", "TRADEPOST_EDGE_KEY_FILE"
TOKENS = {
    "TRADEPOST_JWKS_URL": "file:///keys/jwks.json",
    "TRADEPOST_TOKEN_ISSUER": "https://issuer.test",
    "TRADEPOST_TOKEN_AUDIENCE": "tradepost",
}
ELSEWHERE = "0.0.0.0"


class Certified:
    """Asks for the certificates of an edge in an environment of the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    async def __call__(self, host: str, environment: Mapping[str, str]) -> CertificateSources:
        """Raises SettingError."""
        for variable, value in environment.items():
            self._monkeypatch.setenv(variable, value)
        return await own_certificates(host, clock=SystemClock(), rng=random.Random(7))

    async def refusal(self, host: str, environment: Mapping[str, str]) -> tuple[str, str]:
        """The variable and the cause, which shows no key."""
        with pytest.raises(SettingError) as refused:
            await self(host, environment)
        assert "PRIVATE KEY" not in refused.value.cause
        return refused.value.variable, refused.value.cause


@pytest.fixture
def certified(monkeypatch: pytest.MonkeyPatch) -> Certified:
    return Certified(monkeypatch)


@pytest.fixture
def public(tmp_path: Path) -> dict[str, str]:
    """What callers are shown."""
    certificates = Authority().issue("shop.example")
    (tmp_path / "public.crt").write_bytes(certificates.chain)
    (tmp_path / "public.key").write_bytes(certificates.key)
    return {CERTIFICATE: str(tmp_path / "public.crt"), KEY: str(tmp_path / "public.key")}


@pytest.fixture
def inside(tmp_path: Path) -> dict[str, str]:
    """What services are shown, and whose tokens are believed."""
    return TOKENS | {"TRADEPOST_TLS": "files"} | write(Authority().issue("edge"), tmp_path)


async def test_an_edge_for_other_machines_has_all_three(
    certified: Certified, public: dict[str, str], inside: dict[str, str]
) -> None:
    """TLS to callers, TLS to services, and tokens let it listen anywhere."""
    sources = await certified(ELSEWHERE, public | inside)

    assert sources.to_services is not None
    assert sources.to_callers is not None


async def test_without_tls_to_callers_it_is_refused(
    certified: Certified, inside: dict[str, str]
) -> None:
    """Others could read the tokens; the line names what to set."""
    setting, cause = await certified.refusal(ELSEWHERE, inside)

    assert setting == HOST
    for remedy in (CERTIFICATE, KEY, "TRADEPOST_TLS", "TRADEPOST_JWKS_URL", "INSECURE=yes"):
        assert remedy in cause


async def test_without_tokens_and_tls_to_services_it_is_refused(
    certified: Certified, public: dict[str, str]
) -> None:
    """Everybody could do everything; the line names what to set."""
    setting, cause = await certified.refusal(ELSEWHERE, public)

    assert setting == HOST
    for remedy in ("TRADEPOST_TLS", "TRADEPOST_JWKS_URL", "TRADEPOST_INSECURE=yes"):
        assert remedy in cause


async def test_tokens_without_tls_to_services_are_refused(
    certified: Certified, public: dict[str, str]
) -> None:
    """A token must not travel unencrypted behind the edge either."""
    assert (await certified.refusal(ELSEWHERE, public | TOKENS))[0] == "TRADEPOST_TLS"


@pytest.mark.parametrize(
    ("host", "environment"),
    [
        ("127.0.0.1", {}),
        ("::1", {}),
        (ELSEWHERE, {"TRADEPOST_INSECURE": "yes"}),
        ("127.0.0.1", {CERTIFICATE: "", KEY: ""}),
    ],
)
async def test_the_open_mode_is_for_loopback_or_for_who_insists(
    certified: Certified, host: str, environment: Mapping[str, str]
) -> None:
    """On this machine alone, or with TRADEPOST_INSECURE=yes, the edge starts without TLS."""
    assert await certified(host, environment) == CertificateSources()


@pytest.mark.parametrize(
    ("changes", "setting", "cause"),
    [
        ({KEY: ""}, KEY, f"because {CERTIFICATE} is"),
        ({CERTIFICATE: ""}, CERTIFICATE, f"because {KEY} is"),
        ({KEY: "/keys/none.key"}, KEY, "/keys/none.key"),
    ],
)
async def test_half_a_certificate_is_refused(
    certified: Certified,
    public: dict[str, str],
    changes: Mapping[str, str],
    setting: str,
    cause: str,
) -> None:
    """The line names the variable to set, or the file that isn't there."""
    found, why = await certified.refusal("127.0.0.1", {**public, **changes})

    assert (found, cause in why) == (setting, True)


async def test_a_key_of_another_certificate_is_refused(
    certified: Certified, public: dict[str, str], tmp_path: Path
) -> None:
    """The line names the variables and the files."""
    (tmp_path / "public.key").write_bytes(Authority().issue("shop.example").key)

    setting, cause = await certified.refusal("127.0.0.1", public)

    assert {CERTIFICATE, KEY} <= set(setting.split(", "))
    assert public[KEY] in cause


async def test_an_expired_certificate_is_refused(
    certified: Certified, public: dict[str, str], tmp_path: Path
) -> None:
    """No caller would believe it; the line says since when."""
    expired = Authority().issue("shop.example", not_after=-timedelta(minutes=30))
    (tmp_path / "public.crt").write_bytes(expired.chain)
    (tmp_path / "public.key").write_bytes(expired.key)

    setting, cause = await certified.refusal("127.0.0.1", public)

    assert (setting, "expired at" in cause) == (CERTIFICATE, True)


async def test_a_refused_edge_ends_with_one_line() -> None:
    """As a service: an orchestrator need not try again before the setting changes."""
    async with service_process("edge", {HOST: ELSEWHERE}) as edge:
        status = await edge.end()

    line = edge.lines[-1]
    assert (status, line["event"], line["setting"]) == (WRONG_SETTINGS, "cannot_start", HOST)
