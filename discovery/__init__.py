"""A gRPC client that resolves, balances and safely retries: the public names of this package.

    async with discovery.open_channel("consul:///order") as channel:
        order = await OrderServiceStub(channel).GetOrder(GetOrderRequest(order_id=...))

`discovery.blocking` has the same channel for programs without asyncio. The names in `__all__` here
and in `discovery.blocking` are public; every other module is private and may change in any release.

- An application: `open_channel`, the errors, `error_info`, `Channel.explain` and its values.
- Any other grpc.aio channel: `DeadlineInterceptor`, `RetryInterceptor`.
- A server: `Registration` with a registry; the `inherit_...` and `bind_...` functions, which let
  the calls of a handler keep the deadline and the attempt number of the call it answers.
- The author of a registry: `Registrar`, `Watcher`, `Instance`, `RegistryError`, `parse_target`.
- The author of a balancing policy: `Policy`, `Picker`, `Candidate`, `Load`.
- Mutual TLS, for clients and servers: `FileCertificates`, `ConsulCertificates`, and the Protocol
  `CertificateSource` of `Certificates`.
- A test: `MemoryRegistry`, `memory_registry`, `Clock`.

A program written against `grpc.aio.insecure_channel` behaves the same with this channel, except:

- A unary call without a timeout has one of 10 s, and no call outlives the deadline of the handler
  that makes it (`discovery.rules.deadline`).
- A call of a method whose contract says that it is safe (`idempotency_level`) is retried when an
  instance fails (`discovery.rules.retry_decision`), unless nothing awaits the call or asks for its
  status; so is one of which the service config says `idempotent`. A call that found no instance,
  or whose connection was lost before it was sent (`discovery.balancing.unconnected`), is retried
  for every method; so is one to an instance that doesn't know the method, while another may
  (`discovery.balancing.unserved`).
- The health of each instance is watched (grpc.health.v1), and one that says NOT_SERVING gets no
  calls, unless `healthCheckConfig` is false in the service config (`discovery.balancing.health`).
- A method that fails on every instance because of overload or absence is asked less: some of its
  calls are refused here, unless `breaker` is false (`discovery.rules.breaker`). Of several
  instances, one that keeps failing gets no calls for a while, unless `ejection` is false.
- Instances are connected to again at once after a connection ended, so a channel isn't IDLE again
  after its first call.
- A channel belongs to the event loop of its first call, not to that in which it was opened.
- Instances are dialled directly, whatever `http_proxy` says, unless `options` ask for a proxy
  (`discovery.config.channel_options`).
- A request that can't be serialized and metadata that can't be sent raise where the call is made;
  a response that can't be deserialized ends the call with INTERNAL.
- A call that is refused before it is sent (no instance, no time left, overload) has grpc.aio's
  status code, with details in this package's words.
- A done callback that raises affects neither its call nor the other callbacks.
- The text of a call that has ended names its code and its details separately.
- An interceptor intercepts every kind of call for which it has a method, not only the first kind.
- A plain response or iterator that an interceptor returns comes with a complete status.
- An intercepted call that is cancelled before it was sent has empty metadata instead of None, and
  every intercepted call knows its time remaining.
"""

from discovery.aio.channel import Channel
from discovery.aio.interceptors.retry_and_deadline import DeadlineInterceptor, RetryInterceptor
from discovery.aio.open import open_channel
from discovery.balancing.explanation import (
    BreakerView,
    Explanation,
    InstanceView,
    PickView,
    TriedView,
)
from discovery.balancing.load import Load
from discovery.balancing.policy import Candidate, Picker, Policy
from discovery.clock import Clock, SystemClock
from discovery.error_info import ErrorInfo, error_info
from discovery.errors import (
    InvalidCertificatesError,
    InvalidMetadataError,
    InvalidServiceConfigError,
    InvalidTargetError,
    LocalRefusalError,
    NoInstanceError,
    RefusalReason,
)
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.consul_certificates import ConsulCertificates
from discovery.registry.consul.health_endpoint import Freshness
from discovery.registry.consul.registry import CheckSettings, ConsulRegistry
from discovery.registry.instance import Instance
from discovery.registry.memory import MemoryRegistry, memory_registry
from discovery.registry.protocols import Registrar, RegistryError, Watcher
from discovery.registry.registration import Registration
from discovery.registry.target import Target, parse_target
from discovery.rules.attempt_number import bind as bind_attempt_number
from discovery.rules.attempt_number import inherit as inherit_attempt_number
from discovery.rules.attempt_number import of_metadata as attempt_number_of_metadata
from discovery.rules.deadline import bind as bind_deadline
from discovery.rules.deadline import inherit as inherit_deadline
from discovery.rules.deadline import of_time_remaining as deadline_of_time_remaining
from discovery.rules.retry_budget import RetryBudget
from discovery.rules.retry_policy import RetryPolicy
from discovery.tls.certificates import Certificates, CertificateSource
from discovery.tls.files import FileCertificates

__all__ = [
    "AgentAddress",
    "BreakerView",
    "Candidate",
    "CertificateSource",
    "Certificates",
    "Channel",
    "CheckSettings",
    "Clock",
    "ConsulCertificates",
    "ConsulRegistry",
    "DeadlineInterceptor",
    "ErrorInfo",
    "Explanation",
    "FileCertificates",
    "Freshness",
    "Instance",
    "InstanceView",
    "InvalidCertificatesError",
    "InvalidMetadataError",
    "InvalidServiceConfigError",
    "InvalidTargetError",
    "Load",
    "LocalRefusalError",
    "MemoryRegistry",
    "NoInstanceError",
    "PickView",
    "Picker",
    "Policy",
    "RefusalReason",
    "Registrar",
    "Registration",
    "RegistryError",
    "RetryBudget",
    "RetryInterceptor",
    "RetryPolicy",
    "SystemClock",
    "Target",
    "TriedView",
    "Watcher",
    "attempt_number_of_metadata",
    "bind_attempt_number",
    "bind_deadline",
    "deadline_of_time_remaining",
    "error_info",
    "inherit_attempt_number",
    "inherit_deadline",
    "memory_registry",
    "open_channel",
    "parse_target",
]
