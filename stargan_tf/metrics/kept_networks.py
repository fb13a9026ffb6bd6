"""Keeps the networks that measure: they are trained once for some data and settings, and then loaded."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from stargan_tf.base import writing
from stargan_tf.base.errors import UserError

_WEIGHTS_FILE = "weights.npz"


def load_or_train(
    directory: Path, what: str, build: Callable[[], keras.Model], train: Callable[[keras.Model], dict[str, Any]]
) -> tuple[keras.Model, dict[str, Any]]:
    """Loads a network; trains and keeps it first if its directory is missing.

    The directory is written complete or not at all, and not if another evaluation was sooner.

    Args:
        directory: of this network alone; its name tells all that the network depends on.
        what: what it is, in one word.
        build: builds the network with the weights that its training starts from.
        train: trains it in place; returns facts about it, values that JSON has.

    Returns:
        The network and the facts.

    Raises:
        UserError: the directory is damaged, or cannot be written.
    """
    if not directory.is_dir():
        trained = build()
        facts = train(trained)
        weights = {f"{index:03}": weight for index, weight in enumerate(trained.get_weights())}
        with contextlib.suppress(writing.OccupiedError), writing.whole_directory(directory) as new:
            writing.write_arrays(new / _WEIGHTS_FILE, weights)
            writing.write_json(new / f"{what}.json", facts)
    network = build()
    try:
        facts = json.loads((directory / f"{what}.json").read_text())
        with np.load(directory / _WEIGHTS_FILE) as arrays:
            network.set_weights([arrays[name] for name in sorted(arrays)])
    except Exception as error:  # whatever JSON, NumPy and Keras say of a damaged file
        raise UserError(f"the {what} in {str(directory)!r} cannot be read ({error}); delete that directory") from error
    return network, facts
