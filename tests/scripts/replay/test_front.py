"""What a run starts for people: ports, and whom to log in as."""

from scripts.replay.front import frequent_customer
from scripts.replay.options import parse
from scripts.suite.baskets import Basket
from scripts.suite.cluster import SERVICES, edge_port


def basket(number: int, household: str) -> Basket:
    return Basket(str(number), household, (("tea", 1),))


def test_the_customer_to_log_in_as_has_the_most_orders() -> None:
    """Whoever looks at the shop after a run sees orders."""
    baskets = [basket(1, "7"), basket(2, "900"), basket(3, "900")]

    assert frequent_customer(baskets) == "900"
    assert frequent_customer([]) is None


def test_the_edge_has_the_port_after_the_suites() -> None:
    """With chosen ports a bookmark of the shop holds over restarts."""
    options = parse(["--first-port", "28000", "--instances", "3"])

    assert edge_port(options.first_port, options.instances) == 28_001 + 3 * len(SERVICES)
