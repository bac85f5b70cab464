"""The processor is chosen by TRADEPOST_PROCESSOR_URL."""

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from discovery.clock import SystemClock
from services.chassis.domain.money import Money
from services.payment.domain.commands import Authorized
from services.payment.processor.urls import OpenedProcessor, ProcessorUrlError, open_processor

CLOCK = SystemClock()
SIMULATED = "services.payment.processor.simulated"


async def authorized(opened: OpenedProcessor) -> bool:
    """Whether the processor sets money aside."""
    evidence = await opened.processor.authorize(
        key="key_1",
        order_id="ord_1",
        amount=Money("USD", 100),
        payment_method="pm_visa",
        expire_after=timedelta(days=1),
    )
    return isinstance(evidence, Authorized)


@pytest.mark.parametrize("form", ["simulated://{path}", "sqlite:///{path}"])
async def test_the_simulated_processor_keeps_its_entries_in_the_file(
    tmp_path: Path, form: str
) -> None:
    """Both forms of the URL name the same file, and the processor offers its testing service."""
    path = tmp_path / "processor.db"
    async with open_processor(form.format(path=path), clock=CLOCK, owner="test") as opened:
        assert await authorized(opened)
        assert opened.testing is not None
        assert opened.testing.name == "tradepost.payment.testing.v1.SimulatedProcessorService"

    assert path.exists()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("acme://key:secret@api.acme.example", "there is no processor for acme:"),
        ("/var/lib/processor.db", "it is no URL"),
        ("", "it is no URL"),
        ("simulated://processor.db", "with an absolute path"),
        ("simulated:///", "with an absolute path"),
        ("simulated:", "with an absolute path"),
    ],
)
async def test_any_other_url_is_refused(url: str, why: str) -> None:
    """The error names the variable and the accepted forms, and repeats no secret."""
    with pytest.raises(ProcessorUrlError) as refused:
        async with open_processor(url, clock=CLOCK, owner="test"):
            pass

    message = str(refused.value)
    assert message.startswith("TRADEPOST_PROCESSOR_URL: must be simulated:///path/file.db")
    assert message.endswith(why)
    assert "secret" not in message


async def test_an_installation_may_leave_the_simulated_processor_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the URL that names it needs it; the error says that it is missing."""
    for name in [name for name in sys.modules if name.startswith(f"{SIMULATED}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, SIMULATED, None)

    with pytest.raises(ProcessorUrlError, match="has no simulated processor"):
        async with open_processor(f"simulated://{tmp_path}/p.db", clock=CLOCK, owner="test"):
            pass
