"""A program that prints what it was started with, and waits until it is ended, or exits at once."""

import json
import os
import signal
import sys
from pathlib import Path

from setproctitle import getproctitle

if __name__ == "__main__":
    state = {
        "environment": dict(os.environ),
        "folder": str(Path.cwd()),
        "arguments": sys.argv,
        "title": getproctitle(),
        "leads_its_session": os.getsid(0) == os.getpid(),
        "chassis": sorted(name for name in sys.modules if name.startswith("services.")),
    }
    sys.stdout.write(f"{json.dumps(state)}\n")
    sys.stdout.flush()
    if "EXIT_STATUS" in os.environ:
        sys.exit(int(os.environ["EXIT_STATUS"]))
    signal.pause()
