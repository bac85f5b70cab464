"""The public methods: those whose policy has an HTTP path."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import (
    FileDescriptorSet,
    MethodDescriptorProto,
    MethodOptions,
    ServiceDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from tradepost.policy.v1 import policy_pb2
from tradepost.policy.v1.policy_pb2 import MethodPolicy, RateClass, Role

_SAFE = frozenset({MethodOptions.NO_SIDE_EFFECTS, MethodOptions.IDEMPOTENT})
_VARIABLE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class PublicMethod:
    """One method that the edge serves.

    `path` is that of gRPC ("/tradepost.order.v1.OrderService/GetOrder"); `service` is the name
    under which the service that serves it is registered ("order").

    `verb` is GET or POST and `http_path` a path with the request's fields in braces
    ("/v1/orders/{order_id}:cancel"); `variables` are these fields.

    A `read` has no side effects; a `safe` method may be repeated. The answer of one that `waits`
    may take as long as the caller's deadline. `roles` ("CUSTOMER") and `peers` ("order") may call
    it. `rate_class` is "READ", "LIST", "WRITE" or "WATCH". For `max_age_s` seconds an answer may
    be reused, if that is not 0.
    """

    path: str
    service: str
    verb: str
    http_path: str
    variables: tuple[str, ...]
    request: Descriptor = field(compare=False)
    response: Descriptor = field(compare=False)
    server_streaming: bool
    read: bool
    safe: bool
    waits: bool
    roles: tuple[str, ...]
    peers: tuple[str, ...]
    owner: str
    rate_class: str
    max_age_s: float

    @property
    def full_name(self) -> str:
        """The full name of the method: "tradepost.order.v1.OrderService.GetOrder"."""
        return self.path[1:].replace("/", ".")

    @property
    def service_name(self) -> str:
        """The full name of the gRPC service: "tradepost.order.v1.OrderService"."""
        return self.path[1:].partition("/")[0]

    @property
    def name(self) -> str:
        """The name within the gRPC service: "GetOrder"."""
        return self.path.rpartition("/")[2]


def policy_of(method: MethodDescriptorProto) -> MethodPolicy:
    """Return the policy that the method's contract states; an empty one if it states none."""
    return method.options.Extensions[policy_pb2.policy]


def public_methods(files: FileDescriptorSet) -> tuple[PublicMethod, ...]:
    """Return the public methods in the order of their paths.

    `files` must have been parsed after the policy contract was imported, which this module does.
    """
    pool = DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return tuple(sorted(_public_methods(files, pool), key=lambda method: method.path))


def _public_methods(files: FileDescriptorSet, pool: DescriptorPool) -> Iterator[PublicMethod]:
    for file in files.file:
        for service in file.service:
            for method in service.method:
                if policy_of(method).http:
                    yield _public_method(file.package, service, method, pool)


def _public_method(
    package: str,
    service: ServiceDescriptorProto,
    method: MethodDescriptorProto,
    pool: DescriptorPool,
) -> PublicMethod:
    policy = policy_of(method)
    verb, _, http_path = policy.http.partition(" ")
    level = method.options.idempotency_level
    return PublicMethod(
        path=f"/{package}.{service.name}/{method.name}",
        # A contract's package is "tradepost.<service>.v1" or "tradepost.<service>.admin.v1".
        service=package.split(".")[1],
        verb=verb,
        http_path=http_path,
        variables=tuple(_VARIABLE.findall(http_path)),
        request=pool.FindMessageTypeByName(method.input_type.removeprefix(".")),
        response=pool.FindMessageTypeByName(method.output_type.removeprefix(".")),
        server_streaming=method.server_streaming,
        read=level == MethodOptions.NO_SIDE_EFFECTS,
        safe=level in _SAFE,
        waits=policy.waits,
        roles=tuple(Role.Name(role).removeprefix("ROLE_") for role in policy.access.roles),
        peers=tuple(policy.access.peers),
        owner=policy.access.owner,
        rate_class=RateClass.Name(policy.rate).removeprefix("RATE_CLASS_"),
        max_age_s=policy.max_age.ToNanoseconds() / 1e9,
    )
