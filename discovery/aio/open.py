"""Opens a channel: the function that asyncio applications call."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc

from discovery.aio.channel import Channel
from discovery.aio.native import Dialer
from discovery.balancing.policy import Policy
from discovery.clock import Clock, SystemClock
from discovery.config.channel_options import authority_of, service_config_of
from discovery.config.mutual_tls import mutual_tls
from discovery.config.service_config import parse_service_config
from discovery.fork import random_numbers
from discovery.registry.protocols import Watcher
from discovery.registry.schemes import watcher_for
from discovery.registry.target import parse_target
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
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
    options: Sequence[tuple[str, Any]] = (),
    watcher: Watcher | None = None,
    policy: Policy | None = None,
    tracer_provider: "TracerProvider | None" = None,
    meter_provider: "MeterProvider | None" = None,
    clock: Clock | None = None,
    rng: random.Random | None = None,
) -> Channel:
    """Return a grpc.aio.Channel to all instances of the target.

    - `target`: one of the forms of `discovery.registry.target`.
    - `watcher`: a registry of the application's own; the scheme of the target may then be any.
    - `policy`: a balancing policy of the application's own, instead of the service config's.
    - `certificates`: where this process's certificates come from; connections are then mutual TLS,
      and each server must prove that it is of the service that the target or `authority` names.
    - `authority`: the name that calls carry and TLS checks; by default the service's name.
    - `compression`: of the requests of each call that names none, as in grpc.aio.
    - `service_config`: a gRPC service config (`discovery.config.service_config`), JSON or mapping.
    - `interceptors`: grpc.aio's own, of any kind; each sees a call once, however often it is tried.
    - `options`: channel arguments of each connection; a `grpc.service_config` among them is read as
      `service_config`.
    - `tracer_provider`, `meter_provider`: OpenTelemetry's; by default the global ones at the time
      of this call (`discovery.telemetry.activation`).
    - `clock`, `rng`: for tests and simulations.

    No connection is opened before the first call or `get_state(try_to_connect=True)`. Raises
    InvalidTargetError, InvalidServiceConfigError, InvalidCertificatesError, and ValueError for an
    interceptor that implements no interface.
    """
    parsed = parse_target(target, any_scheme=watcher is not None)
    clock = SystemClock() if clock is None else clock
    rng = random_numbers() if rng is None else rng
    config = parse_service_config(service_config_of(service_config, options))
    return Channel(
        parsed,
        watcher=watcher_for(parsed, clock=clock, rng=rng) if watcher is None else watcher,
        dial=Dialer(
            credentials,
            authority_of(parsed.service, authority, options),
            options,
            compression,
            tls=mutual_tls(
                parsed, certificates, credentials=credentials, authority=authority, options=options
            ),
        ),
        config=config if policy is None else replace(config, policy=policy),
        interceptors=interceptors,
        clock=clock,
        rng=rng,
        recorder=recorder_for(
            target,
            tracer_provider=tracer_provider,
            meter_provider=meter_provider,
            monotonic=clock.monotonic,
        ),
    )
