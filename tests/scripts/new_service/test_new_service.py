"""`./scripts/new-service`: it makes a service that takes part in everything at once.

Everything happens in one copy of the checkout.
"""

import json
from pathlib import Path

import pytest

from scripts.new_service.preconditions import RefusedError, refuse_name
from tests.support.new_service.copied_checkout import CopiedCheckout, copied_checkout

NAME = "shipping"
# The command after setup, which would install into the copy what it borrows.
MAKE = """
import sys
from discovery.clock import SystemClock
from scripts.new_service.making import make
from scripts.new_service.preconditions import RefusedError
failed = False
for name in sys.argv[1:]:
    try:
        failed |= bool(make(name, check=True, clock=SystemClock()))
    except RefusedError as error:
        print(error)
sys.exit(failed)
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> CopiedCheckout:
    """A copy of the checkout in which the service was made, has passed its checks, and is kept."""
    copy = copied_checkout(tmp_path_factory.mktemp("copied") / "checkout")
    done = copy.python("-c", MAKE, NAME)
    assert done.returncode == 0, done.stdout + done.stderr
    copy.commit()
    return copy


def test_a_new_service_takes_part_in_a_replay(checkout: CopiedCheckout, tmp_path: Path) -> None:
    """It has a task for each confirmed order; operators see it on the console, and end it there."""
    program = "tests.support.new_service.replayed_orders"
    done = checkout.python("-m", program, NAME, str(tmp_path))

    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["wrong"], found["missing"]) == ([], [])
    assert found["confirmed"]
    assert found["tasks"] == found["confirmed"]
    assert found["ended"] == "status 0"


def test_a_service_is_made_once_and_among_no_changes(checkout: CopiedCheckout) -> None:
    """A second run is refused, and so is one that would mix its files with other changes."""
    (checkout.folder / "README.md").write_text("changed")

    done = checkout.python("-c", MAKE, NAME, "billing")

    again, among_changes = done.stdout.splitlines()
    assert again == f"there is a service {NAME} already; choose another name"
    assert among_changes == "1 files have changes: commit them or put them away first"
    assert not (checkout.folder / "services/billing").exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Shipping", "give 3 to 20 lowercase letters"),
        ("go", "give 3 to 20 lowercase letters"),
        ("order", "there is a service order already"),
        ("console", "there is a service console already"),
        ("import", "means something else"),
        ("event", "protos/tradepost/event is another contract"),
        ("instance", "protos/tradepost/instance is another contract"),
        ("items", "tradepost.inventory.v1 has the path /v1/items at the edge"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_with_a_reason(name: str, why: str) -> None:
    """The reason says what to change."""
    with pytest.raises(RefusedError, match=why):
        refuse_name(name)
