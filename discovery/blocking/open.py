"""Opens a channel: the function that synchronous applications call."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc

from discovery.balancing.policy import Policy
from discovery.blocking.channel import BlockingChannel
from discovery.blocking.native import Dialer
from discovery.blocking.process_state import ProcessState
from discovery.clock import Clock, SystemClock
from discovery.config.channel_options import authority_of, service_config_of
from discovery.config.mutual_tls import mutual_tls
from discovery.config.service_config import ServiceConfig, parse_service_config
from discovery.errors import InvalidTargetError
from discovery.fork import random_numbers
from discovery.registry.protocols import Watcher
from discovery.registry.schemes import watcher_for
from discovery.registry.target import Target, parse_target
from discovery.telemetry.activation import recorder_for
from discovery.tls.certificates import CertificateSource

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider


def open_channel(
    target: str,
    *,
    credentials: grpc.ChannelCredentials | None = None,
    certificates: CertificateSource | None = None,
    authority: str | None = None,
    compression: grpc.Compression | None = None,
    service_config: str | Mapping[str, Any] | None = None,
    options: Sequence[tuple[str, Any]] = (),
    watcher: Watcher | None = None,
    policy: Policy | None = None,
    tracer_provider: "TracerProvider | None" = None,
    meter_provider: "MeterProvider | None" = None,
    clock: Clock | None = None,
    rng: random.Random | None = None,
) -> BlockingChannel:
    """Return a grpc.Channel to all instances of the target.

    The arguments are those of `discovery.open_channel`. Interceptors are added with
    `grpc.intercept_channel`; each sees a call once, however often it is tried. `watcher` runs in an
    event loop of its own thread, so `memory:///`, which belongs to one event loop, can't be a
    target.

    Raises InvalidTargetError, InvalidServiceConfigError and InvalidCertificatesError.
    """
    parsed = parse_target(target, any_scheme=watcher is not None)
    clock = SystemClock() if clock is None else clock
    rng = random_numbers() if rng is None else rng
    connect = partial(
        ProcessState,
        parsed,
        config=_config_of(service_config, options, policy),
        dial=Dialer(
            credentials,
            authority_of(parsed.service, authority, options),
            options,
            compression,
            tls=mutual_tls(
                parsed, certificates, credentials=credentials, authority=authority, options=options
            ),
        ),
        # Each process has its own: a parent's connections and what it has seen aren't the child's.
        make_watcher=_watchers_of(target, parsed, watcher, clock, rng),
        clock=clock,
        rng=rng,
        recorder=recorder_for(
            target,
            tracer_provider=tracer_provider,
            meter_provider=meter_provider,
            monotonic=clock.monotonic,
        ),
    )
    return BlockingChannel(parsed.service, connect)


def _config_of(
    given: str | Mapping[str, Any] | None, options: Sequence[tuple[str, Any]], policy: Policy | None
) -> ServiceConfig:
    config = parse_service_config(service_config_of(given, options))
    return config if policy is None else replace(config, policy=policy)


def _watchers_of(
    target: str, parsed: Target, watcher: Watcher | None, clock: Clock, rng: random.Random
) -> Callable[[], Watcher]:
    """Return what makes the watcher of a process; the given one, if there is one.

    Raises here what it would raise at the first call.
    """
    if watcher is not None:
        return lambda: watcher
    if parsed.scheme == "memory":
        raise InvalidTargetError(target, 0, "a registry in memory belongs to one event loop")
    make = partial(watcher_for, parsed, clock=clock, rng=rng)
    make()
    return make
