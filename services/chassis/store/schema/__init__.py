"""Brings a database's tables to this version, and tells which other versions can use them.

It may import the store's errors and the folder of migrations. It hands out `upgrade`, which runs
the revisions that are due, and what revision files say of themselves.
"""
