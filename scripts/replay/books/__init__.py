"""The books of a suite: everything that its public API shows, and the equations that must hold.

May import scripts.suite, the stubs, and the replay's observations and orders. Hands out a snapshot
and `check`. snapshot reads; every_check and money are pure functions of a snapshot, and they yield
what equation defines. printing shows that to a person; `python -m scripts.replay.books` does all.
"""
