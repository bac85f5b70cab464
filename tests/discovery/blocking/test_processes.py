"""Blocking channels in programs that fork, with servers that die, and with a real Consul."""

import asyncio
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from discovery import blocking
from discovery.clock import SystemClock
from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.instance import Instance
from tests.support.discovery.blocking.probe_process import ROOT, ProbeProcess, probe_processes
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent
from tests.support.discovery.probe_service import path


@pytest.fixture(scope="module")
def three() -> Iterator[list[ProbeProcess]]:
    """Three instances in processes of their own, which run during all tests of this module."""
    with probe_processes("a", "b", "c") as started:
        yield started


@pytest.fixture
def three_to_kill() -> Iterator[list[ProbeProcess]]:
    """Three instances of one test, which it may kill."""
    with probe_processes("a", "b", "c") as started:
        yield started


def target_of(servers: list[ProbeProcess]) -> str:
    """A target that lists all of these instances."""
    return "static:///" + ",".join(server.address for server in servers)


def run_forking(scenario: str, target: str, *, fork_support: str) -> Any:
    """Run a scenario of the forking program and return its output."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.support.discovery.blocking.forking_program",
            scenario,
            target,
        ],
        cwd=ROOT,
        env={**os.environ, "GRPC_ENABLE_FORK_SUPPORT": fork_support},
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def answered(answers: list[str], text: str) -> bool:
    """Whether each line is an instance's answer to that request."""
    return all(answer in {f"{name}:{text}" for name in "abc"} for answer in answers)


def test_a_fork_before_the_first_call(three: list[ProbeProcess]) -> None:
    """A channel that is made before the fork can be used in every child."""
    seen = run_forking("before_first_use", target_of(three), fork_support="0")

    assert answered(seen["children"], "child")
    assert answered([seen["parent"]], "parent")


def test_a_fork_after_use(three: list[ProbeProcess]) -> None:
    """With gRPC's fork support, children and grandchildren start afresh and
    the parent continues.
    """
    seen = run_forking("after_use", target_of(three), fork_support="1")

    assert answered([seen["before"], seen["parent"]], "parent")
    assert len(seen["children"]) == 2
    for child, grandchild in (text.split() for text in seen["children"]):
        assert answered([child], "child")
        assert answered([grandchild], "grandchild")


def test_forked_workers(three: list[ProbeProcess]) -> None:
    """Forked workers of multiprocessing can use the channel."""
    seen = run_forking("pool", target_of(three), fork_support="1")

    assert len(seen["children"]) == 4
    assert all(answer[0] in "abc" and answer[2:].isdecimal() for answer in seen["children"])
    assert answered([seen["before"], seen["parent"]], "parent")


def test_forked_children_draw_other_random_numbers(three: list[ProbeProcess]) -> None:
    """Children that share a channel from before the fork don't pick alike."""
    seen = run_forking("draws", target_of(three), fork_support="0")

    assert len({*seen["children"], seen["parent"]}) == 3


def test_a_child_reads_the_snapshot(three: list[ProbeProcess], tmp_path: Path) -> None:
    """A child of a process that had a list starts with the snapshot while Consul is down."""
    with consul_agent() as agent:
        register(agent, *(server.instance() for server in three))
        program = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.support.discovery.blocking.forking_program",
                "without_registry",
                f"consul://{agent.address}/probe",
            ],
            cwd=ROOT,
            env={
                **os.environ,
                "GRPC_ENABLE_FORK_SUPPORT": "1",
                "DISCOVERY_SNAPSHOT_DIR": str(tmp_path),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert program.stdout is not None
        program.stdout.readline()
        agent.kill()
        printed, _ = program.communicate("\n", timeout=120)
    seen = json.loads(printed)

    assert answered([seen["before"]], "parent")
    assert answered([seen["child"]], "child")


def test_a_fork_without_fork_support_raises(three: list[ProbeProcess]) -> None:
    """Without fork support a call in the child raises an error with the remedy and doesn't hang."""
    seen = run_forking("after_use", target_of(three), fork_support="0")

    assert seen["children"] == ["ForkUnsupportedError ForkUnsupportedError"] * 2
    assert answered([seen["parent"]], "parent")


def test_an_instance_is_killed_under_load(three_to_kill: list[ProbeProcess]) -> None:
    """When one of three instances is killed (kill -9), no call of a safe method fails."""
    with (
        blocking.open_channel(target_of(three_to_kill), rng=random.Random(7)) as channel,
        ThreadPoolExecutor(8) as threads,
    ):
        get: Any = channel.unary_unary(path("Get"))
        started, killed, rest = threading.Barrier(9), threading.Event(), 40

        def ask() -> list[str]:
            answers = [get(b"x").decode()]
            started.wait(60)
            while not killed.is_set():
                answers.append(get(b"x").decode())
            return answers + [get(b"x").decode() for _ in range(rest)]

        asking = [threads.submit(ask) for _ in range(8)]
        started.wait(60)
        three_to_kill[0].kill()
        killed.set()
        answers = [future.result(timeout=120) for future in asking]

    assert all(answered(each, "x") for each in answers)
    assert all(each[-1] in ("b:x", "c:x") for each in answers)


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """One Consul for all tests of this module."""
    with consul_agent() as running:
        yield running


def register(agent: ConsulAgent, *instances: Instance, gone: bool = False) -> None:
    """Register the instances, or remove their registrations."""

    async def change() -> None:
        registry = ConsulRegistry(agent.address, clock=SystemClock(), rng=random.Random(1))
        for instance in instances:
            await (registry.deregister if gone else registry.register)(instance)
        await registry.close()

    asyncio.run(change())


def test_instances_come_and_go_in_consul(
    agent: ConsulAgent, three_to_kill: list[ProbeProcess]
) -> None:
    """Calls of several threads follow the registry, and none fails."""
    a, b, c = three_to_kill
    register(agent, a.instance())
    with (
        blocking.open_channel(f"consul://{agent.address}/probe", rng=random.Random(7)) as channel,
        ThreadPoolExecutor(4) as threads,
    ):
        get: Any = channel.unary_unary(path("Get"))

        def answers() -> set[str]:
            return {answer.decode() for answer in threads.map(get, [b"x"] * 40)}

        assert get(b"x", wait_for_ready=True) == b"a:x"
        register(agent, b.instance(), c.instance())
        while answers() != {"a:x", "b:x", "c:x"}:
            pass

        a.kill()
        register(agent, a.instance(), gone=True)
        while "a:x" in answers():
            pass
        assert answers() <= {"b:x", "c:x"}


def test_a_channel_outlives_its_registry(three: list[ProbeProcess]) -> None:
    """When Consul is gone, the channel continues with the last list."""
    with consul_agent() as agent:
        register(agent, *(server.instance() for server in three))
        channel = blocking.open_channel(f"consul://{agent.address}/probe", rng=random.Random(7))
        get: Any = channel.unary_unary(path("Get"))
        with channel:
            first = get(b"x", wait_for_ready=True).decode()
            agent.kill()
            assert answered([first, *(get(b"x").decode() for _ in range(50))], "x")
