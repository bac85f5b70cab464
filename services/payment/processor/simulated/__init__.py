"""A processor for development and tests: it answers as a payment method's name says.

Imports the port, the domain and the chassis. Hands out the adapter and the service that lists its
entries. An image can leave this folder out: only `processor/urls.py` imports it, when it is named.
"""
