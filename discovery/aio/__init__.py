"""The asyncio driver: everything of the client that awaits."""
