"""An Envoy proxy between client and instances, a common way to balance gRPC calls."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import grpc

from scripts.suite.cluster import START_TIMEOUT_S
from scripts.suite.consul import free_ports
from scripts.suite.run_folder import StartError
from scripts.tools.paths import envoy_path

_HTTP2 = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_CONNECTIONS = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
    ".HttpConnectionManager"
)
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


@asynccontextmanager
async def hop(folder: Path, ports: Sequence[int]) -> AsyncIterator[str]:
    """The address of an Envoy that balances over the instances at these ports.

    Raises ToolMissingError when it isn't installed, StartError when it doesn't listen.
    """
    (port,) = free_ports(1)
    # From the main thread: Envoy ends with the thread that starts it.
    with _started(folder, port, ports):
        await _wait_until_listening(port, folder)
        yield f"127.0.0.1:{port}"


@contextmanager
def _started(folder: Path, port: int, ports: Sequence[int]) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "envoy.json"
    settings.write_text(json.dumps(configuration(port, ports), indent=2))
    log = folder / "envoy.log"
    with subprocess.Popen(
        [
            *(envoy_path(), "--config-path", settings, "--log-path", log, "--log-level", "warning"),
            *("--base-id", str(port), "--concurrency", "1"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield
        finally:
            process.kill()


async def _wait_until_listening(port: int, folder: Path) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await channel.channel_ready()
        except TimeoutError:
            raise StartError(f"Envoy doesn't listen; its log is in {folder}") from None


def configuration(port: int, ports: Sequence[int]) -> Mapping[str, Any]:
    """Envoy's configuration: HTTP/2, round robin, no retries, no access log, no admin port."""
    connections = {
        "@type": _CONNECTIONS,
        "stat_prefix": "bench",
        "codec_type": "HTTP2",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "bench",
                    "domains": ["*"],
                    "routes": [
                        {"match": {"prefix": "/"}, "route": {"cluster": "bench", "timeout": "0s"}}
                    ],
                }
            ]
        },
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
    }
    listener = {
        "address": _address(port),
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": connections,
                    }
                ]
            }
        ],
    }
    return {"static_resources": {"listeners": [listener], "clusters": [_cluster(ports)]}}


def _cluster(ports: Sequence[int]) -> Mapping[str, Any]:
    endpoints = [{"endpoint": {"address": _address(each)}} for each in ports]
    return {
        "name": "bench",
        "type": "STATIC",
        "lb_policy": "ROUND_ROBIN",
        "load_assignment": {
            "cluster_name": "bench",
            "endpoints": [{"lb_endpoints": endpoints}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": _HTTP2,
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }


def _address(port: int) -> Mapping[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
