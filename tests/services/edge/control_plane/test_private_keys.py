"""Whom the control plane hands private keys."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
from envoy.service.discovery.v3.ads_pb2_grpc import AggregatedDiscoveryServiceStub
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest

from discovery.registry.memory import MemoryRegistry
from scripts.suite.consul import free_ports
from services.edge.control_plane.envoy_publisher import CertificateSources
from services.edge.control_plane.snapshot import CLUSTERS, SECRETS
from services.edge.edge import control_plane
from tests.support.certificates.authority import Authority
from tests.support.certificates.memory_source import MemoryCertificates
from tests.support.edge.running_edge import edge_of, settings_at_free_ports
from tests.support.limits import WAIT_S


async def test_keys_leave_by_the_unix_socket_only(tmp_path: Path) -> None:
    """Who asks at a port of the machine, which all its users reach, is sent all but the keys."""
    certificates = Authority().issue("edge")
    (port,) = free_ports(1)
    socket, other = f"unix:{tmp_path / 'xds.sock'}", f"127.0.0.1:{port}"
    async with control_plane(
        [socket, other],
        **edge_of(settings_at_free_ports(), MemoryRegistry()),
        certificates=CertificateSources(MemoryCertificates(certificates)),
    ):
        by_socket, by_port = await _first_answers(socket), await _first_answers(other)

    assert certificates.key in b"".join(by_socket[SECRETS])
    assert set(by_port) == {CLUSTERS}


async def _first_answers(address: str) -> dict[str, list[bytes]]:
    """What is sent to an Envoy that asks for secrets and then for clusters, until it has these."""
    answers: dict[str, list[bytes]] = {}
    async with grpc.aio.insecure_channel(address) as channel, asyncio.timeout(WAIT_S):
        async for answer in AggregatedDiscoveryServiceStub(channel).StreamAggregatedResources(
            _asked()
        ):
            answers[answer.type_url] = [each.value for each in answer.resources]
            if answer.type_url == CLUSTERS:
                break
    return answers


async def _asked() -> AsyncIterator[DiscoveryRequest]:
    yield DiscoveryRequest(type_url=SECRETS, resource_names=["identity", "authorities"])
    yield DiscoveryRequest(type_url=CLUSTERS)
    await asyncio.Event().wait()
