"""The processes of a suite: slots for instances, how they start, and how all of them are stopped.

Imports the run folder and tools. Hands out `slot.ProcessSlot` and `interruption.run`.
"""
