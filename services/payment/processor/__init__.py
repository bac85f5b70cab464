"""The port to the outside party that moves money, its adapters, and the drive of pending payments.

Imports the domain and the store. Hands out the port, the adapter that a URL names, and the drive.
Only `urls` imports an adapter.
"""
