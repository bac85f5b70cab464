"""Runs the commands of `python -m discovery`."""

import sys

from discovery.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
