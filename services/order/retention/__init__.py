"""Which orders the retention may archive, and how an archived one is shown to a person.

Imports the store, the summary, the wire and the chassis.
"""
