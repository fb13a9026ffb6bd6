"""Pictures of the generated data set, as arrays."""

import numpy as np

from data_prep import synthetic
from stargan_tf.data.images import to_array


def pictures(factors) -> np.ndarray:
    """Draws each of the factors; returns [N, 32, 32, 3] in [-1, 1]."""
    return np.stack([to_array(synthetic.draw(one, 32)) for one in factors])
