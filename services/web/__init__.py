"""What both web applications stand on: pages, sessions, login, and channels to the services.

Imports the chassis (identity, channels, environment, telemetry, server.program) and contracts,
never an application. Hands out `web_application`, `serve_application`, and what endpoints use:
`render`, `person`, `signed_in`, `metadata`, `live`.
"""
