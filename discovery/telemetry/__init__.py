"""Records calls and attempts as OpenTelemetry spans and metrics, if OpenTelemetry is configured.

Only `recorder` may be imported by the drivers at run time: it loads OpenTelemetry, and the other
modules, only when a channel finds it configured. It may import `call`, `rules` and `registry`.
"""
