"""Logs, traces and metrics of a service, and the correlation that all work carries.

Imports `discovery` and nothing of ours. Hands out loggers, the current correlation, and exported
spans and metrics.
"""
