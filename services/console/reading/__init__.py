"""Asks the services: several at once under one deadline, and says which of them didn't answer.

Imports the contracts, discovery and the wire's texts. Hands out what a page is made of.
"""
