"""Interceptors: those a caller hands to a channel, and ours for any grpc.aio channel."""
