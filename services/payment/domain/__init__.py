"""Rules of a payment and of the ledger, without I/O.

Imports the standard library and the chassis' shared values. Hands out state, commands, events,
errors and read filters, `decide` and `evolve`, the next call to the processor, and postings.
"""
