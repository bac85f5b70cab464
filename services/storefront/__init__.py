"""The storefront: web pages for customers, JSON for the phone, and live streams of orders.

Imports `services.web`, the chassis and the contracts, never another service's code. It has no
database: what it shows it reads by RPC, and what it keeps between two requests is in the session.
"""
