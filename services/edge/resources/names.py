"""The names by which Envoy's resources refer to each other."""

PUBLIC_LISTENER = "public"
# The listener inside Envoy behind which what the cache asks for is translated into gRPC.
TRANSLATING_LISTENER = "translating"
PUBLIC_ROUTES = "public"
TRANSLATED_ROUTES = "translated"
# The cluster that leads to the inner listener. No service can have this name: it begins with "_".
TRANSLATING_CLUSTER = "_translating"
# Tells which protocol the caller uses, once the request looks like gRPC. Services get it too,
# because a header that is removed on the way to them is unknown when a call fails.
PROTOCOL_HEADER = "x-edge-protocol"
# Tells the verb of the caller's request.
VERB_HEADER = "x-edge-verb"
GRPC_WEB, CONNECT, REST = "grpc-web", "connect", "rest"
