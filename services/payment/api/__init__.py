"""The gRPC servicer and the use cases that its methods call.

Imports the domain, `wire` and `store`. Hands out the servicer and the use cases, which wait for
the outcome of what they write.
"""
