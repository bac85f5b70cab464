"""Live streams of an order, for its page and for the phone.

Imports `composing`, `views` and `services.web`. Hands out `ROUTES`. The id of an event is the
order's version, so a client that comes back, to any instance, says from where to go on.
"""
