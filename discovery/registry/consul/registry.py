"""The registry on Consul: registers instances with an agent and watches through it."""

import logging
import os
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Self

from discovery.clock import Clock
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.client import AgentClient, agent_client
from discovery.registry.consul.health_endpoint import Freshness, HealthEndpoint
from discovery.registry.consul.watch import watch_instances
from discovery.registry.instance import Instance

logger = logging.getLogger(__name__)

_WAIT_S = 55.0
# The answers of a server that lost its leader for longer than this may be outdated.
_STALE_MS = 5_000


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """How the agent checks an instance: by grpc.health.v1, service "", or by HTTP at `http_path`.

    The agent removes an instance that is critical for `deregister_after_s` (at least 60 s). The
    default is much longer than an outage from which an instance may recover.
    """

    interval_s: float = 5.0
    timeout_s: float = 2.0
    deregister_after_s: float = 600.0
    tls: bool = False
    http_path: str = ""


class ConsulRegistry:
    """Implements Registrar and Watcher; opens no connection before its first use.

    Each watch has a connection of its own, which closes with its iterator. `close` closes the
    connection that registers.

    `address` is `[http://|https://]host[:port]` of the agent, by default 127.0.0.1:8500; ValueError
    if it is something else. A watch blocks for up to `wait_s` seconds in each query.
    """

    def __init__(
        self,
        address: str | AgentAddress | None = None,
        *,
        token: str | None = None,
        clock: Clock,
        rng: random.Random,
        check: CheckSettings | None = None,
        wait_s: float = _WAIT_S,
    ) -> None:
        if not isinstance(address, AgentAddress):
            address = AgentAddress.parse(address or "127.0.0.1:8500", token=token, ca_file=None)
        self._address = address
        self._clock = clock
        self._rng = rng
        self._check = check or CheckSettings()
        self._wait_s = wait_s
        self._client: AgentClient | None = None
        self._freshness: dict[str, Freshness] = {}

    @classmethod
    def from_environment(
        cls,
        authority: str = "",
        *,
        clock: Clock,
        rng: random.Random,
        check: CheckSettings | None = None,
    ) -> Self:
        """Use the variables of Consul's own tools (`AgentAddress.from_environment`).

        `authority` (`host:port`) replaces CONSUL_HTTP_ADDR. Raises ValueError for a value that
        can't be used.
        """
        address = AgentAddress.from_environment(os.environ, authority=authority)
        return cls(address, clock=clock, rng=rng, check=check)

    @property
    def address(self) -> AgentAddress:
        """The agent, and how to connect to it."""
        return self._address

    async def register(self, instance: Instance) -> None:
        """Register the instance with a passing check: its server says SERVING already.

        The check has the same id each time, so it replaces the earlier one. Other checks stay: an
        operator's maintenance holds until the operator ends it, also over a crash of the process.
        """
        await self._registrar().register(
            instance.service,
            service_id=instance.instance_id,
            address=instance.address,
            port=instance.port,
            tags=list(instance.tags),
            meta={"protocol": "grpc", **instance.meta, "incarnation": instance.incarnation},
            weights={"Passing": instance.weight, "Warning": 1},
            check=self._check_definition(instance),
        )

    async def deregister(self, instance: Instance) -> None:
        """Remove the instance, unless a later incarnation uses its id."""
        holder = await self.holder(instance)
        if holder is not None and holder.incarnation == instance.incarnation:
            await self._registrar().deregister(instance.instance_id)

    async def is_registered(self, instance: Instance) -> bool:
        return await self.holder(instance) is not None

    async def holder(self, instance: Instance) -> Instance | None:
        """The agent's own entry under the id, not the catalogue's; it may be of another service."""
        path = f"/v1/agent/service/{instance.instance_id}"
        answer = await self._registrar().get(path, allow_404=True)
        entry: dict[str, Any] | None = answer.data
        if entry is None:
            return None
        meta = entry["Meta"] or {}
        return Instance(
            instance_id=entry["ID"],
            service=entry["Service"],
            address=entry["Address"],
            port=entry["Port"],
            meta=meta,
            incarnation=meta.get("incarnation", ""),
        )

    async def watch(
        self, service: str, *, tag: str | None = None
    ) -> AsyncGenerator[tuple[Instance, ...], None]:
        """Watch by blocking queries, on a connection of its own; any Consul server may answer."""
        async with agent_client(self._address) as client:
            lists = watch_instances(
                HealthEndpoint(client, service, tag=tag),
                clock=self._clock,
                rng=self._rng,
                wait_s=self._wait_s,
                observe=lambda freshness: self._observe(service, freshness),
            )
            async with aclosing(lists):
                async for instances in lists:
                    yield instances

    async def lookup(self, service: str, *, tag: str | None = None) -> tuple[Instance, ...]:
        async with agent_client(self._address) as client:
            endpoint = HealthEndpoint(client, service, tag=tag)
            page = await endpoint.ask([("consistent", "")])
        return page.instances

    async def checked(
        self, service: str, *, tag: str | None = None
    ) -> tuple[tuple[Instance, str], ...]:
        """List all registered instances, each with its check: passing, warning or critical.

        For operators. Raises RegistryError.
        """
        async with agent_client(self._address) as client:
            page = await HealthEndpoint(client, service, tag=tag).ask([("consistent", "")])
        return page.checked()

    def freshness(self, service: str) -> Freshness | None:
        """How fresh the newest answer of a watch was; None before the first answer."""
        return self._freshness.get(service)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _registrar(self) -> AgentClient:
        if self._client is None:
            self._client = AgentClient(self._address, connections=2)
        return self._client

    def _check_definition(self, instance: Instance) -> dict[str, Any]:
        """The check in the API's form: Consul 1.8 refuses a key that py-consul's Check.grpc sends.

        The agent's output of a passing gRPC check is always the same text, so a check alone never
        wakes a blocking query (hashicorp/consul#1244).
        """
        endpoint = instance.health_endpoint or instance.endpoint
        definition: dict[str, Any] = {
            **self._asked(endpoint),
            "Interval": f"{self._check.interval_s:g}s",
            "Timeout": f"{self._check.timeout_s:g}s",
            "Status": "passing",
            "DeregisterCriticalServiceAfter": f"{self._check.deregister_after_s:g}s",
        }
        return definition

    def _asked(self, endpoint: str) -> dict[str, Any]:
        """What the check asks, and how."""
        if self._check.http_path:
            scheme = "https" if self._check.tls else "http"
            url = f"{scheme}://{endpoint}{self._check.http_path}"
            # The agent asks whether it answers; who it is, callers check.
            return {"Name": "http", "HTTP": url, "TLSSkipVerify": True}
        asked: dict[str, Any] = {"Name": "grpc.health.v1", "GRPC": endpoint}
        if self._check.tls:
            asked["GRPCUseTLS"] = True
        return asked

    def _observe(self, service: str, freshness: Freshness) -> None:
        """Keep how fresh the answer was; log when it becomes old or fresh again."""
        before = self._freshness.get(service, Freshness())
        self._freshness[service] = freshness
        if _is_stale(freshness) and not _is_stale(before):
            logger.warning(
                "%s: Consul's answer may be old (leader known: %s, heard %d ms ago)",
                service,
                freshness.known_leader,
                freshness.last_contact_ms,
            )
        elif _is_stale(before) and not _is_stale(freshness):
            logger.info("%s: Consul's answers are fresh again", service)


def _is_stale(freshness: Freshness) -> bool:
    return not freshness.known_leader or freshness.last_contact_ms > _STALE_MS
