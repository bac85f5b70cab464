"""Stacks that take turns: what changes on the machine meanwhile meets them all alike."""

import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence

from scripts.benchmarks.discovery.load import Turn
from scripts.benchmarks.discovery.measuring import Bench
from scripts.benchmarks.shared.estimates import Estimate, estimate

Take = Callable[[str], Awaitable[Turn]]

AGAIN = " again"


async def turns(
    bench: Bench, names: Sequence[str], twice: Sequence[str], take: Take
) -> Mapping[str, Sequence[Turn]]:
    """A turn of each stack in every round, in an order drawn by lot.

    Those in `twice` have two; the second, under the name with " again", says how far apart two
    measurements of one thing lie.
    """
    entries = [*names, *(f"{name}{AGAIN}" for name in twice)]
    taken: dict[str, list[Turn]] = {entry: [] for entry in entries}
    for name in names:
        await take(name)
    for _ in range(bench.pairs):
        for entry in bench.rng.sample(entries, len(entries)):
            # Nobody pays for the garbage of the one before.
            gc.collect()
            taken[entry].append(await take(entry.removesuffix(AGAIN)))
    return taken


def ratio(
    taken: Mapping[str, Sequence[Turn]], name: str, other: str, figure: Callable[[Turn], float]
) -> Estimate:
    """One stack's figure by another's in the same round."""
    pairs = zip(taken[name], taken[other], strict=True)
    return estimate([figure(one) / figure(two) for one, two in pairs])


def figure_of(
    taken: Mapping[str, Sequence[Turn]], name: str, figure: Callable[[Turn], float]
) -> Estimate:
    """One stack's figure over all rounds."""
    return estimate([figure(turn) for turn in taken[name]])
