"""An e-process: the likelihood ratio of "the canary is worse" to "it is not", over all odds.

How much worse a bad version is nobody knows, so the alternative is a mixture: the odds that the
worse attempt of a pair is the canary's are q : 1 - q, with a Beta prior on q above one half. For
pairs this is the beta-binomial mixture of Robbins. The integral is a sum over fixed nodes, which is
a mixture itself, so the error of the numerical integration costs no validity.

Under the null hypothesis the mixture is a supermartingale that starts at 1. So it ever reaches
1 / alpha with probability alpha at most, whenever and however often one looks (Ville).
"""

from collections.abc import Sequence

_NODES = 20
# The nodes are equally far apart in u, where q = 1 - u^2, so that they are dense near q = 1, where
# the priors have most of their mass.
_U = tuple((node + 0.5) / _NODES * 0.5**0.5 for node in range(_NODES))
# The odds at the nodes.
ODDS = tuple((1 - u**2) / u**2 for u in _U)


class OddsMixture:
    """The e-value so far; 1 at the start. The prior is Beta(a, b), above one half."""

    def __init__(self, a: float, b: float) -> None:
        density = [(1 - u**2) ** (a - 1) * u ** (2 * b - 1) for u in _U]
        total = sum(density)
        self._parts = [each / total for each in density]
        self.e_value = 1.0

    def multiply(self, ratios: Sequence[float]) -> None:
        """Take one observation: its likelihood ratio at each of ODDS.

        Its mean under the null hypothesis must be 1 at most, at each of them.
        """
        self._parts = [part * ratio for part, ratio in zip(self._parts, ratios, strict=True)]
        self.e_value = sum(self._parts)
