"""The access log: one line of JSON for each request, on standard output."""

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import substitution_format_string_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.access_loggers.stream.v3 import stream_pb2

from services.edge.resources.headers import CORRELATION_ID, absent, present
from services.edge.resources.names import PROTOCOL_HEADER, VERB_HEADER
from services.edge.resources.packing import packed

# The path is logged without its query, which can hold what a caller wouldn't want in a log, and no
# header that could hold a token. What a caller chooses is cut to a length, and Envoy escapes it as
# JSON, so that nobody writes lines of their own or fills the log.
_FIELDS = {
    "event": "request",
    "level": "info",
    "service": "edge",
    "timestamp": "%START_TIME%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "cause": "%RESPONSE_CODE_DETAILS%",
    "duration_ms": "%DURATION%",
    "request_bytes": "%BYTES_RECEIVED%",
    "response_bytes": "%BYTES_SENT%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "target": "%UPSTREAM_CLUSTER%",
    "endpoint": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "correlation_id": CORRELATION_ID,
    "traceparent": "%REQ(TRACEPARENT):55%",
}
_AS_SENT = {
    "method": "%REQ(:METHOD):16%",
    "path": "%PATH(NQ:PATH):1024%",
    "content_type": "%REQ(CONTENT-TYPE):64%",
    "grpc_status": "%GRPC_STATUS_NUMBER%",
}
# At its end a request looks like the gRPC call that was made of it.
_TRANSLATED = {
    "method": f"%REQ({VERB_HEADER}):16%",
    "path": "%PATH(NQ:ORIG_OR_PATH):1024%",
    "translated_from": f"%REQ({PROTOCOL_HEADER}):16%",
}


def access_log(instance: str) -> list[accesslog_pb2.AccessLog]:
    """Return the configuration of this edge's log: one of two formats for each request."""
    named = _FIELDS | {"instance": instance}
    return [
        _lines(named | _AS_SENT, absent(PROTOCOL_HEADER)),
        _lines(named | _TRANSLATED, present(PROTOCOL_HEADER)),
    ]


def _lines(
    fields: dict[str, str], requests: route_components_pb2.HeaderMatcher
) -> accesslog_pb2.AccessLog:
    line = substitution_format_string_pb2.SubstitutionFormatString(omit_empty_values=True)
    line.json_format.update(fields)
    return accesslog_pb2.AccessLog(
        name="envoy.access_loggers.stdout",
        filter=accesslog_pb2.AccessLogFilter(
            header_filter=accesslog_pb2.HeaderFilter(header=requests)
        ),
        typed_config=packed(stream_pb2.StdoutAccessLog(log_format=line)),
    )
