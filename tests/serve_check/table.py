"""The rows that the check prints."""

from collections.abc import Iterator
from contextlib import contextmanager


class Table:
    """Prints a row a check, with what was expected, and counts those that failed."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.passed: list[str] = []

    def row(self, name: str, ok: bool, found: object, expected: str) -> None:
        """Prints a check.

        Args:
            name: of what was checked.
            ok: whether it is as it should be.
            found: what was seen.
            expected: what should have been seen.
        """
        (self.passed if ok else self.failed).append(name)
        print(f"{'ok' if ok else 'FAILED':8}{name:36}{found}; expected: {expected}", flush=True)

    def not_run(self, name: str, why: str) -> None:
        """Prints what could not be checked."""
        print(f"{'not run':8}{name:36}{why}", flush=True)

    @contextmanager
    def no_failure(self, name: str, expected: str) -> Iterator[None]:
        """Makes a failed row of any exception, so that the other checks are run all the same."""
        try:
            yield
        except Exception as error:
            self.row(name, False, f"{type(error).__name__}: {error}", expected)

    def end(self) -> int:
        """Prints how many checks passed; returns the exit code."""
        print(f"{len(self.passed)} of {len(self.passed) + len(self.failed)} checks passed")
        return 1 if self.failed else 0
