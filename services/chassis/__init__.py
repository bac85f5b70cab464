"""What every service is built on: storage, event log, feeds, leases, sagas, and the gRPC server.

It knows no business word. It imports `discovery` and the contracts of events and shared types, and
never a service. Services import whichever folder they need.
"""
