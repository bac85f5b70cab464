"""What every server stands on: storage, event log, leases, the server stack.

It knows no business word. Services import it; it imports `discovery` and the contracts of
events and shared types, never a service.
"""
