"""`python -m discovery resolve|explain` show a certificate to instances that demand one."""

import asyncio
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

import discovery
from discovery.cli.main import main
from discovery.registry.consul.client import agent_client
from tests.support.certificates.authority import Authority
from tests.support.certificates.memory_source import MemoryCertificates
from tests.support.certificates.tls_server import server_credentials
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent

AUTHORITY = Authority()


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """One agent for all tests; each test has its own service."""
    with consul_agent() as running:
        yield running


@pytest.fixture(autouse=True)
def _environment(agent: ConsulAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSUL_HTTP_ADDR", agent.address)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """The options with the certificate of the operator's tool."""
    issued = AUTHORITY.issue("operator")
    options = []
    for name, content in (
        ("certificate", issued.chain),
        ("key", issued.key),
        ("roots", issued.roots),
    ):
        file = tmp_path / f"operator.{name}"
        file.write_bytes(content)
        options += [f"--{name}-file", str(file)]
    return options


@contextmanager
def secure_instance(
    agent: ConsulAgent, service: str, certificates: discovery.CertificateSource
) -> Iterator[None]:
    """Register a healthy server that demands a certificate of its callers."""
    server = grpc.server(ThreadPoolExecutor(1))
    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_secure_port("127.0.0.1:0", server_credentials(certificates))
    server.start()
    try:
        asyncio.run(_register(agent, service, port))
        yield
    finally:
        server.stop(None).wait()


async def _register(agent: ConsulAgent, service: str, port: int) -> None:
    async with agent_client(_address(agent)) as client:
        await client.register(service, service_id=service, address="127.0.0.1", port=port)


def _address(agent: ConsulAgent) -> discovery.AgentAddress:
    return discovery.AgentAddress.parse(agent.address, token=None, ca_file=None)


@pytest.mark.parametrize("command", ["resolve", "explain"])
def test_a_certificate_from_files(
    agent: ConsulAgent, capsys: pytest.CaptureFixture[str], files: list[str], command: str
) -> None:
    """With certificate, key and roots the instance answers; with the roots alone it doesn't."""
    service = f"filed{command}"
    only_roots = ["--ca-file", files[-1]]
    with secure_instance(agent, service, MemoryCertificates(AUTHORITY.issue(service))):
        assert main([command, f"consul:///{service}", "--timeout", "20", *files]) == 0
        assert " SERVING" in capsys.readouterr().out
        for without in (only_roots, []):
            main([command, f"consul:///{service}", "--timeout", "20", *without])
            printed = capsys.readouterr()
            assert " SERVING" not in printed.out
            assert "does it want TLS, or another certificate?" in printed.out
            assert "--certificate-file, --key-file, --roots-file" in printed.err


@pytest.mark.parametrize("command", ["resolve", "explain"])
def test_a_certificate_from_consul(
    agent: ConsulAgent, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Consul's authority gives the tool a certificate, by which instances answer it."""
    service = f"connected{command}"
    source = asyncio.run(
        discovery.ConsulCertificates.fetch(
            service, address=_address(agent), clock=discovery.SystemClock(), rng=random.Random(7)
        )
    )
    options = ["--timeout", "20", "--consul-certificate", "operator"]
    with secure_instance(agent, service, source):
        assert main([command, f"consul:///{service}", *options]) == 0

    assert " SERVING" in capsys.readouterr().out


def test_an_instance_of_another_service_is_found_out(
    agent: ConsulAgent, capsys: pytest.CaptureFixture[str], files: list[str]
) -> None:
    """A server that doesn't prove the name of the target is told from those that do, and why."""
    options = ["--timeout", "20", *files]
    with secure_instance(agent, "impostor", MemoryCertificates(AUTHORITY.issue("inventory"))):
        assert main(["explain", "consul:///impostor", *options]) == 1
        assert "doesn't name the service asked for" in capsys.readouterr().out
        assert main(["explain", "consul:///impostor", "--authority", "inventory", *options]) == 0


@pytest.mark.parametrize(
    ("left_out", "added", "target", "problem"),
    [
        (2, [], "consul:///order", "--certificate-file, --key-file, --roots-file go together"),
        (0, ["--tls"], "consul:///order", "exclude each other"),
        (0, ["--consul-certificate", "operator"], "consul:///order", "exclude each other"),
        (0, ["--key-file", "/nowhere/key"], "consul:///order", "/nowhere/key: No such file"),
        (0, [], "static:///127.0.0.1:1", "name the service by `authority`"),
    ],
)
def test_options_that_cannot_be_used(  # noqa: PLR0917 - pytest's own way
    capsys: pytest.CaptureFixture[str],
    files: list[str],
    left_out: int,
    added: list[str],
    target: str,
    problem: str,
) -> None:
    """It is a usage error that says what is wrong."""
    with pytest.raises(SystemExit) as stopped:
        main(["resolve", target, *files[left_out:], *added])

    assert stopped.value.code == 2
    assert problem in capsys.readouterr().err


def test_a_name_that_consul_cannot_certify(capsys: pytest.CaptureFixture[str]) -> None:
    """Consul drops the hyphen, so nobody could check the name: a usage error says so."""
    with pytest.raises(SystemExit) as stopped:
        main(["resolve", "--consul-certificate", "a-b", "consul:///order"])

    assert stopped.value.code == 2
    assert "is named 'ab.svc" in capsys.readouterr().err


def test_consul_gives_no_certificate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason is printed; the exit code is that of a registry that doesn't answer."""
    stopped = ConsulAgent()
    monkeypatch.setenv("CONSUL_HTTP_ADDR", stopped.address)

    assert main(["explain", "--consul-certificate", "operator", "consul:///order"]) == 2
    assert (
        f"no certificate of operator from Consul: the Consul agent at http://{stopped.address}"
        " can't be reached" in capsys.readouterr().err
    )
