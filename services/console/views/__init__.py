"""What a page shows, as frozen values: tables, filters, forms, by pure functions of messages.

Imports the contracts and the wire's texts; asks nobody. Hands out what templates render.
"""
