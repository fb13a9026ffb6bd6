"""Name and hash of the network that a number was measured with; numbers of different networks are never mixed."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

_DIGITS = 12


def short_hash(preprocessing: Mapping[str, Any], weights: Iterable[np.ndarray | bytes]) -> str:
    """Hashes what a network computes: its weights and preprocessing.

    Args:
        preprocessing: what is done to images first, in values that JSON has.
        weights: arrays, or contents of files, in order.

    Returns:
        12 hexadecimal digits; the same weights and preprocessing give the same digits, wherever they were loaded from.
    """
    whole = hashlib.sha256(json.dumps(preprocessing, sort_keys=True).encode())
    for weight in weights:
        if isinstance(weight, bytes):
            whole.update(hashlib.sha256(weight).digest())
        else:
            whole.update(f"{weight.shape} {weight.dtype.str}".encode())
            whole.update(hashlib.sha256(np.ascontiguousarray(weight).data).digest())
    return whole.hexdigest()[:_DIGITS]


def identity(measure: Any) -> dict[str, Any]:
    """Returns what is written beside every number of a feature extractor or a perceptual distance.

    Args:
        measure: a FeatureExtractor or a PerceptualDistance.

    Returns:
        `name` and `hash`; for the classifier also `accuracy`, the fraction of validation images whose domain it
        recognizes (each domain with equal weight; None without validation images).
    """
    facts = {"name": measure.name, "hash": measure.hash}
    return facts | ({"accuracy": measure.accuracy} if hasattr(measure, "accuracy") else {})
