"""deploy/compose.yaml and deploy/Containerfile are what Docker's own programs read."""

import json
import subprocess
from typing import Any

import pytest

from scripts.tools.paths import ROOT, tool_environment, tool_path
from tests.support.deploy.documented import READ_BY, check_environment, stop_takes_s

FILE = ROOT / "deploy" / "compose.yaml"
ASKED = {"POSTGRES_PASSWORD": "secret", "TRADEPOST_WEB_SESSION_KEYS": "A" * 43 + "="}


def compose(*arguments: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What docker-compose says of the file."""
    return subprocess.run(
        [tool_path("docker-compose"), "--file", FILE, *arguments],
        env={**tool_environment(), **settings},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of the file as docker-compose reads it."""
    done = compose("config", "--format", "json", settings=ASKED)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


def test_secrets_must_be_given() -> None:
    """No password is written down: the file asks for each by name."""
    done = compose("config", "--quiet", settings={})

    assert done.returncode != 0
    assert all(f"required variable {name}" in done.stderr for name in ASKED)


@pytest.mark.parametrize("program", READ_BY)
def test_each_program_would_start(
    services: dict[str, Any], program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each variable is documented, and together they are settings with which a program starts."""
    service = services[program]

    assert service["command"] == [f"services.{program}"]
    check_environment(program, service["environment"], monkeypatch)


@pytest.mark.parametrize("program", READ_BY)
def test_each_program_has_no_rights_and_time_to_drain(
    services: dict[str, Any], program: str
) -> None:
    """A container has a read-only root and no capability, and is not killed while it drains."""
    service = services[program]

    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert int(service["stop_grace_period"].rstrip("s")) > stop_takes_s(
        program, service["environment"]
    )


def test_only_the_edge_is_published(services: dict[str, Any]) -> None:
    """In the open mode everybody who reaches a port may do everything."""
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}

    assert list(published) == ["edge"]
    assert [port["host_ip"] for port in published["edge"]] == ["127.0.0.1"]


def test_the_containerfile_follows_the_rules_of_hadolint() -> None:
    """Pinned packages, one entrypoint, no shell tricks."""
    done = subprocess.run(
        [tool_path("hadolint"), ROOT / "deploy" / "Containerfile"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "")
