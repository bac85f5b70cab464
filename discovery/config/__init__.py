"""A gRPC service config in the standard JSON, read into frozen values."""
