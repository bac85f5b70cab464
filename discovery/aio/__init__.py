"""The asyncio driver: a `grpc.aio.Channel` to all instances of a service.

May import everything below the drivers, never `blocking`, which has the same file names for the
same roles. Hands out `open.open_channel`; applications import it from `discovery`.
"""
