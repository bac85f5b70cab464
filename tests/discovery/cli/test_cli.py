"""`python -m discovery resolve|watch` with a real agent."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from discovery.cli.main import main
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.client import agent_client
from scripts.tools.paths import ROOT
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent

# A certificate for "probe".
_TLS = ROOT / "tests/support/discovery/tls"


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """One agent for all tests; each test has its own service."""
    with consul_agent() as running:
        yield running


@pytest.fixture(autouse=True)
def _environment(agent: ConsulAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSUL_HTTP_ADDR", agent.address)


def _register(agent: ConsulAgent, service: str, *, status: str = "passing", **more: Any) -> None:
    """Write a registration whose check never changes, since nothing updates it."""

    async def put() -> None:
        address = AgentAddress.parse(agent.address, token=None, ca_file=None)
        async with agent_client(address) as client:
            definition = {"service_id": f"{service}-1", "address": "127.0.0.1", "port": 1, **more}
            check = {"TTL": "1h", "Status": status}
            await client.register(service, check=check, **definition)

    asyncio.run(put())


@contextmanager
def _healthy_server(*, tls: bool = False) -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(1))
    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    if tls:
        pair = ((_TLS / "probe.key").read_bytes(), (_TLS / "probe.crt").read_bytes())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def test_resolve_lists_the_instances(
    agent: ConsulAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for each instance: id, endpoint, weight, tags, version, check and health."""
    with _healthy_server() as port:
        _register(
            agent,
            "listed",
            port=port,
            tags=["v2", "blue"],
            meta={"version": "1.4.0"},
            weights={"Passing": 3, "Warning": 1},
        )
        _register(agent, "listed", service_id="listed-2")
        assert main(["resolve", "consul:///listed", "--timeout", "5"]) == 0
    heading, first, second, *causes = capsys.readouterr().out.splitlines()
    assert heading.split() == ["ID", "ENDPOINT", "WEIGHT", "TAGS", "VERSION", "CHECK", "HEALTH"]
    assert first.split() == [
        *("listed-1", f"127.0.0.1:{port}", "3", "v2,blue", "1.4.0", "passing", "SERVING")
    ]
    assert second.split() == [*("listed-2", "127.0.0.1:1", "1", "-", "-", "passing", "UNAVAILABLE")]
    assert causes[:2] == ["", "ID        NO ANSWER BECAUSE"]
    assert causes[2].startswith("listed-2 ")
    assert "Connection refused" in causes[2]


@pytest.mark.parametrize("command", ["resolve", "explain"])
@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--ca-file", "probe.crt"], 0),
        (["--ca-file", "probe.crt", "--authority", "probe"], 0),
        (["--ca-file", "probe.crt", "--authority", "other"], 1),
        (["--tls"], 1),
        ([], 1),
    ],
)
def test_instances_may_speak_tls(
    agent: ConsulAgent,
    capsys: pytest.CaptureFixture[str],
    command: str,
    options: list[str],
    code: int,
) -> None:
    """TLS checks the service's name, or the authority that is given."""
    given = [str(_TLS / one) if one.endswith(".crt") else one for one in options]
    with _healthy_server(tls=True) as port:
        _register(agent, "probe", port=port)

        answered = main([command, "consul:///probe", "--timeout", "20", *given])

    printed = capsys.readouterr()
    # What is registered and passes its check is listed, however it answers here.
    assert answered == (code if command == "explain" else 0)
    assert (" SERVING" in printed.out) is (code == 0)
    # Only a caller without TLS is left without a reason by the server.
    assert ("does it want TLS" in printed.out) is (not options)
    assert ("asked with --ca-file or --tls" in printed.err) is (not options)


def test_certificates_that_are_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """A missing certificate file is a usage error with the file's name."""
    with pytest.raises(SystemExit) as left:
        main(["resolve", "--ca-file", "/nowhere/ca.pem", "static:///127.0.0.1:1"])
    assert left.value.code == 2
    assert "/nowhere/ca.pem" in capsys.readouterr().err


def test_resolve_as_json(agent: ConsulAgent, capsys: pytest.CaptureFixture[str]) -> None:
    """The same as one JSON document."""
    _register(agent, "listed-json", tags=["v2"], meta={"version": "1", "incarnation": "x1"})
    assert main(["resolve", "consul:///listed-json", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert "Connection refused" in printed["instances"][0].pop("cause")
    assert printed == {
        "target": "consul:///listed-json",
        "instances": [
            {
                "id": "listed-json-1",
                "service": "listed-json",
                "endpoint": "127.0.0.1:1",
                "address": "127.0.0.1",
                "port": 1,
                "weight": 1,
                "tags": ["v2"],
                "meta": {"version": "1"},
                "incarnation": "x1",
                "check": "passing",
                "health": "UNAVAILABLE",
            }
        ],
    }


def test_resolve_without_instances(capsys: pytest.CaptureFixture[str]) -> None:
    """If nothing is registered, one sentence says so; the exit code is 1."""
    assert main(["resolve", "consul:///nobody"]) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "consul:///nobody has no instances.\n")


def test_explain_says_that_there_are_no_instances(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped service is told from one whose instances don't answer."""
    assert main(["explain", "consul:///nobody"]) == 1
    assert capsys.readouterr().out == "nobody: TRANSIENT_FAILURE (it has no instances)\n"


def test_resolve_with_none_passing(agent: ConsulAgent, capsys: pytest.CaptureFixture[str]) -> None:
    """Instances that fail their check are listed as unusable; the exit code is 1."""
    _register(agent, "sick", status="critical")
    assert main(["resolve", "consul:///sick"]) == 1
    printed = capsys.readouterr()
    assert "critical" in printed.out
    assert printed.err == "consul:///sick has no instance that passes its check.\n"


def test_resolve_by_tag(agent: ConsulAgent, capsys: pytest.CaptureFixture[str]) -> None:
    """With a tag in the target, only tagged instances are listed."""
    _register(agent, "tagged", tags=["v2"])
    _register(agent, "tagged", service_id="tagged-2")
    assert main(["resolve", "consul:///tagged?tag=v2"]) == 0
    assert set(re.findall(r"tagged-\d", capsys.readouterr().out)) == {"tagged-1"}


def test_resolve_with_consul_down(capsys: pytest.CaptureFixture[str]) -> None:
    """If the agent doesn't answer, its address and the reason are printed; the exit code is 2."""
    with socket.socket() as never_listening:
        never_listening.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{never_listening.getsockname()[1]}"
        assert main(["resolve", f"consul://{address}/order"]) == 2
    assert capsys.readouterr().err == (
        f"consul://{address}/order can't be resolved: "
        f"the Consul agent at http://{address} can't be reached: Connection refused\n"
    )


def test_a_mistyped_target(capsys: pytest.CaptureFixture[str]) -> None:
    """A target that can't be read is a usage error that says where."""
    with pytest.raises(SystemExit) as stopped:
        main(["resolve", "consul:/order"])
    assert stopped.value.code == 2
    assert "expected '://' (at character 6)" in capsys.readouterr().err


@contextmanager
def _watching(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "discovery", "watch", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_watch_follows_until_ctrl_c(agent: ConsulAgent) -> None:
    """Each change is a line with its time; Ctrl-C ends the command without a traceback."""
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00"
    with _watching("consul:///followed") as watching:
        assert re.fullmatch(rf"{moment}     no instances\n", _line(watching))
        _register(agent, "followed", tags=["v2"])
        assert re.fullmatch(
            rf"{moment}  \+  followed-1  127.0.0.1:1  weight 1  tags v2  \(1 now\)\n",
            _line(watching),
        )
        _register(agent, "followed", weights={"Passing": 5, "Warning": 1})
        assert re.fullmatch(
            rf"{moment}  ~  followed-1  127.0.0.1:1  weight 5  \(1 now\)\n", _line(watching)
        )
        os.kill(watching.pid, signal.SIGINT)
        assert watching.communicate(timeout=30) == ("", "")
        assert watching.returncode == 0


def test_watch_as_json(agent: ConsulAgent) -> None:
    """Each line is a document with the full list."""
    _register(agent, "followed-json")
    with _watching("consul:///followed-json", "--json") as watching:
        document = json.loads(_line(watching))
    assert (document["version"], document["error"]) == (1, None)
    assert [instance["id"] for instance in document["instances"]] == ["followed-json-1"]


def test_watch_survives_consul(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch without an agent prints the error, and continues when the agent answers."""
    late = ConsulAgent()
    monkeypatch.setenv("CONSUL_HTTP_ADDR", late.address)
    with _watching("consul:///order") as watching:
        assert _line(watching).rstrip().endswith("can't be reached: Connection refused")
        late.start()
        try:
            assert _line(watching).rstrip().endswith("the registry answers again")
            assert _line(watching).rstrip().endswith("no instances")
        finally:
            late.kill()


def test_watch_into_a_closed_pipe(agent: ConsulAgent) -> None:
    """`watch | head -1` ends without an error."""
    with _watching("consul:///piped") as watching:
        _line(watching)
        assert watching.stdout is not None
        watching.stdout.close()
        _register(agent, "piped")
        assert watching.wait(60) == 0
        assert watching.stderr is not None
        assert watching.stderr.read() == ""
