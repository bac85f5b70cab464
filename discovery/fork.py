"""Random numbers that differ between a process and the children that it forks."""

import os
import random
import weakref

_made: "weakref.WeakSet[random.Random]" = weakref.WeakSet()


def random_numbers() -> random.Random:
    """Return a generator that a forked child seeds anew, as Python does with its shared one.

    Otherwise all workers that a server forks would pick the same instances at the same time.
    """
    made = random.Random()
    _made.add(made)
    return made


def _seed_anew() -> None:
    for made in list(_made):
        made.seed()


os.register_at_fork(after_in_child=_seed_anew)
