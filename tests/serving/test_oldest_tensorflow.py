"""The exported model in the oldest TensorFlow that is promised: what TF Serving of that release would answer."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stargan_tf.base import cache_directory
from stargan_tf.serving import deployment
from stargan_tf.serving.served_model import texts
from tests.serving.good_requests import ALL, inputs_of

pytestmark = pytest.mark.beyond

ROWS = 3
# The oldest that has packages for a version of Python.
OLDEST = {(3, 11): "2.12.1", (3, 12): "2.16.2", (3, 13): "2.20.0"}
UV = (sys.executable, "-m", "uv")

# Plain TensorFlow. Texts and images travel as base64, since older NumPy cannot read arrays of objects of newer ones.
PROGRAM = """
import base64, json, sys
import numpy as np, tensorflow as tf

def decoded(value):
    if value["dtype"] == "object":
        return tf.constant([base64.b64decode(text) for text in value["values"]])
    return tf.constant(np.array(value["values"], value["dtype"]))

def encoded(value):
    if value.dtype == object:
        values = [base64.b64encode(text).decode() for text in value.ravel()]
        return {"dtype": "object", "values": values, "shape": value.shape}
    return {"dtype": str(value.dtype), "values": value.ravel().tolist(), "shape": value.shape}

model, requests, answers = sys.argv[1:]
signatures = tf.saved_model.load(model).signatures
outputs = {}
for name, inputs in json.load(open(requests)).items():
    given = signatures[name](**{key: decoded(value) for key, value in inputs.items()})
    outputs[name] = {key: encoded(value.numpy()) for key, value in given.items()}
json.dump(outputs, open(answers, "w"))
print(tf.__version__)
"""


@pytest.fixture(scope="module")
def version() -> str:
    return OLDEST[sys.version_info[:2]]


@pytest.fixture(scope="module")
def python(version) -> Path:
    """The interpreter of an environment with that TensorFlow and nothing of this package, which is kept."""
    environment = cache_directory.default() / "tests" / f"tensorflow-{version}"
    complete = environment / "complete"
    if not complete.is_file():
        shutil.rmtree(environment, ignore_errors=True)
        run(*UV, "venv", "--quiet", "--python", sys.executable, environment)
        install = (*UV, "pip", "install", "--quiet", "--python", environment / "bin" / "python")
        run(*install, f"tensorflow-cpu=={version}")
        complete.touch()
    return environment / "bin" / "python"


def run(*command, **options) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=1800, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def as_json(value: np.ndarray) -> dict:
    if value.dtype == object:
        return {"dtype": "object", "values": [base64.b64encode(text).decode() for text in value]}
    return {"dtype": str(value.dtype), "values": value.tolist()}


def from_json(value: dict) -> np.ndarray:
    if value["dtype"] == "object":
        return texts([base64.b64decode(text) for text in value["values"]]).reshape(value["shape"])
    return np.array(value["values"], value["dtype"]).reshape(value["shape"])


def pixels(image: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(image)), int)


def test_the_documents_name_what_is_tested():
    assert OLDEST[3, 11].rpartition(".")[0] == deployment.OLDEST_TENSORFLOW_VERSION


def test_it_answers_as_this_one_does(exported_model, local, sources, python, version, tmp_path):
    # In every format that the graph decodes.
    file = io.BytesIO()
    Image.open(io.BytesIO(sources[1])).save(file, "JPEG")
    images = [sources[0], file.getvalue(), sources[2]]
    requests = {name: inputs_of(name, ROWS, images) for name in ALL}
    (tmp_path / "requests.json").write_text(
        json.dumps({name: {key: as_json(value) for key, value in given.items()} for name, given in requests.items()})
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = (python, "-c", PROGRAM, exported_model / "1", tmp_path / "requests.json", tmp_path / "answers.json")
    assert run(*command, cwd=tmp_path, env=environment).strip() == version

    answers = json.loads((tmp_path / "answers.json").read_text())
    for name, given in requests.items():
        expected = local.predict(name, given)
        assert answers[name].keys() == expected.keys()
        for output, values in expected.items():
            answered = from_json(answers[name][output])
            assert answered.shape == values.shape, (name, output)
            if output == "image_bytes":
                for one, other in zip(answered, values, strict=True):
                    assert np.abs(pixels(one) - pixels(other)).max() <= 1, name
            elif values.dtype == object:
                assert answered.tolist() == values.tolist(), (name, output)
            else:
                np.testing.assert_allclose(answered, values, atol=1e-5, err_msg=f"{name}: {output}")
