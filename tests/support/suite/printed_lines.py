"""Types what a suite prints for a person into a shell, and looks at what comes of it."""

from scripts.suite.cluster import Cluster
from scripts.suite.secure.instructions import instructions
from scripts.tools.paths import ROOT
from tests.support.suite.programs import ProgramResult, run


async def run_printed(suite: Cluster, part: str) -> ProgramResult:
    """Run the printed line that contains `part`, after those that set variables for it."""
    assert suite.access is not None
    endpoint = (await suite.instances("order"))[0].endpoint
    lines = instructions(suite.access.credentials, endpoint, consul=suite.consul.address)
    commands = [line.strip() for line in lines if line.startswith("  ")]
    (asked,) = (line for line in commands if part in line)
    exports = [line for line in commands if line.startswith("export ")]
    return await run("bash", "-c", "\n".join([*exports, asked]), folder=ROOT)


def expect_followed_order(result: ProgramResult) -> None:
    """The lines for the edge have read an order, watched it, cancelled it and read it again."""
    read_once, *events, cancelled, read_again = [
        line for line in result.out.replace("}{", "}\n{").splitlines() if line
    ]
    assert '"state":"ORDER_STATE_CONFIRMED"' in read_once, result.err
    assert events[0].startswith('data: {"order":{')
    assert '"state":"ORDER_STATE_CONFIRMED"' in events[-1]
    assert '"state":"ORDER_STATE_REFUNDED"' in cancelled
    assert '"state":"ORDER_STATE_REFUNDED"' in read_again
