"""Values that the domains of all services share: money, currencies, preconditions.

Imports the standard library only, because a service's `domain` may import nothing else of ours.
"""
