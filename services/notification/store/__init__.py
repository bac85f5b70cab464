"""The service's tables and every statement on them, inside the caller's transaction.

May import `domain`. Hands out functions that take a connection, and the migrations' folder.
"""
