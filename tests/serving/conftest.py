"""The exported model as it is used in most ways, each made once for all tests: its first calls take seconds."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from stargan_tf.data.images import to_png
from stargan_tf.inference.translator import Translator
from tests.serving.clients import connect
from tests.serving.good_requests import DOMAINS
from tests.serving_double.server import Double
from tests.serving_double.session import Session


@pytest.fixture
def local(local_model):
    return local_model


@pytest.fixture(scope="session")
def translator(trained_run) -> Translator:
    return Translator.from_run(trained_run)


@pytest.fixture(scope="session")
def session(exported_model):
    """The model as TF Serving loads it, for both doubles and the tests of the graph."""
    session = Session(exported_model / "1")
    yield session
    session.close()


@pytest.fixture(scope="session")
def double(exported_model, session):
    with Double(exported_model, session=session) as double:
        yield double


@pytest.fixture(scope="session")
def merging(exported_model, session):
    """A double that merges requests."""
    with Double(exported_model, batching=True, window=0.1, session=session) as double:
        yield double


@pytest.fixture(scope="session")
def clients(double):
    with connect("grpc", double) as by_grpc, connect("rest", double) as by_rest:
        yield {"grpc": by_grpc, "rest": by_rest}


@pytest.fixture(scope="session")
def echo_model(tmp_path_factory):
    """A model that gives back what it gets; one of its signatures has only one output."""
    module = tf.Module()
    spec = tf.TensorSpec([None], tf.string, name="text")
    module.both = tf.function(lambda text: {"text": text, "text_bytes": text}, input_signature=[spec])
    module.one = tf.function(lambda text: {"text": text}, input_signature=[spec])
    path = tmp_path_factory.mktemp("echo") / "echo"
    tf.saved_model.save(module, str(path / "7"), signatures={"both": module.both, "one": module.one})
    return path


@pytest.fixture(scope="session")
def sources(images_path) -> list[bytes]:
    """Encoded validation images, of the size that the model has."""
    return [(images_path / "val" / domain / "00000.png").read_bytes() for domain in DOMAINS]


@pytest.fixture(scope="session")
def noise() -> bytes:
    """An image that no program can make smaller: 600 kB."""
    return to_png(Image.fromarray(np.random.default_rng(0).integers(0, 256, (450, 450, 3), np.uint8)))
