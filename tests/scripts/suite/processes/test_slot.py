"""Which code a slot's next process runs."""

from pathlib import Path

from scripts.suite.processes.slot import THIS_INSTALLATION, Installation, ProcessSlot


def test_a_service_that_another_version_lacks_runs_the_code_of_this_one(tmp_path: Path) -> None:
    """A suite of an older version also has the services that were made since."""
    older = Installation(tmp_path, THIS_INSTALLATION.python)
    (tmp_path / "services" / "order").mkdir(parents=True)
    order, shipping = (
        ProcessSlot(service, 1, f"services.{service}", tmp_path / "log", {})
        for service in ("order", "shipping")
    )

    for slot in (order, shipping):
        slot.take_code_of(older)

    assert order.programs == older
    assert shipping.programs == THIS_INSTALLATION
