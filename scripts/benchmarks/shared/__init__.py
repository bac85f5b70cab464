"""What the benchmarks share: contenders and their turns, medians, the machine's counters, demand.

May import scripts.suite, scripts.tools and discovery, no other benchmark. Hands out the comparison
of contenders in interleaved rounds, and the suite as one of them.
"""
