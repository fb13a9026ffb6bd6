"""What all tests have in common."""

import pytest

pytest_plugins = ["tests.expected_skips"]


def pytest_configure(config: pytest.Config) -> None:
    """Imports what tests use, except in the process of pytest-xdist that only hands them out: it takes seconds."""
    if not config.getoption("numprocesses", None):
        for plugin in ("tensorflow_process", "fixtures", "stores", "chromium"):
            config.pluginmanager.import_plugin(f"tests.{plugin}")


# Files that take minutes; begun last, they would leave the other process idle.
_LONGEST_FIRST = (
    "test_parity.py",
    "test_conversion.py",
    "test_run.py",
    "test_networks.py",
    "test_distribution.py",
    "test_fuzz.py",
    "test_train.py",
)


def pytest_collection_modifyitems(items) -> None:
    """Puts the longest files first; pytest-randomly has shuffled the others, and the tests within each, before."""
    ranks = {name: rank for rank, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))
