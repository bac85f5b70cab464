"""Types what a secure suite prints for a person into a shell."""

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
