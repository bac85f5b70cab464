"""What operators change: each action is one RPC in their name, with a reason and a request_id.

Imports the contracts and reading. Hands out functions that do it, and say what was done.
"""
