"""Writes Envoy's own replies in the protocol of the caller, each with its reason as ErrorInfo.

A person in a browser, at a path of a web application, gets a page.
"""

import base64
import re
import struct
from collections.abc import Iterator, Sequence

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import base_pb2, substitution_format_string_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.access_loggers.filters.cel.v3 import cel_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as manager_pb2,
)
from google.protobuf.wrappers_pb2 import UInt32Value

from services.edge.resources.error_page import HEADERS, error_page
from services.edge.resources.headers import (
    GRPC_WEB_TYPE,
    absent,
    containing,
    content_type,
    exactly,
    grpc_content_type,
    matching,
    overwritten,
    present,
)
from services.edge.resources.names import CONNECT, GRPC_WEB, PROTOCOL_HEADER
from services.edge.resources.own_errors import OWN_ERRORS, OwnError
from services.edge.resources.packing import packed
from services.edge.settings import EdgeSettings

_INFO_TYPE = "google.rpc.ErrorInfo"
_HTML = "text/html"
_OK = 200
# The flag of the frame in which gRPC-Web sends trailers.
_TRAILERS = 0x80
_ENVOYS_TEXT = ": %LOCAL_REPLY_BODY%"


def local_replies(settings: EdgeSettings) -> manager_pb2.LocalReplyConfig:
    """Return the mappers of both stages. Of those that match a reply, the first one counts.

    A request that has a route tells its protocol in a header; any other is still as it was sent.
    """
    return manager_pb2.LocalReplyConfig(
        mappers=[
            mapper
            for error in OWN_ERRORS
            for mapper in _mappers(error, tuple(settings.applications))
        ]
    )


def _mappers(error: OwnError, page_prefixes: Sequence[str]) -> Iterator[manager_pb2.ResponseMapper]:
    """One for each protocol; that of REST is also for everybody whose protocol isn't known."""
    if page_prefixes:
        yield _page(error, page_prefixes)
    yield _mapper(error, _by_grpc(), headers=_grpc_headers(error), text=True)
    yield _grpc_web(error)
    yield _mapper(error, _by_connect(), body=_connect_body(error))
    yield _mapper(error, None, body=_rest_body(error))


def _page(error: OwnError, prefixes: Sequence[str]) -> manager_pb2.ResponseMapper:
    """A page for a browser that wants one."""
    paths = f"(?:{'|'.join(map(re.escape, prefixes))})(?:[/?].*)?"
    callers = _all_of(_with(matching(":path", regex=paths)), _with(containing("accept", _HTML)))
    mapper = _mapper(error, callers, headers=HEADERS)
    mapper.body_format_override.CopyFrom(
        substitution_format_string_pb2.SubstitutionFormatString(
            content_type=f"{_HTML}; charset=utf-8",
            text_format_source=base_pb2.DataSource(inline_string=error_page(error)),
        )
    )
    return mapper


def _by_grpc() -> accesslog_pb2.AccessLogFilter:
    return _all_of(_with(grpc_content_type()), _with(absent(PROTOCOL_HEADER)))


def _by_grpc_web() -> accesslog_pb2.AccessLogFilter:
    return _any_of(exactly(PROTOCOL_HEADER, GRPC_WEB), content_type(prefix=GRPC_WEB_TYPE))


def _by_connect() -> accesslog_pb2.AccessLogFilter:
    return _any_of(
        exactly(PROTOCOL_HEADER, CONNECT),
        present("connect-protocol-version"),
        containing(":path", "connect=v1"),
    )


def _grpc_web(error: OwnError) -> manager_pb2.ResponseMapper:
    """An answer without messages: its only frame holds the trailers."""
    trailers = {**_grpc_headers(error), "grpc-message": error.message}
    block = "".join(f"{name}: {value}\r\n" for name, value in trailers.items()).encode()
    headers = {"content-type": f"{GRPC_WEB_TYPE}+proto"}
    mapper = _mapper(error, _by_grpc_web(), headers=headers, status=_OK)
    mapper.body.inline_bytes = struct.pack(">BI", _TRAILERS, len(block)) + block
    return mapper


def _mapper(
    error: OwnError,
    callers: accesslog_pb2.AccessLogFilter | None,
    *,
    headers: dict[str, str] | None = None,
    body: dict[str, object] | None = None,
    status: int | None = None,
    text: bool = False,
) -> manager_pb2.ResponseMapper:
    """One mapper; without `callers` it is for everybody whom no earlier one matched."""
    mapper = manager_pb2.ResponseMapper(
        filter=_matching(error, callers),
        headers_to_add=[overwritten(name, value) for name, value in (headers or {}).items()],
    )
    if sent := status or error.sent_status:
        mapper.status_code.CopyFrom(UInt32Value(value=sent))
    if text:
        mapper.body.inline_string = error.message
    if body is not None:
        line = substitution_format_string_pb2.SubstitutionFormatString(
            content_type="application/json"
        )
        line.json_format.update(body)
        mapper.body_format_override.CopyFrom(line)
    return mapper


def _grpc_headers(error: OwnError) -> dict[str, str]:
    """The status of a gRPC answer without messages; Envoy adds the text as `grpc-message`."""
    details = base64.b64encode(error.status().SerializeToString(deterministic=True)).decode()
    return {"grpc-status": str(error.code), "grpc-status-details-bin": details}


def _connect_body(error: OwnError) -> dict[str, object]:
    """An error as Connect writes it; its base64 has no padding."""
    value = base64.b64encode(error.info().SerializeToString(deterministic=True)).decode()
    return {
        "code": error.code_name,
        "message": _message(error),
        "details": [{"type": _INFO_TYPE, "value": value.rstrip("=")}],
    }


def _rest_body(error: OwnError) -> dict[str, object]:
    """A google.rpc.Status in JSON, as the transcoder writes the errors of services."""
    info = error.info()
    detail = {
        "@type": f"type.googleapis.com/{_INFO_TYPE}",
        "reason": info.reason,
        "domain": info.domain,
    }
    code = error.code if error.rest_code is None else error.rest_code
    return {"code": code, "message": _message(error), "details": [detail]}


def _message(error: OwnError) -> str:
    return error.message + (_ENVOYS_TEXT if error.adds_text else "")


def _matching(
    error: OwnError, callers: accesslog_pb2.AccessLogFilter | None
) -> accesslog_pb2.AccessLogFilter:
    filters = [_status_is(error.http_status)]
    if error.cause:
        filters.append(_cause_has(error.cause))
    if callers is not None:
        filters.append(callers)
    return _all_of(*filters) if len(filters) > 1 else filters[0]


def _all_of(*filters: accesslog_pb2.AccessLogFilter) -> accesslog_pb2.AccessLogFilter:
    return accesslog_pb2.AccessLogFilter(and_filter=accesslog_pb2.AndFilter(filters=filters))


def _any_of(*headers: route_components_pb2.HeaderMatcher) -> accesslog_pb2.AccessLogFilter:
    filters = map(_with, headers)
    return accesslog_pb2.AccessLogFilter(or_filter=accesslog_pb2.OrFilter(filters=filters))


def _with(header: route_components_pb2.HeaderMatcher) -> accesslog_pb2.AccessLogFilter:
    return accesslog_pb2.AccessLogFilter(header_filter=accesslog_pb2.HeaderFilter(header=header))


def _cause_has(text: str) -> accesslog_pb2.AccessLogFilter:
    expression = cel_pb2.ExpressionFilter(expression=f"response.code_details.contains('{text}')")
    return accesslog_pb2.AccessLogFilter(
        extension_filter=accesslog_pb2.ExtensionFilter(
            name="envoy.access_loggers.extension_filters.cel", typed_config=packed(expression)
        )
    )


def _status_is(http_status: int) -> accesslog_pb2.AccessLogFilter:
    comparison = accesslog_pb2.ComparisonFilter(
        op=accesslog_pb2.ComparisonFilter.EQ,
        value=base_pb2.RuntimeUInt32(default_value=http_status, runtime_key="edge.status"),
    )
    return accesslog_pb2.AccessLogFilter(
        status_code_filter=accesslog_pb2.StatusCodeFilter(comparison=comparison)
    )
