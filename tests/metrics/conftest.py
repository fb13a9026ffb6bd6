import numpy as np
import pytest

from data_prep import synthetic


@pytest.fixture(scope="session")
def factors():
    """Of 40 pictures of each shape."""
    rng = np.random.default_rng(7)
    return [synthetic.random_factors(domain, rng) for domain in synthetic.DOMAINS for _ in range(40)]
