"""What every service does with a request: validation, paging, idempotency, waiting.

Imports the store, telemetry and the shared values of `domain`, never the server. Hands out checked
values, errors that refuse a request, and writes that happen once per request_id.
"""
