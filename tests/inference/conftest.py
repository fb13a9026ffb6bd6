"""Networks that all tests of sampling share, since compiling them takes seconds."""

import pytest

from stargan_tf.inference.translator import Translator


@pytest.fixture(scope="session")
def translator(trained_run) -> Translator:
    """Translates 16 px images, at most 4 at once."""
    return Translator.from_run(trained_run, batch_size=4)
