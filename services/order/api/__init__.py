"""The gRPC servicers, the use cases that they call, and the writes and waits of these.

Imports the checkout, the summary, the store, the wire, the domain and the chassis. Hands out one
servicer for each gRPC service.
"""
