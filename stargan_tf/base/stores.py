"""Clients of remote file systems, by fsspec: one for each store as long as the process lives."""

import contextlib
import errno
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from stargan_tf.base.errors import TryAgainError, UserError, without_password
from stargan_tf.base.extras import require

# The extra that brings what fsspec needs for a scheme, and the package.
_EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), ("s3", "s3fs")),
    **dict.fromkeys(("gs", "gcs"), ("gcs", "gcsfs")),
    **dict.fromkeys(("abfs", "abfss", "az"), ("azure", "adlfs")),
    "hdfs": ("hdfs", "pyarrow"),
    "hf": ("hub", "huggingface_hub"),
}

# Seconds before another try where a store fails for a moment; clients try again by themselves, for a few seconds, too.
WAITS = (1.0, 4.0, 15.0)
_PATIENCE = 60.0  # seconds after which there is no further try

# How clients say that: numbers of OSErrors, names of their classes, states of HTTP.
_PASSING_NUMBERS = (errno.EIO, errno.EREMOTEIO, errno.EBUSY, errno.ETIMEDOUT, errno.ECONNRESET, errno.EPIPE)
_PASSING_KINDS = re.compile(r"Connect|Timeout|Unavailable|Throttl|Payload|Disconnected|IncompleteRead|HTTPClientError")
_PASSING_STATES = (408, 429, *range(500, 600))

Answer = TypeVar("Answer")


def ask(path: str, action: Callable[[Any], Answer]) -> Answer:
    """Asks the client of a remote path, and again where the store fails for a moment.

    Args:
        path: with a scheme.
        action: takes the file system of fsspec; it may be called several times.

    Returns:
        What `action` returns.

    Raises:
        TryAgainError, UserError, OSError: as `client_for`, the first when all tries have failed.
    """
    begin = time.monotonic()
    for wait in WAITS:
        try:
            with client_for(path) as client:
                return action(client)
        except TryAgainError as error:
            if time.monotonic() - begin > _PATIENCE:  # one that does not answer at all takes a client minutes
                raise
            print(f"note: {without_password(str(error))}; the next try is in {wait:g} s", file=sys.stderr, flush=True)
            time.sleep(wait)
    with client_for(path) as client:
        return action(client)


@contextlib.contextmanager
def client_for(path: str) -> Iterator[Any]:
    """Gives the file system of fsspec that knows a remote path; put it around what the client is asked for.

    Raises:
        TryAgainError: the store cannot be reached, or fails for a moment.
        UserError: there is none, its package is missing, or the store does not want this client, for want of
            credentials, say.
        OSError: a file is not there, or may not be read; its `filename` is the path.
    """
    import fsspec
    from fsspec.dircache import DirCache

    scheme = path.partition("://")[0]
    if scheme.rpartition("::")[2] not in fsspec.available_protocols():
        if scheme in _EXTRAS:  # some are known only to their package
            require(*_EXTRAS[scheme])
        known = ", ".join(f"{name}://" for name in ("s3", "gs", "abfs", "hdfs", "hf"))
        raise UserError(f"{path} begins with no scheme that fsspec knows; it knows {known} and others")
    try:
        client, _ = fsspec.url_to_fs(path)
        if isinstance(client.dircache, DirCache):
            client.dircache.use_listings_cache = False  # other processes write, too
        yield client
    except UserError:
        raise
    except ImportError as error:
        if scheme in _EXTRAS:
            require(*_EXTRAS[scheme])
        raise UserError(f"{path} cannot be read or written: {error}") from error  # fsspec says what to install
    except Exception as error:
        problem = str(error).partition("\n")[0] or type(error).__name__
        if _passes(error):
            raise TryAgainError(f"{path} cannot be reached: {problem}") from error
        if not isinstance(error, OSError):
            raise UserError(f"{path} cannot be reached: {problem}") from error
        if error.filename is not None:  # a local file's
            raise
        raise _with_path(error, problem, path) from error


def _passes(error: Exception) -> bool:
    """Returns whether an error of a client says that the store may answer later."""
    if isinstance(error, FileNotFoundError | PermissionError):
        return False
    states = [getattr(error, name, None) for name in ("code", "status", "status_code")]
    states.append(getattr(getattr(error, "response", None), "status_code", None))
    kinds = " ".join(kind.__name__ for kind in type(error).__mro__)  # each client has its own
    return (
        (isinstance(error, OSError) and error.errno in _PASSING_NUMBERS)
        or _PASSING_KINDS.search(kinds) is not None
        or any(state in _PASSING_STATES for state in states)
    )


def _with_path(error: OSError, problem: str, path: str) -> OSError:
    """Returns an error with the path that it is about, which clients leave out or give without its scheme."""
    for kind, number in ((FileNotFoundError, errno.ENOENT), (PermissionError, errno.EACCES)):
        if isinstance(error, kind):
            return kind(number, problem if " " in problem else os.strerror(number), path)
    return OSError(error.errno or errno.EINVAL, problem, path)
