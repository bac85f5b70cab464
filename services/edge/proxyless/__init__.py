"""What clients of `xds:///` targets are handed out: gRPC's own clients, which need no proxy.

Imports the resources of Envoy, whose endpoints and limits it shares. Hands out
`client_resources`.
"""
