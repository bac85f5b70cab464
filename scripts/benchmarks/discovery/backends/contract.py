"""The contract of the backends: the methods, and which of them may be repeated.

`Get` may be repeated, `Post` may not; both return their request. A request begins with the name of
the stack that sends it, so that a server can count attempts by stack. `Behave` and `Count` control
the benchmark, on connections of their own.
"""

import grpc
from google.protobuf import descriptor_pool, wrappers_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodOptions
from google.protobuf.wrappers_pb2 import StringValue

PACKAGE = "tradepost.bench.v1"
SERVICE = f"{PACKAGE}.Bench"

_METHODS: dict[str, "MethodOptions.IdempotencyLevel.ValueType"] = {
    "Get": MethodOptions.NO_SIDE_EFFECTS,
    "Post": MethodOptions.IDEMPOTENCY_UNKNOWN,
    "Behave": MethodOptions.IDEMPOTENT,
    "Count": MethodOptions.NO_SIDE_EFFECTS,
}
# An ordinary request: a name and some ids.
_REQUEST_CHARACTERS = 100

Multicallable = grpc.aio.UnaryUnaryMultiCallable[StringValue, StringValue]


def path(method: str) -> str:
    """The path of a method."""
    return f"/{SERVICE}/{method}"


def describe() -> None:
    """Add the service to the default pool, as importing generated code does."""
    pool = descriptor_pool.Default()
    try:
        pool.FindServiceByName(SERVICE)
    except KeyError:
        message = wrappers_pb2.StringValue.DESCRIPTOR
        file = FileDescriptorProto(
            name="tradepost/bench/v1/bench.proto",
            package=PACKAGE,
            syntax="proto3",
            dependency=[message.file.name],
        )
        service = file.service.add(name="Bench")
        for name, level in _METHODS.items():
            service.method.add(
                name=name,
                input_type=f".{message.full_name}",
                output_type=f".{message.full_name}",
                options=MethodOptions(idempotency_level=level),
            )
        pool.AddSerializedFile(file.SerializeToString())


def stub(channel: grpc.aio.Channel, method: str = "Get") -> Multicallable:
    """A method on a channel, made as generated stubs make it."""
    make = channel.unary_unary
    return make(
        path(method),
        request_serializer=StringValue.SerializeToString,
        response_deserializer=StringValue.FromString,
        _registered_method=True,  # type: ignore[call-arg]  # generated stubs pass it
    )


def request_of(stack: str, characters: int = _REQUEST_CHARACTERS) -> StringValue:
    """The request of a stack."""
    return StringValue(value=f"{stack} ".ljust(characters, "."))


def sender_of(request: StringValue) -> str:
    """The stack that sent a request."""
    return request.value.partition(" ")[0]
