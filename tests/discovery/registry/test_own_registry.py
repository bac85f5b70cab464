"""An application's own registry and policy, as docs/client.md shows them."""

import asyncio
import random
import re
import threading
from collections.abc import AsyncGenerator, Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

import discovery
from discovery import blocking
from discovery.balancing.policy import CandidateT, Picker
from discovery.registry.instance import Instance
from discovery.registry.memory import MemoryRegistry
from discovery.registry.protocols import RegistryError
from scripts.tools.paths import ROOT
from tests.support.discovery.blocking.manual_readiness import ready as ready_in_blocking
from tests.support.discovery.probe_service import Open, Start, path, ready, subchannels
from tests.support.limits import WAIT_S

ZONES = {"a": "eu-1", "b": "eu-2"}


def documented(name: str) -> Any:
    """The class of this name in a Python block of the documentation."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/client.md").read_text(), re.DOTALL)
    (source,) = (block for block in blocks if f"class {name}" in block)
    defined: dict[str, Any] = {}
    exec(source, defined)
    return defined[name]


async def test_a_registry_of_one_s_own(start: Start, tmp_path: Path) -> None:
    """Both drivers find instances through it, as soon as its first failures are over."""
    a, b = await start("a"), await start("b")
    own = documented("FileRegistry")(tmp_path)
    async with discovery.open_channel("file:///order", watcher=own) as channel:
        channel.get_state(try_to_connect=True)
        get = channel.unary_unary(path("Get"))
        while (error := channel.explain().error) is None:
            await channel._balancer.change()
        assert "FileNotFoundError" in error
        await asyncio.to_thread((tmp_path / "order").write_text, f"{a.address}\n")
        assert await get(b"x", wait_for_ready=True) == b"a:x"
        await asyncio.to_thread((tmp_path / "order").write_text, f"{b.address}\n")
        await a.stop()
        assert await get(b"x", wait_for_ready=True) == b"b:x"

    def ask() -> bytes:
        with blocking.open_channel("file:///order", watcher=own) as channel:
            answer: bytes = channel.unary_unary(path("Get"))(b"y", wait_for_ready=True)
            return answer

    assert await asyncio.to_thread(ask) == b"b:y"


class SwallowingRegistry:
    """Lists one instance, and fails instead of being cancelled."""

    def __init__(self) -> None:
        self.listed = threading.Event()

    async def watch(
        self, service: str, *, tag: str | None = None
    ) -> AsyncGenerator[tuple[Instance, ...], None]:
        yield (Instance("a", service, "127.0.0.1", 1),)
        self.listed.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RegistryError("gave up") from None


async def test_a_registry_that_swallows_its_cancellation_keeps_no_channel_open() -> None:
    """Both drivers close at once, whatever an application's registry makes of it."""
    own = SwallowingRegistry()
    channel = discovery.open_channel("own:///order", watcher=own)
    channel.get_state(try_to_connect=True)
    await asyncio.to_thread(own.listed.wait, WAIT_S)
    async with asyncio.timeout(WAIT_S):
        await channel.close()

    def use() -> None:
        own.listed.clear()
        with blocking.open_channel("own:///order", watcher=own) as channel:
            channel.subscribe(lambda _: None, try_to_connect=True)
            assert own.listed.wait(WAIT_S)

    async with asyncio.timeout(WAIT_S):
        await asyncio.to_thread(use)


def test_a_scheme_without_a_registry() -> None:
    """Without a watcher an unknown scheme is refused by both drivers."""
    for open_channel in (discovery.open_channel, blocking.open_channel):
        with pytest.raises(discovery.InvalidTargetError, match="watcher of its own"):
            open_channel("file:///order")


async def test_a_policy_of_one_s_own(start: Start) -> None:
    """Both drivers pick by it, with its settings, and not by the service config's."""
    servers = [await start(name) for name in ZONES]
    registry = MemoryRegistry()
    for server in servers:
        zone = ZONES[server.name]
        await registry.register(
            discovery.Instance(server.name, "probe", "127.0.0.1", server.port, meta={"zone": zone})
        )
    options: dict[str, Any] = {
        "policy": documented("InZone")("eu-2"),
        "service_config": {"loadBalancingConfig": [{"round_robin": {}}]},
    }
    async with discovery.open_channel("zones:///probe", watcher=registry, **options) as channel:
        await ready(channel, 2)
        get = channel.unary_unary(path("Get"))
        assert {await get(b"x") for _ in range(10)} == {b"b:x"}
    listed = await registry.lookup("probe")

    def ask() -> set[bytes]:
        own = MemoryRegistry()
        own._instances = {("probe", one.instance_id): one for one in listed}
        with blocking.open_channel("zones:///probe", watcher=own, **options) as channel:
            ready_in_blocking(channel, 2)
            return {channel.unary_unary(path("Get"))(b"y") for _ in range(10)}

    assert await asyncio.to_thread(ask) == {b"b:y"}


class Faulty:
    """A policy that fails while it is told to, when it is called or when it picks."""

    def __init__(self) -> None:
        self.fails = True
        self.late = False

    def __call__(self, candidates: Sequence[CandidateT], rng: random.Random) -> Picker[CandidateT]:
        """Pick the first candidate."""
        assert candidates
        if self.fails and not self.late:
            raise ZeroDivisionError("no weights")

        def pick(_now_s: float, _excluded: Collection[object]) -> CandidateT:
            if self.fails:
                raise ZeroDivisionError("no weights")
            return candidates[0]

        return pick


@pytest.mark.parametrize("late", [False, True])
async def test_a_policy_that_fails(start: Start, open_to: Open, *, late: bool) -> None:
    """Calls raise its error at once; connections are watched on, so the next change mends them."""
    server = await start("a")
    policy = Faulty()
    policy.late = late
    channel = open_to(server, policy=policy)
    await ready(channel, 1)

    with pytest.raises((RuntimeError, ZeroDivisionError), match="no weights"):
        await channel.unary_unary(path("Get"))(b"x")
    with pytest.raises((RuntimeError, ZeroDivisionError), match="no weights"):
        async for _ in channel.unary_stream(path("Watch"))(b"x"):
            pass

    policy.fails = False
    channel._balancer._changed()
    assert await channel.unary_unary(path("Get"))(b"x") == b"a:x"
    assert [one.load.in_flight for one in subchannels(channel)] == [0]


@pytest.mark.parametrize("late", [False, True])
async def test_a_policy_that_fails_blocking_calls(start: Start, *, late: bool) -> None:
    """A blocking call raises its error too, and holds nothing."""
    server = await start("a")
    policy = Faulty()
    policy.late = late

    def ask() -> bytes:
        with blocking.open_channel(f"static:///{server.address}", policy=policy) as channel:
            get = channel.unary_unary(path("Get"))
            with pytest.raises((RuntimeError, ZeroDivisionError), match="no weights"):
                get(b"x")
            policy.fails = False
            channel.process_state().balancer.refresh()
            answer: bytes = get(b"x")
            return answer

    assert await asyncio.to_thread(ask) == b"a:x"
