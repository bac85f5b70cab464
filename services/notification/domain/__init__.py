"""The rules: which event of an order causes which message, and how the message is worded.

May import the standard library and the chassis' shared values (`services.chassis.domain`) only.
Hands out the values and functions that every other folder of the service works with.
"""
