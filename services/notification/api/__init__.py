"""The gRPC servicer.

May import `wire`, `store` and `domain`. Hands out `NotificationServicer`, which `service` adds to
the server.
"""
