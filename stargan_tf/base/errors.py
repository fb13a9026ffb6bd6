"""Errors that commands turn into a sentence instead of a traceback, and the exit code that each of them means."""

import enum
import re


class ExitCode(enum.IntEnum):
    """How a command ends; docs/exit_codes.md says what whoever starts it should do. 128 + N: ended by signal N."""

    DONE = 0
    INTERNAL_FAILURE = 1  # what the interpreter reports after a traceback
    MISTAKE = 2
    REFUSED = 3
    DIVERGED = 4
    TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h


SIGNAL_EXIT_CODE = 128  # plus the signal's number, as shells report it


def without_password(text: str) -> str:
    """Returns a text in which addresses, as `sftp://user:password@host/x`, have no passwords and no signatures."""
    text = re.sub(r"(://[^/\s:@'\"]*):[^/\s@'\"]+@", r"\1:***@", text)
    return re.sub(r"((?:Signature|Credential|Security-Token|sig|token)=)[^&\s'\"]+", r"\1***", text)


class UserError(ValueError):
    """A mistake that the user can mend: one sentence with what was wrong, which value, and what would be right."""

    exit_code = ExitCode.MISTAKE


class RefusedError(UserError):
    """Data or a model that must not be used: it was looked at, and what was found speaks against it."""

    exit_code = ExitCode.REFUSED


class DivergedError(UserError):
    """Training came to values that are not finite."""

    exit_code = ExitCode.DIVERGED


class TryAgainError(UserError):
    """Something that passes: the same command may well succeed later."""

    exit_code = ExitCode.TRY_AGAIN
