"""The routes of both stages: which requests are served, and where they go.

Imports the filters, for what a route says to them, and the names and headers of the resources.
Hands out the route configurations.
"""
