"""Which tests share a process, for pytest-xdist.

Its own groups (`--dist loadgroup`) have no effect with pytest 9.2: each test is scheduled by
itself then, and the fixtures of a module are set up in every process.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_OF_WHOLE_SUITES = ("tests/integration/", "tests/scripts/benchmarks/")
# Of those, the ones that start a few small instances only.
_OF_FEW_INSTANCES = (
    "tests/scripts/benchmarks/test_discovery_bench.py",
    "tests/scripts/benchmarks/test_soak.py",
)


class FileScheduling(LoadScopeScheduling):
    """Runs the tests of a file in one process, and all of a folder whose tests start whole suites.

    Such a folder's suites run one after another, because many at a time are too slow on two cores.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        if file.startswith(_OF_FEW_INSTANCES):
            return file
        return file.rpartition("/")[0] if file.startswith(_OF_WHOLE_SUITES) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    """The scheduler of all test runs."""
    return FileScheduling(config, log)
