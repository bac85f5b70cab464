"""Which tests share a process, for pytest-xdist.

Its own groups (`--dist loadgroup`) have no effect with pytest 9.2: each test is scheduled by
itself then, and the fixtures of a module are set up in every process.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_OF_WHOLE_SUITES = ("tests/integration/", "tests/scripts/benchmarks/")
# Of those, the ones that start a few small instances only: the process of the others ends last.
_OF_FEW_INSTANCES = (
    "tests/scripts/benchmarks/test_discovery_bench.py",
    "tests/scripts/benchmarks/test_soak.py",
)


class FileScheduling(LoadScopeScheduling):
    """Runs the tests of a file in one process, and all that start whole suites in one, too.

    Two suites at the same time are too slow on two cores; one next to other tests is not.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        alone = file.startswith(_OF_FEW_INSTANCES) or not file.startswith(_OF_WHOLE_SUITES)
        return file if alone else "suites"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    """The scheduler of all test runs."""
    return FileScheduling(config, log)
