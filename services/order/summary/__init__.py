"""The customer summary: a read model built from the feeds of orders and of payments.

Imports the domain, the wire (names of event types) and the chassis. Hands out the consumers of the
two feeds, the reader, and the tables for a rebuild.
"""
