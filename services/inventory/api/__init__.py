"""The gRPC servicer, and the writes that its methods and the service's own work carry out.

Imports the domain, `wire` and `store`. Hands out the servicer and the functions of a connection
that write items and reservations.
"""
