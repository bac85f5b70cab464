"""The processes of a suite: slots for instances, how they start, and how all of them are stopped.

Imports the run folder and tools; the fork server imports the chassis and `discovery` for its forks.
Hands out `slot` (ProcessSlot, Programs, Installation) and `interruption` (run, SuiteStop).
"""
