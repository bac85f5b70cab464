"""Spans and metrics of calls through OpenTelemetry, where it is configured."""
