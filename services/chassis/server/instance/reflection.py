"""Server reflection, as grpc.reflection.v1 and v1alpha, for all symbols of the contracts.

grpcio-reflection serves v1alpha only, and its pool does not find the file of a method, a field or
an enum's value (grpc/grpc#34743): the file of what contains it is the answer.
"""

from collections.abc import AsyncIterator, Sequence
from typing import cast

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, text_format
from grpc_reflection.v1alpha import reflection, reflection_pb2

V1ALPHA = reflection.SERVICE_NAME
V1 = V1ALPHA.replace("v1alpha", "v1")
SERVICE_NAMES = (V1, V1ALPHA)
_POOL = descriptor_pool.Default()
_METHOD = "ServerReflectionInfo"


class ReflectionServicer(reflection.aio.ReflectionServicer):
    """Answers for messages, enums, services, and for what they contain."""

    def _file_containing_symbol(
        self, request: reflection_pb2.ServerReflectionRequest, fully_qualified_name: str
    ) -> reflection_pb2.ServerReflectionResponse:
        name = fully_qualified_name
        while True:
            answer: reflection_pb2.ServerReflectionResponse = super()._file_containing_symbol(  # type: ignore[misc]
                request, name
            )
            if not answer.HasField("error_response") or "." not in name:
                return answer
            name = self._container_of(name)

    def _container_of(self, name: str) -> str:
        """The service or message that contains the symbol; empty if none does."""
        parent, _, last = name.rpartition(".")
        for find, members in (
            (_POOL.FindServiceByName, "methods_by_name"),
            (_POOL.FindMessageTypeByName, "fields_by_name"),
            (_POOL.FindMessageTypeByName, "oneofs_by_name"),
        ):
            try:
                if last in getattr(find(parent), members):
                    return parent
            except KeyError:
                continue
        return ""


def add_to_server(server: grpc.aio.Server, service_names: Sequence[str]) -> None:
    """Serve reflection for these services; the two versions have the same messages."""
    _describe_v1()
    servicer = ReflectionServicer(service_names)

    async def answer(
        requests: AsyncIterator[reflection_pb2.ServerReflectionRequest], context: object
    ) -> AsyncIterator[reflection_pb2.ServerReflectionResponse]:
        responses = cast(
            AsyncIterator[reflection_pb2.ServerReflectionResponse],
            servicer.ServerReflectionInfo(requests, context),
        )
        async for response in responses:
            yield response

    handler = grpc.stream_stream_rpc_method_handler(
        answer,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(n, {_METHOD: handler}) for n in SERVICE_NAMES)
    )


def _describe_v1() -> None:
    """Add the contract of v1 to the pool: that of v1alpha under its own name."""
    file = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    text = text_format.MessageToString(file)
    for separator in ("/", "."):
        text = text.replace(f"reflection{separator}v1alpha", f"reflection{separator}v1")
    renamed = text_format.Parse(text, descriptor_pb2.FileDescriptorProto())
    try:
        _POOL.FindFileByName(renamed.name)
    except KeyError:
        _POOL.AddSerializedFile(renamed.SerializeToString())
