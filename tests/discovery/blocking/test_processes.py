"""Programs that fork, servers that die, and a real Consul."""

import asyncio
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
    """Three instances, a process each, that live as long as these tests."""
    with probe_processes("a", "b", "c") as started:
        yield started


@pytest.fixture
def mortal() -> Iterator[list[ProbeProcess]]:
    """Three instances of a test's own, to be killed."""
    with probe_processes("a", "b", "c") as started:
        yield started


def target_of(servers: list[ProbeProcess]) -> str:
    """All of them, wherever they were found."""
    return "static:///" + ",".join(server.address for server in servers)


def run_forking(scenario: str, target: str, *, fork_support: str) -> Any:
    """What the program of that scenario prints."""
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
    """Whether each is an instance's answer to that request."""
    return all(answer in {f"{name}:{text}" for name in "abc"} for answer in answers)


def test_a_fork_before_the_first_call(three: list[ProbeProcess]) -> None:
    """Needs nothing: a channel may be made at import time, and serves every child."""
    seen = run_forking("before_first_use", target_of(three), fork_support="0")

    assert answered(seen["children"], "child")
    assert answered([seen["parent"]], "parent")


def test_a_fork_after_use(three: list[ProbeProcess]) -> None:
    """With gRPC's fork support, children and their children start afresh; the parent goes on."""
    seen = run_forking("after_use", target_of(three), fork_support="1")

    assert answered([seen["before"], seen["parent"]], "parent")
    assert len(seen["children"]) == 2
    for child, grandchild in (text.split() for text in seen["children"]):
        assert answered([child], "child")
        assert answered([grandchild], "grandchild")


def test_forked_workers(three: list[ProbeProcess]) -> None:
    """multiprocessing's as well."""
    seen = run_forking("pool", target_of(three), fork_support="1")

    assert len(seen["children"]) == 4
    assert all(answer[0] in "abc" and answer[2:].isdecimal() for answer in seen["children"])
    assert answered([seen["before"], seen["parent"]], "parent")


def test_a_fork_that_grpc_may_not_survive(three: list[ProbeProcess]) -> None:
    """Without fork support the child gets an error that says what to do, and doesn't hang."""
    seen = run_forking("after_use", target_of(three), fork_support="0")

    assert seen["children"] == ["ForkUnsupportedError ForkUnsupportedError"] * 2
    assert answered([seen["parent"]], "parent")


def test_an_instance_is_killed_under_load(mortal: list[ProbeProcess]) -> None:
    """kill -9 of one of three: no idempotent call fails."""
    with (
        blocking.open_channel(target_of(mortal), rng=random.Random(7)) as channel,
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
        mortal[0].kill()
        killed.set()
        answers = [future.result(timeout=120) for future in asking]

    assert all(answered(each, "x") for each in answers)
    assert all(each[-1] in ("b:x", "c:x") for each in answers)


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """One Consul for all tests here."""
    with consul_agent() as running:
        yield running


def register(agent: ConsulAgent, *instances: Instance, gone: bool = False) -> None:
    """Register the instances, or take their registrations back."""

    async def change() -> None:
        registry = ConsulRegistry(agent.address, clock=SystemClock(), rng=random.Random(1))
        for instance in instances:
            await (registry.deregister if gone else registry.register)(instance)
        await registry.close()

    asyncio.run(change())


def test_instances_come_and_go_in_consul(agent: ConsulAgent, mortal: list[ProbeProcess]) -> None:
    """Calls follow the registry, from as many threads as there are; none fails on the way."""
    a, b, c = mortal
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
    """Consul is gone: the last list goes on serving."""
    with consul_agent() as agent:
        register(agent, *(server.instance() for server in three))
        channel = blocking.open_channel(f"consul://{agent.address}/probe", rng=random.Random(7))
        get: Any = channel.unary_unary(path("Get"))
        with channel:
            first = get(b"x", wait_for_ready=True).decode()
            agent.kill()
            assert answered([first, *(get(b"x").decode() for _ in range(50))], "x")
