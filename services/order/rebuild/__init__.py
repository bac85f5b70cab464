"""Rebuilds the read models in tables next to the live ones, while instances serve.

Imports the summary, the store, the wire, the domain, the settings and the chassis. Hands out the
command `rebuild` of `python -m services.order`.
"""
