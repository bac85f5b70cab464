"""The instances that all stacks call: processes of their own, on fixed ports."""

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from discovery.tls.certificates import CertificateSource
from scripts.benchmarks.discovery.backends import contract, fleet_certificates
from scripts.benchmarks.discovery.backends.fleet_certificates import channel_to
from scripts.benchmarks.discovery.backends.server import Behavior
from scripts.suite.cluster import START_TIMEOUT_S
from scripts.suite.consul import ConsulAgent, free_ports
from scripts.suite.processes.slot import ProcessSlot
from scripts.suite.run_folder import StartError

INSTANCES = 3
_CONTROL_TIMEOUT_S = 10.0
_MODULE = "scripts.benchmarks.discovery.backends.server"
_CONTROL_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Running instances; `consul` is the agent's address, or empty when they aren't registered.

    Secure ones are called with `certificates`.
    """

    slots: Sequence[ProcessSlot]
    ports: Sequence[int]
    controls: Sequence[grpc.aio.Channel]
    consul: str = ""
    certificates: CertificateSource | None = None

    @property
    def addresses(self) -> str:
        """The instances' addresses, in the form that both kinds of static target use."""
        return ",".join(f"127.0.0.1:{port}" for port in self.ports)

    async def behave(self, behavior: Behavior, *numbers: int) -> None:
        """Set how these instances, or all of them, answer from now on."""
        message = StringValue(value=json.dumps(asdict(behavior)))
        for number in numbers or range(len(self.slots)):
            behave = contract.stub(self.controls[number], "Behave")
            await behave(message, timeout=_CONTROL_TIMEOUT_S, wait_for_ready=True)

    async def attempts(self, stack: str) -> int:
        """How many calls of a stack have reached the instances since their start."""
        total = 0
        for control in self.controls:
            count = contract.stub(control, "Count")
            counted = await count(StringValue(), timeout=_CONTROL_TIMEOUT_S, wait_for_ready=True)
            total += json.loads(counted.value).get(stack, 0)
        return total

    async def start(self, number: int) -> None:
        """Start the instance and return once it answers. Raises StartError."""
        slot = self.slots[number]
        await slot.start()
        await self.ready(number)

    async def ready(self, number: int) -> None:
        """Return once the instance answers. Raises StartError."""
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self.controls[number].channel_ready()
        except TimeoutError:
            slot = self.slots[number]
            raise StartError(f"{slot.name} doesn't answer:\n{slot.tail()}") from None

    def signal(self, number: int, what: signal.Signals) -> None:
        """Send a signal to the instance's process."""
        process = self.slots[number].process
        assert process is not None  # noqa: S101 (it was started)
        process.send_signal(what)


@asynccontextmanager
async def running(
    folder: Path,
    *,
    instances: int = INSTANCES,
    registered: bool = False,
    secure: bool = False,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[Fleet]:
    """Start instances with logs in an empty `folder`. Raises StartError.

    With `registered` they are registered with a Consul agent of their own. With `secure` they
    demand a certificate of their callers. `settings` are added to their environment.
    """
    await asyncio.to_thread(_empty, folder)
    async with AsyncExitStack() as stack:
        environment = {"TRADEPOST_REGISTRY": "none", **(settings or {})}
        consul = ""
        if registered:
            agent = ConsulAgent(log_file=folder / "consul.log")
            await asyncio.to_thread(agent.start)
            stack.push_async_callback(asyncio.to_thread, agent.kill)
            consul = agent.address
            environment |= {"TRADEPOST_REGISTRY": "consul", "CONSUL_HTTP_ADDR": consul}
        certificates = None
        if secure:
            issued = await asyncio.to_thread(fleet_certificates.issue, folder)
            environment |= issued.settings
            certificates = issued.source
        ports = free_ports(instances)
        slots = [_slot(folder, number, port, environment) for number, port in enumerate(ports)]
        controls = [
            await stack.enter_async_context(
                channel_to(f"127.0.0.1:{port}", certificates, _CONTROL_OPTIONS)
            )
            for port in ports
        ]
        fleet = Fleet(slots, ports, controls, consul, certificates)
        stack.push_async_callback(_kill, slots)
        await asyncio.gather(*(fleet.start(number) for number in range(instances)))
        yield fleet


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _slot(folder: Path, number: int, port: int, environment: Mapping[str, str]) -> ProcessSlot:
    own = {"TRADEPOST_PORT": str(port), "TRADEPOST_INSTANCE_ID": f"bench-{number}"}
    log = folder / f"server-{number}.log"
    return ProcessSlot("bench", number, _MODULE, log, {**environment, **own})


async def _kill(slots: Sequence[ProcessSlot]) -> None:
    await asyncio.gather(*(slot.stop(signal.SIGKILL) for slot in slots))
