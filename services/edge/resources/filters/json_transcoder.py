"""Translates REST with JSON into gRPC, and a stream of messages into server-sent events."""

from envoy.extensions.filters.http.grpc_json_transcoder.v3 import transcoder_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from google.protobuf.wrappers_pb2 import UInt32Value

from services.edge.contract.contract import Contract
from services.edge.resources.packing import packed
from services.edge.settings import EdgeSettings

NAME = "envoy.filters.http.grpc_json_transcoder"


def json_transcoder(
    contract: Contract, settings: EdgeSettings
) -> http_connection_manager_pb2.HttpFilter:
    """Return the filter for all public methods; it finds verbs and paths in the descriptor set."""
    strict = transcoder_pb2.GrpcJsonTranscoder.RequestValidationOptions(
        reject_unknown_method=True,
        # A misspelt parameter would otherwise be an unfiltered list.
        reject_unknown_query_parameters=True,
        reject_binding_body_field_collisions=True,
    )
    config = transcoder_pb2.GrpcJsonTranscoder(
        proto_descriptor_bin=contract.descriptor_set,
        services=sorted({method.service_name for method in contract.methods}),
        # A call of a method by its gRPC path, with JSON, is translated too.
        auto_mapping=True,
        convert_grpc_status=True,
        query_param_unescape_plus=True,
        request_validation_options=strict,
        # Without these two, Envoy's buffers limit a message to 1 MiB.
        max_request_body_size=UInt32Value(value=settings.max_request_bytes),
        max_response_body_size=UInt32Value(value=settings.max_response_bytes),
        print_options=transcoder_pb2.GrpcJsonTranscoder.PrintOptions(
            stream_newline_delimited=True, stream_sse_style_delimited=True
        ),
    )
    return http_connection_manager_pb2.HttpFilter(name=NAME, typed_config=packed(config))
