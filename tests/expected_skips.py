"""The reasons for which CI may skip a test; `--only-expected-skips` makes any other one fail the run.

What `make` installs for CI (PyTorch, TFX, Chromium, databases, ONNX Runtime Web) is not among them.
"""

import re
from collections.abc import Iterator

import pytest

EXPECTED = (
    r"mounting a small file system is not permitted",
    r"no GPU",
    r"no Docker",
    r"only the GNU C library has arenas",
    r"no folder of engines",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--only-expected-skips",
        action="store_true",
        help="fail if a test is skipped for a reason that tests/expected_skips.py does not list",
    )


def unexpected(config: pytest.Config) -> Iterator[str]:
    """Yields a line for each test or file that was skipped for another reason."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if not config.option.only_expected_skips or reporter is None:
        return
    for report in reporter.stats.get("skipped", []):
        _, _, reason = report.longrepr
        if not any(re.search(expected, reason) for expected in EXPECTED):
            yield f"{report.nodeid}: {reason}"


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.OK and any(unexpected(session.config)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := list(unexpected(config)):
        terminalreporter.section("skipped for reasons that tests/expected_skips.py does not list", red=True)
        for line in lines:
            terminalreporter.line(line)
