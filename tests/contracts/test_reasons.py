"""What the contracts say of the reasons that callers give."""

import re

from scripts.tools.paths import ROOT
from services.chassis.request.validation import MAX_REASON_CHARACTERS
from tests.contracts.test_policies import METHODS

_REASON = re.compile(r"// Why: (.*)\n +string reason = \d+;")


def test_every_request_states_the_same_bound_for_its_reason() -> None:
    """Whoever writes a form for one RPC knows it for all."""
    requests = [method for method in METHODS if "reason" in method.input_type.fields_by_name]
    stated = [
        text
        for file in sorted((ROOT / "protos").rglob("*_service.proto"))
        for text in _REASON.findall(file.read_text())
    ]

    assert len(stated) == len(requests)
    for text in stated:
        assert re.match(rf"(at most|1 to) {MAX_REASON_CHARACTERS} characters", text), text
