"""A channel explains what it knows of each instance, and what it does with it."""

import asyncio
import json
import sys

import grpc
import pytest
from grpc import StatusCode

import discovery
from discovery.balancing.explanation import Explanation, InstanceView
from discovery.cli import explanation_view
from discovery.cli.explanation_view import explanation_as_json, explanation_as_tables
from discovery.cli.main import main
from scripts.tools.paths import ROOT
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import Open, Probe, Refusal, Start, path, ready


def of(explanation: Explanation, server: Probe) -> InstanceView:
    """The view of a server."""
    (found,) = (one for one in explanation.instances if one.endpoint == server.address)
    return found


async def explained(start: Start, open_to: Open) -> tuple[Explanation, Probe, Probe]:
    """A channel explained 2 s after 5 failures of one of its two instances."""
    broken, good = await start("broken"), await start("good")
    clock = ManualClock()
    config = {"loadBalancingConfig": [{"round_robin": {}}]}
    channel = open_to(broken, good, clock=clock, service_config=config)
    await ready(channel, 2)
    broken.script.extend([Refusal(StatusCode.UNAVAILABLE)] * 5)
    for _ in range(10):
        try:
            await channel.unary_unary(path("Post"))(b"x")
        except grpc.aio.AioRpcError:
            continue
    await clock.advance(2.0)
    return channel.explain(), broken, good


async def test_it_says_which_instance_is_ejected_and_why(start: Start, open_to: Open) -> None:
    """It also shows the load of the others."""
    explanation, broken, good = await explained(start, open_to)

    assert explanation.ejections == 1
    bad, well = of(explanation, broken), of(explanation, good)
    assert (bad.state, bad.ejected, bad.ejections) == ("READY", "5 failures in a row", 1)
    assert (bad.calls, bad.failures, bad.failures_in_row) == (5, 5, 5)
    assert bad.latency_s > 1.0
    assert 0.0 < (bad.returns_in_s or 0.0) <= 3.0
    assert (well.ejected, well.calls, well.failures, well.in_flight) == (None, 5, 0, 0)
    assert well.load < bad.load


async def test_it_keeps_no_more_than_the_last_32_picks(start: Start, open_to: Open) -> None:
    """Older picks aren't kept."""
    channel = open_to(await start("a"))
    await channel.channel_ready()

    for _ in range(40):
        await channel.unary_unary(path("Get"))(b"x")

    assert len(channel.explain().picks) == 32


async def test_it_shows_the_last_picks_and_the_breakers(start: Start, open_to: Open) -> None:
    """The newest pick comes first."""
    explanation, broken, good = await explained(start, open_to)

    assert len(explanation.picks) == 10
    assert {pick.instance_id for pick in explanation.picks} == {broken.address, good.address}
    assert {(pick.method, pick.ago_s) for pick in explanation.picks} == {(path("Post"), 2.0)}
    (breaker,) = explanation.breakers
    assert (breaker.attempts, breaker.accepted, breaker.refusing) == (10, 5, False)


async def test_as_json_it_has_the_names_of_the_fields(start: Start, open_to: Open) -> None:
    """A console can read the JSON by the names of the fields."""
    explanation, _, _ = await explained(start, open_to)

    document = json.loads(explanation_as_json(explanation))

    assert document["state"] == "READY"
    assert {one["ejected"] for one in document["instances"]} == {None, "5 failures in a row"}


@pytest.mark.parametrize("with_rich", [True, False])
async def test_as_tables_it_can_be_read(
    start: Start, open_to: Open, monkeypatch: pytest.MonkeyPatch, *, with_rich: bool
) -> None:
    """The tables work with and without the extra `cli`."""
    explanation, broken, _ = await explained(start, open_to)
    if not with_rich:
        monkeypatch.setattr(explanation_view, "find_spec", lambda _: None)

    text = explanation_as_tables(explanation)

    (line,) = (line for line in text.splitlines() if "5 failures in a row" in line)
    assert line.split()[:2] == [broken.address, "READY"]
    assert "Post" in text


async def test_the_command_explains_a_target(start: Start) -> None:
    """`explain` shows a target as a new caller sees it, and which instances it picks."""
    server = await start("a")

    document = json.loads(await run(f"static:///{server.address}", "--json", "--picks", "3"))

    (instance,) = document["instances"]
    assert (instance["endpoint"], instance["state"]) == (server.address, "READY")
    assert document["tried"] == [{"instance_id": server.address, "picks": 3}]
    assert document["picks"] == []


async def test_the_command_lists_an_instance_once(start: Start) -> None:
    """Before any call there are no calls to list, only how often each instance would be picked."""
    server = await start("a")

    lines = [line.split() for line in (await run(f"static:///{server.address}")).splitlines()]

    assert [server.address, "10", "of", "10"] in lines
    assert len([line for line in lines if line[:1] == [server.address]]) == 2


async def test_picks_that_are_tried_are_no_picks_of_calls(start: Start, open_to: Open) -> None:
    """They are counted by instance, and don't push the picks of calls out of their list."""
    one, other = await start("a"), await start("b")
    channel = open_to(one, other, service_config={"loadBalancingConfig": [{"round_robin": {}}]})
    await ready(channel, 2)
    await channel.unary_unary(path("Get"))(b"x")

    explanation = channel.explain(try_picks=40)

    assert {(tried.instance_id, tried.picks) for tried in explanation.tried} == {
        (one.address, 20),
        (other.address, 20),
    }
    assert [pick.method for pick in channel.explain().picks] == [path("Get")]


def test_the_command_without_an_instance(capsys: pytest.CaptureFixture[str]) -> None:
    """If no instance listens, the exit code is 1 and the state is shown."""
    assert main(["explain", "static:///127.0.0.1:1"]) == 1
    assert "TRANSIENT_FAILURE" in capsys.readouterr().out


async def test_a_closed_channel_can_be_explained(start: Start, open_to: Open) -> None:
    """Its state is SHUTDOWN, and it picks nothing."""
    channel: discovery.Channel = open_to(await start("a"))
    await ready(channel, 1)
    await channel.close()

    assert channel.explain(try_picks=3).state == "SHUTDOWN"
    assert channel.explain().picks == ()


async def run(*arguments: str) -> str:
    """Run the command in a process of its own; return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "discovery", "explain"),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()
