"""Reads the google.rpc.ErrorInfo in the trailers of an error: who refused a call and why (AIP-193).

    except grpc.RpcError as error:
        info = discovery.error_info(error)
        if info is not None and info.reason == "ORDER_NOT_CANCELLABLE":
            ...

The three messages (google/rpc/status.proto, google/protobuf/any.proto, google/rpc/
error_details.proto) are read field by field, so an application needs no generated code for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

DETAILS_KEY = "grpc-status-details-bin"

_ERROR_INFO_TYPE = "/google.rpc.ErrorInfo"
_LENGTH_DELIMITED = 2

# Field numbers.
_STATUS_DETAILS = 3
_ANY_TYPE_URL, _ANY_VALUE = 1, 2
_INFO_REASON, _INFO_DOMAIN, _INFO_METADATA = 1, 2, 3
_ENTRY_KEY, _ENTRY_VALUE = 1, 2


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """`reason` is a constant of `domain`; `metadata` holds the facts by name."""

    reason: str
    domain: str
    metadata: Mapping[str, str]


def error_info(error: grpc.RpcError) -> ErrorInfo | None:
    """The ErrorInfo of a failed call, async or blocking; None where the answer carries none.

    Only a server's own refusals carry one. Errors that gRPC itself produces (an unknown method, a
    lost connection, a deadline) do not.
    """
    for key, value in _trailers(error):
        if key == DETAILS_KEY and isinstance(value, bytes):
            return _read(value)
    return None


def _trailers(error: Any) -> Any:
    trailing_metadata = getattr(error, "trailing_metadata", None)
    return () if trailing_metadata is None else trailing_metadata() or ()


def _read(status: bytes) -> ErrorInfo | None:
    try:
        for detail in _fields(status, _STATUS_DETAILS):
            if _text(detail, _ANY_TYPE_URL).endswith(_ERROR_INFO_TYPE):
                return _error_info(_last(detail, _ANY_VALUE))
    except (DecodeError, UnicodeDecodeError):
        return None
    return None


def _error_info(info: bytes) -> ErrorInfo:
    entries = _fields(info, _INFO_METADATA)
    return ErrorInfo(
        reason=_text(info, _INFO_REASON),
        domain=_text(info, _INFO_DOMAIN),
        metadata={_text(entry, _ENTRY_KEY): _text(entry, _ENTRY_VALUE) for entry in entries},
    )


def _fields(message: bytes, number: int) -> list[bytes]:
    """The values of a field of texts, bytes or messages. Raises DecodeError."""
    # A message without fields of its own keeps all of them as unknown ones.
    fields: Any = UnknownFieldSet(Empty.FromString(message))
    return [
        field.data
        for field in fields
        if field.field_number == number and field.wire_type == _LENGTH_DELIMITED
    ]


def _last(message: bytes, number: int) -> bytes:
    """The value of a singular field: the last one on the wire counts, none means empty."""
    return [b"", *_fields(message, number)][-1]


def _text(message: bytes, number: int) -> str:
    return _last(message, number).decode()
