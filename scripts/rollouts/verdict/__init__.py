"""The rules of a rollout's verdict, without I/O: is the canary worse than the old version?

They get attempts, each of the canary or of the baseline, in the order in which they ended, and say
after each one what the evidence is. Who looks after every attempt is wrong no more often than who
looks once. docs/decisions/rollouts.md has the formulas with their sources.
"""
