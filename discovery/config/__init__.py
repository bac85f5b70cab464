"""Reads a gRPC service config (standard JSON) into frozen values.

It may import the balancing policies and the rules, whose values it fills. It hands out
`ServiceConfig` for a channel and `Method` for each of its methods.
"""
