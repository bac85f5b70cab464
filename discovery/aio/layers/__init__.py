"""The layers of the asyncio client stack; `stack` lists them in order."""
