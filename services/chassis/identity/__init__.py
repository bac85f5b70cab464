"""Who calls: the person of a verified token, the service of a verified certificate.

Imports telemetry and discovery, never the store, so that every layer above can ask who acts. Hands
out the caller that is bound to the running work, and what verifies tokens and certificates.
"""
