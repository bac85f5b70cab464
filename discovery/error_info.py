"""Who refused a call and why: the google.rpc.ErrorInfo in the trailers of an error (AIP-193).

    except grpc.RpcError as error:
        info = discovery.error_info(error)
        if info is not None and info.reason == "ORDER_NOT_CANCELLABLE":
            ...

The messages are described here as far as they are read, in a pool of their own: an application
needs no further package for them, and one that has googleapis-common-protos gets no conflict.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.message import DecodeError

DETAILS_KEY = "grpc-status-details-bin"

_PACKAGE = "google.rpc"
_ERROR_INFO_TYPE = "/google.rpc.ErrorInfo"
# Message -> field -> its number and, where it isn't a text, what it is (google/rpc/*.proto). A map
# is a list of entries on the wire, and Any a message like any other.
_MESSAGES: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "Status": {"details": (3, "Detail")},
    "Detail": {"type_url": (1, ""), "value": (2, "bytes")},
    "ErrorInfo": {"reason": (1, ""), "domain": (2, ""), "metadata": (3, "Entry")},
    "Entry": {"key": (1, ""), "value": (2, "")},
}


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """`reason` is a constant of `domain`; `metadata` are the facts, by name."""

    reason: str
    domain: str
    metadata: Mapping[str, str]


def error_info(error: grpc.RpcError) -> ErrorInfo | None:
    """The ErrorInfo of a failed call, async or blocking; None where the answer carries none.

    Only what a server says of itself has one: what gRPC answers (an unknown method, a lost
    connection, a deadline) does not.
    """
    for key, value in _trailers(error):
        if key == DETAILS_KEY and isinstance(value, bytes):
            return _read(value)
    return None


def _trailers(error: Any) -> Any:
    trailing_metadata = getattr(error, "trailing_metadata", None)
    return () if trailing_metadata is None else trailing_metadata() or ()


def _read(details: bytes) -> ErrorInfo | None:
    try:
        for detail in _STATUS.FromString(details).details:
            if detail.type_url.endswith(_ERROR_INFO_TYPE):
                info = _ERROR_INFO.FromString(detail.value)
                metadata = {entry.key: entry.value for entry in info.metadata}
                return ErrorInfo(info.reason, info.domain, metadata)
    except DecodeError:
        return None
    return None


def _described() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(
        name="discovery/error_info.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind) in fields.items():
            field = message.field.add(name=field_name, number=number)
            field.label = FieldDescriptorProto.LABEL_OPTIONAL
            field.type = FieldDescriptorProto.TYPE_STRING
            if kind == "bytes":
                field.type = FieldDescriptorProto.TYPE_BYTES
            elif kind:
                field.label = FieldDescriptorProto.LABEL_REPEATED
                field.type = FieldDescriptorProto.TYPE_MESSAGE
                field.type_name = f".{_PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


_POOL = _described()
_STATUS, _ERROR_INFO = _message("Status"), _message("ErrorInfo")
