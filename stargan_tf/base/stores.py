"""Clients of remote file systems, by fsspec: one for each store as long as the process lives."""

import contextlib
from collections.abc import Iterator
from typing import Any

from stargan_tf.base.errors import UserError
from stargan_tf.base.extras import require

# The extra that brings what fsspec needs for a scheme, and the package.
_EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), ("s3", "s3fs")),
    **dict.fromkeys(("gs", "gcs"), ("gcs", "gcsfs")),
    **dict.fromkeys(("abfs", "abfss", "az"), ("azure", "adlfs")),
    "hdfs": ("hdfs", "pyarrow"),
    "hf": ("hub", "huggingface_hub"),
}


@contextlib.contextmanager
def client_for(path: str) -> Iterator[Any]:
    """Gives the file system of fsspec that knows a remote path; put it around what the client is asked for.

    Raises:
        UserError: there is none, its package is missing, or the store cannot be reached, for want of credentials, say.
        OSError: a file is not there, or may not be read: what clients raise as one stays that.
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
    except (OSError, UserError):
        raise
    except ImportError as error:
        if scheme in _EXTRAS:
            require(*_EXTRAS[scheme])
        raise UserError(f"{path} cannot be read or written: {error}") from error  # fsspec says what to install
    except Exception as error:
        problem = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"{path} cannot be reached: {problem}") from error
