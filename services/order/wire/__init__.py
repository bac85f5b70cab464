"""Converts Protobuf messages to values of the domain and back, and names each error's status.

Imports the domain and the chassis. Hands out validated commands and queries, replies, stored
events and `ERRORS`.
"""
