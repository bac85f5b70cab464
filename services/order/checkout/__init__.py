"""The checkout: the saga that calls the participants, and the consumer of choreographed checkouts.

Imports the store, the wire, the domain, the settings and the chassis. Hands out the saga for the
runner, the consumer for the subscriptions, and `CheckoutLeases` for writes that start work.
"""
