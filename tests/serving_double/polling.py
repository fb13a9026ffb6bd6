"""The double as a server that follows a directory: it loads each version that becomes the newest."""

import threading
from collections.abc import Callable
from pathlib import Path

from tests.serving_double.server import Double


def newest(path: Path) -> int | None:
    """Returns the highest number in a directory of versions, None if there is none or no directory."""
    children = path.iterdir() if path.is_dir() else ()
    return max((int(child.name) for child in children if child.name.isdigit()), default=None)


def follow(
    path: Path,
    seconds: float,
    ended: threading.Event,
    start: Callable[[Path, int, int], Double],
    ready: Callable[[Double], None],
) -> None:
    """Serves the newest version of a model, on the same ports, until an event is set.

    A directory that is missing or empty changes nothing, as with TF Serving where a version was loaded before.

    Args:
        path: directory of a model; versions may come later.
        seconds: between two looks at it.
        ended: says that it is enough.
        start: makes a double of the directory, and the ports for gRPC and REST, 0 for any.
        ready: called with the first double.
    """
    double: Double | None = None
    served, ports = None, (0, 0)
    try:
        while True:
            found = newest(path)
            if found is not None and found != served:
                if double is not None:
                    double.close()
                double = start(path, *ports)
                if served is None:
                    ready(double)
                served = found
                ports = tuple(int(server.rpartition(":")[2]) for server in (double.grpc_server, double.rest_server))
            if ended.wait(seconds):
                return
    finally:
        if double is not None:
            double.close()
