"""Where things are kept that many runs share and that can be made again."""

import os
from pathlib import Path

VARIABLE = "STARGAN_TF_CACHE"


def default() -> Path:
    """Returns the directory that the environment variable STARGAN_TF_CACHE names, else one among the user's caches."""
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "stargan_tf"
