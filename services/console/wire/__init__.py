"""Messages to values that a page can show: words of enums, texts of amounts, facts of events.

Imports the contracts. Hands out pure functions of messages.
"""
