"""The services are those that have a contract."""

from scripts.tools.paths import ROOT
from services.chassis.contracts import SERVED_BY_ALL, contracts


def test_a_service_has_a_contract_and_code_under_one_name() -> None:
    """What every service serves is no service, and neither is a web application or the edge."""
    code = {file.parent.name for file in (ROOT / "services").glob("*/service.py")}

    assert set(contracts()) == code
    for name, contract in contracts().items():
        assert f"{name.title()}Service" in contract.services_by_name


def test_what_every_service_serves_is_a_contract_of_its_own() -> None:
    """A contract that is gone leaves no name behind."""
    folders = {file.name for file in (ROOT / "protos" / "tradepost").iterdir()}

    assert folders >= SERVED_BY_ALL
