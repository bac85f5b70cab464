"""`scripts/setup`: installs everything the project needs, into `.venv/` and `.tools/`.

It may run at any time and in several terminals: one works, the others wait. A finished step is not
repeated; a step that was killed is started again from the beginning. Standard library only.
"""

import sys

from scripts.tools import binaries, environment, node, stamps
from scripts.tools.commands import SetupError
from scripts.tools.paths import TOOLS


def main() -> int:
    """Run every step; on failure print what a person can do, and return 1."""
    try:
        with stamps.only_one(TOOLS / ".setup-lock"):
            environment.ensure_venv()
            binaries.ensure_packaged()
            environment.ensure_packages()
            binaries.ensure_consul()
            node.ensure_node()
            node.ensure_node_packages()
    except (SetupError, OSError) as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
