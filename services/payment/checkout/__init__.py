"""Payment's part in a choreographed checkout: it authorizes and captures because of events.

Imports the store, `wire` and the domain. Hands out the handlers of two subscriptions.
"""
