"""The access log: one line of JSON for each request, on standard output."""

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import substitution_format_string_pb2
from envoy.extensions.access_loggers.stream.v3 import stream_pb2

from services.edge.resources.packing import packed

# The path is logged without its query, which can hold what a caller wouldn't want in a log, and no
# header that could hold a token.
_FIELDS = {
    "event": "request",
    "timestamp": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "path": "%PATH(NQ)%",
    "protocol": "%PROTOCOL%",
    "content_type": "%REQ(CONTENT-TYPE)%",
    "status": "%RESPONSE_CODE%",
    "grpc_status": "%GRPC_STATUS_NUMBER%",
    "flags": "%RESPONSE_FLAGS%",
    "cause": "%RESPONSE_CODE_DETAILS%",
    "duration_ms": "%DURATION%",
    "request_bytes": "%BYTES_RECEIVED%",
    "response_bytes": "%BYTES_SENT%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "service": "%UPSTREAM_CLUSTER%",
    "instance": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "correlation_id": "%REQ(X-CORRELATION-ID?X-REQUEST-ID)%",
    "traceparent": "%REQ(TRACEPARENT)%",
}


def access_log() -> list[accesslog_pb2.AccessLog]:
    """Return the log's configuration."""
    line = substitution_format_string_pb2.SubstitutionFormatString(omit_empty_values=True)
    line.json_format.update(_FIELDS)
    return [
        accesslog_pb2.AccessLog(
            name="envoy.access_loggers.stdout",
            typed_config=packed(stream_pb2.StdoutAccessLog(log_format=line)),
        )
    ]
