"""Forgets the syntax trees of the project after each file of tests."""

from collections.abc import Iterator

import pytest

from tests.support.style import source_tree


@pytest.fixture(scope="module", autouse=True)
def syntax_trees() -> Iterator[None]:
    """Drop what the tests of a file have parsed.

    It is a million objects, and each full collection of the process would look at all of them.
    """
    yield
    source_tree.source_files.cache_clear()
    source_tree.uses.cache_clear()
