"""Writes Envoy's own replies in the protocol of the caller, each with its reason as ErrorInfo."""

import base64
from collections.abc import Iterator

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import base_pb2, substitution_format_string_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as manager_pb2,
)
from envoy.type.matcher.v3 import regex_pb2, string_pb2
from google.protobuf.wrappers_pb2 import UInt32Value

from services.edge.resources.own_errors import OWN_ERRORS, OwnError

_GRPC = "application/grpc(\\+.*)?"
_GRPC_WEB = "application/grpc-web"
_INFO_TYPE = "google.rpc.ErrorInfo"
_OK = 200
_ENVOYS_TEXT = ": %LOCAL_REPLY_BODY%"
# In the inner stage these come from the filters that translate: their caller doesn't use gRPC, even
# if the request looks so already.
_OF_TRANSLATION = frozenset({400, 404, 413, 415})


def local_replies(*, translating: bool) -> manager_pb2.LocalReplyConfig:
    """Return the mappers of all errors; of those that match a reply, the first one counts.

    `translating` is true for the inner stage.
    """
    return manager_pb2.LocalReplyConfig(
        mappers=[
            mapper
            for error in OWN_ERRORS
            for mapper in _mappers(
                error, grpc=not translating or error.http_status not in _OF_TRANSLATION
            )
        ]
    )


def _mappers(error: OwnError, *, grpc: bool) -> Iterator[manager_pb2.ResponseMapper]:
    if grpc:
        yield _mapper(error, _content_type(regex=_GRPC), headers=_grpc_headers(error), text=True)
    yield _mapper(
        error,
        _content_type(prefix=_GRPC_WEB),
        headers={"content-type": f"{_GRPC_WEB}+proto", **_grpc_headers(error, with_message=True)},
        status=_OK,
        text=True,
    )
    for connect in (_header("connect-protocol-version"), _path_contains("connect=v1")):
        yield _mapper(error, connect, body=_connect_body(error))
    yield _mapper(error, None, body=_rest_body(error))


def _mapper(
    error: OwnError,
    protocol: route_components_pb2.HeaderMatcher | None,
    *,
    headers: dict[str, str] | None = None,
    body: dict[str, object] | None = None,
    status: int | None = None,
    text: bool = False,
) -> manager_pb2.ResponseMapper:
    """One mapper; without `protocol` it is for every caller whom no earlier one matched."""
    mapper = manager_pb2.ResponseMapper(
        filter=_both(_status_is(error.http_status), protocol),
        headers_to_add=[_overwritten(name, value) for name, value in (headers or {}).items()],
    )
    if status is not None:
        mapper.status_code.CopyFrom(UInt32Value(value=status))
    if text:
        mapper.body.inline_string = error.message
    if body is not None:
        line = substitution_format_string_pb2.SubstitutionFormatString(
            content_type="application/json"
        )
        line.json_format.update(body)
        mapper.body_format_override.CopyFrom(line)
    return mapper


def _grpc_headers(error: OwnError, *, with_message: bool = False) -> dict[str, str]:
    """The status of a gRPC answer without messages; Envoy adds the text as `grpc-message`."""
    details = base64.b64encode(error.status().SerializeToString(deterministic=True)).decode()
    headers = {"grpc-status": str(error.code), "grpc-status-details-bin": details}
    if with_message:
        headers["grpc-message"] = error.message
    return headers


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


def _both(
    status: accesslog_pb2.AccessLogFilter, protocol: route_components_pb2.HeaderMatcher | None
) -> accesslog_pb2.AccessLogFilter:
    if protocol is None:
        return status
    header = accesslog_pb2.AccessLogFilter(
        header_filter=accesslog_pb2.HeaderFilter(header=protocol)
    )
    return accesslog_pb2.AccessLogFilter(
        and_filter=accesslog_pb2.AndFilter(filters=[status, header])
    )


def _status_is(http_status: int) -> accesslog_pb2.AccessLogFilter:
    comparison = accesslog_pb2.ComparisonFilter(
        op=accesslog_pb2.ComparisonFilter.EQ,
        value=base_pb2.RuntimeUInt32(default_value=http_status, runtime_key="edge.status"),
    )
    return accesslog_pb2.AccessLogFilter(
        status_code_filter=accesslog_pb2.StatusCodeFilter(comparison=comparison)
    )


def _content_type(*, regex: str = "", prefix: str = "") -> route_components_pb2.HeaderMatcher:
    matcher = (
        string_pb2.StringMatcher(safe_regex=regex_pb2.RegexMatcher(regex=regex))
        if regex
        else string_pb2.StringMatcher(prefix=prefix)
    )
    return route_components_pb2.HeaderMatcher(name="content-type", string_match=matcher)


def _header(name: str) -> route_components_pb2.HeaderMatcher:
    return route_components_pb2.HeaderMatcher(name=name, present_match=True)


def _path_contains(text: str) -> route_components_pb2.HeaderMatcher:
    return route_components_pb2.HeaderMatcher(
        name=":path", string_match=string_pb2.StringMatcher(contains=text)
    )


def _overwritten(name: str, value: str) -> base_pb2.HeaderValueOption:
    return base_pb2.HeaderValueOption(
        header=base_pb2.HeaderValue(key=name, value=value),
        append_action=base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
