"""Compares a small set of generated images with real ones by all measures of their features."""

import warnings

import numpy as np

from stargan_tf.metrics.frechet import FewSamplesWarning, Moments, frechet_distance
from stargan_tf.metrics.kernel import kernel_distance
from stargan_tf.metrics.neighbours import precision_recall


def compare(real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
    """Computes `fid`, `kid`, `precision` and `recall`.

    Args:
        real: features, [N, D].
        generated: features of the same network, [M, D]. A Fréchet distance of few is too large: compare it only with
            others of as many.

    Returns:
        The measures by name.

    Raises:
        UserError: a set has fewer than 4 images, or features are not finite.
    """
    moments = [Moments("", "", real.shape[1]) for _ in range(2)]
    for one, features in zip(moments, (real, generated), strict=True):
        one.add(features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewSamplesWarning)
        fid = frechet_distance(*moments)
    return {"fid": fid, "kid": kernel_distance(real, generated)[0], **precision_recall(real, generated)}
