"""Builds the watcher that a target names: one line for each scheme."""

import random
from urllib.parse import quote

from discovery.clock import Clock
from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.dns import DnsWatcher, system_addresses
from discovery.registry.memory import memory_registry
from discovery.registry.name_server import NameServer
from discovery.registry.protocols import Watcher
from discovery.registry.snapshot import SnapshotWatcher, snapshot_directory
from discovery.registry.static import StaticWatcher
from discovery.registry.target import Target


def watcher_for(target: Target, *, clock: Clock, rng: random.Random) -> Watcher:
    """Build the watcher of a parsed target, with a snapshot where DISCOVERY_SNAPSHOT_DIR is set.

    Only Consul's lists are kept in snapshots. Nothing is opened before the first watch. Raises
    ValueError where the environment (CONSUL_...) can't be understood.
    """
    watcher = registry_of(target, clock=clock, rng=rng)
    directory = snapshot_directory()
    if target.scheme != "consul" or directory is None:
        return watcher
    parts = (target.authority, target.service, target.tag)
    name = "_".join(quote(part, safe="") for part in parts if part)
    return SnapshotWatcher(watcher, directory / f"{name}.json")


def registry_of(target: Target, *, clock: Clock, rng: random.Random) -> Watcher:
    """Build the watcher without a snapshot: it asks the registry itself. Raises ValueError."""
    match target.scheme:
        case "consul":
            return ConsulRegistry.from_environment(target.authority, clock=clock, rng=rng)
        case "memory":
            return memory_registry(target.authority)
        case "static" | "unix" | "unix-abstract":
            return StaticWatcher(target.addresses)
        case "dns":
            ask = NameServer(target.authority) if target.authority else system_addresses
            return DnsWatcher(target.addresses[0], clock=clock, rng=rng, ask=ask)
        case unknown:
            raise ValueError(f"no watcher for the scheme {unknown!r}")
