"""Several stacks that take turns in random order, so that changes of the machine affect all
alike.
"""

import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence

from scripts.benchmarks.discovery.bench import DiscoveryBench
from scripts.benchmarks.discovery.load import LoadResult
from scripts.benchmarks.shared.medians import MedianEstimate, estimate_median

Take = Callable[[str], Awaitable[LoadResult]]

AGAIN = " again"


async def turns(
    bench: DiscoveryBench, names: Sequence[str], twice: Sequence[str], take: Take
) -> Mapping[str, Sequence[LoadResult]]:
    """A turn of each stack in every round, in random order.

    Stacks in `twice` have two turns. The second one, named with " again", shows how much two
    measurements of the same thing differ.
    """
    entries = [*names, *(f"{name}{AGAIN}" for name in twice)]
    taken: dict[str, list[LoadResult]] = {entry: [] for entry in entries}
    for name in names:
        await take(name)
    for _ in range(bench.pairs):
        for entry in bench.rng.sample(entries, len(entries)):
            # So that no turn pays for the garbage of the last one.
            gc.collect()
            taken[entry].append(await take(entry.removesuffix(AGAIN)))
    return taken


def ratio(
    taken: Mapping[str, Sequence[LoadResult]],
    name: str,
    other: str,
    figure: Callable[[LoadResult], float],
) -> MedianEstimate:
    """One stack's figure divided by another's of the same round."""
    pairs = zip(taken[name], taken[other], strict=True)
    return estimate_median([figure(one) / figure(two) for one, two in pairs])


def figure_of(
    taken: Mapping[str, Sequence[LoadResult]], name: str, figure: Callable[[LoadResult], float]
) -> MedianEstimate:
    """The median of one stack's figure over all rounds."""
    return estimate_median([figure(turn) for turn in taken[name]])
