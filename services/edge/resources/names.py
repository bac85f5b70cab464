"""The names by which Envoy's resources refer to each other."""

PUBLIC_LISTENER = "public"
# The listener inside Envoy behind which requests are translated into gRPC.
TRANSLATING_LISTENER = "translating"
PUBLIC_ROUTES = "public"
TRANSLATED_ROUTES = "translated"
# The cluster that leads to the inner listener. No service can have this name: it begins with "_".
TRANSLATING_CLUSTER = "_translating"
