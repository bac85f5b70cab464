"""What the web applications of a suite are told, and what login and edge are told of them."""

import jwt
import pytest
from cryptography.fernet import Fernet

from discovery.clock import SystemClock
from scripts.suite.issuer import AUDIENCE, Issuer
from scripts.suite.web.applications import (
    EDGE_SETTINGS,
    INSTANCES,
    PATHS,
    PORTS,
    Shared,
    home,
    login_client,
)
from services.chassis.environment import read
from services.edge.settings import EdgeSettings
from services.web.settings import LoginSettings, WebSettings

PUBLIC_URL = "http://127.0.0.1:8080"
SHARED = Shared(
    public_url=PUBLIC_URL,
    login_url="http://127.0.0.1:8081",
    consul="127.0.0.1:8500",
    session_key=Fernet.generate_key().decode(),
    credentials=None,
)


def test_the_edge_serves_every_path_and_begins_with_the_shop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The setting of the edge names each path of each application."""
    for name, value in EDGE_SETTINGS.items():
        monkeypatch.setenv(name, value)

    served = read(EdgeSettings).applications
    assert dict(served) == {path: name for name, paths in PATHS.items() for path in paths}
    assert next(iter(served)) == home("storefront")


def test_every_application_has_a_port_for_each_instance() -> None:
    """The login has one, too."""
    assert set(INSTANCES) == set(PATHS)
    assert 1 + sum(INSTANCES.values()) == PORTS


@pytest.mark.parametrize("application", PATHS)
def test_an_instance_understands_what_it_is_told(
    application: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its settings can be read, and its login is the one that knows it."""
    for name, value in SHARED.environment(application, 2, 8090).items():
        monkeypatch.setenv(name, value)

    web, login = read(WebSettings), read(LoginSettings)
    assert (web.port, web.instance_id) == (8090, f"{application}-2")
    assert web.public_url == PUBLIC_URL
    assert login.client_id == login_client(application, PUBLIC_URL).client_id
    assert login.audience == AUDIENCE


def test_the_login_sends_people_back_below_the_applications_first_path() -> None:
    """Where the login begins and ends is registered letter for letter."""
    client = login_client("storefront", PUBLIC_URL)

    assert client.redirect_uris == ("http://127.0.0.1:8080/shop/login/callback",)
    assert "http://127.0.0.1:8080/shop" in client.after_logout_uris


def test_tokens_of_the_login_are_those_that_an_application_believes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The issuer in the token is the one that the application is told."""
    for name, value in SHARED.environment("storefront", 1, 0).items():
        monkeypatch.setenv(name, value)
    token = Issuer(clock=SystemClock()).token("ann", "CUSTOMER")

    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["iss"], claims["aud"]) == (read(LoginSettings).token_issuer, AUDIENCE)
