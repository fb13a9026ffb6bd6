"""The exported model in programs that do not have this package."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.serving.good_requests import ALL, PLAIN, inputs_of

BARE = """
import sys
sys.modules["stargan_tf"] = sys.modules["keras"] = None  # neither can be imported
import numpy as np, tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
outputs = loaded.signatures["translate_latent"](
    image_bytes=tf.constant([open(sys.argv[2], "rb").read()]), domain=tf.constant(["square"]),
    seed=tf.constant([3], tf.int64), psi=tf.constant([0.5]), format=tf.constant(["png"]))
open(sys.argv[3], "wb").write(outputs["image_bytes"].numpy()[0])
"""


def test_a_process_without_this_package(exported_model, local, images_path, tmp_path):
    source, output = images_path / "val" / "circle" / "00000.png", tmp_path / "output.png"
    command = [sys.executable, "-c", BARE, str(exported_model / "1"), str(source), str(output)]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    assert output.read_bytes() == local.translate_latent(source.read_bytes(), "square", [3], psi=0.5)[0].image


# What people who have only TensorFlow, Keras and LiteRT do with it. In argv: the version, and a folder for results.
OUTSIDER = """
import functools, sys
sys.modules["stargan_tf"] = None
import keras, numpy as np, tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

version, folder = sys.argv[1:]
tf.saved_model.load = functools.cache(tf.saved_model.load)  # a layer loads it anew
given = np.load(f"{folder}/inputs.npz", allow_pickle=True)
results = {}
for name, function in tf.saved_model.load(version).signatures.items():
    inputs = {key: tf.constant(given[f"{name}/{key}"].tolist(), spec.dtype)
              for key, spec in function.structured_input_signature[1].items()}
    outputs = keras.layers.TFSMLayer(version, call_endpoint=name)(inputs)
    results |= {f"{name}/{key}": value.numpy() for key, value in outputs.items()}

layer = keras.layers.TFSMLayer(version, call_endpoint="translate_style_plain")
image, style = keras.Input((16, 16, 3)), keras.Input((8,))
drawn = layer({"image": image, "style": style})["translated_image"]
model = keras.Model([image, style], keras.layers.Rescaling(127.5, 127.5)(drawn))
results["keras"] = model.predict([given["translate_style_plain/" + key] for key in ("image", "style")], verbose=0)

for name in ("translate_style_plain", "encode_style_plain"):
    converter = tf.lite.TFLiteConverter.from_saved_model(version, signature_keys=[name])
    runner = Interpreter(model_content=converter.convert()).get_signature_runner(name)
    keys = runner.get_input_details()
    outputs = runner(**{key: given[f"{name}/{key}"] for key in keys})
    results |= {f"litert/{name}/{key}": value for key, value in outputs.items()}
np.savez(f"{folder}/results.npz", **results)
"""


@pytest.mark.slow
def test_layers_of_keras_and_the_converter_of_litert(exported_model, local, sources, tmp_path):
    inputs = {signature: inputs_of(signature, 2, sources) for signature in ALL}
    flat = {f"{name}/{key}": value for name, values in inputs.items() for key, value in values.items()}
    np.savez(tmp_path / "inputs.npz", **flat)
    command = [sys.executable, "-c", OUTSIDER, str(exported_model / "1"), str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    given = np.load(tmp_path / "results.npz", allow_pickle=True)
    for name in ALL:
        for key, expected in local.predict(name, inputs[name]).items():
            if expected.dtype == object:
                assert given[f"{name}/{key}"].tolist() == expected.tolist()
                continue
            np.testing.assert_allclose(given[f"{name}/{key}"], expected, atol=1e-5)
            if name in PLAIN:
                np.testing.assert_allclose(given[f"litert/{name}/{key}"], expected, atol=1e-4)
    drawn = given["translate_style_plain/translated_image"]
    np.testing.assert_allclose(given["keras"], 127.5 * drawn + 127.5, atol=1e-2)


# Loads and runs the model by TensorFlow's C API alone: the Python package is not imported. In argv: the library, the
# model, files of the inputs, the file of the output, and names of the tensors.
C_API = """
import ctypes, sys
import numpy as np

library, model, image_file, style_file, output_file, *names = sys.argv[1:]
tf = ctypes.CDLL(library)
for name in ("TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions", "TF_LoadSessionFromSavedModel", "TF_NewTensor",
             "TF_GraphOperationByName", "TF_TensorData"):
    getattr(tf, name).restype = ctypes.c_void_p
tf.TF_Message.restype = ctypes.c_char_p
tf.TF_TensorByteSize.restype = ctypes.c_size_t
pointer = ctypes.c_void_p
status, graph, options = pointer(tf.TF_NewStatus()), pointer(tf.TF_NewGraph()), pointer(tf.TF_NewSessionOptions())
tags = (ctypes.c_char_p * 1)(b"serve")
session = pointer(tf.TF_LoadSessionFromSavedModel(
    options, None, model.encode(), tags, ctypes.c_int(1), graph, None, status))
assert tf.TF_GetCode(status) == 0, tf.TF_Message(status)

class Output(ctypes.Structure):
    _fields_ = [("operation", pointer), ("index", ctypes.c_int)]

def place(name):
    operation, index = name.split(":")
    return Output(tf.TF_GraphOperationByName(graph, operation.encode()), int(index))

keep = ctypes.CFUNCTYPE(None, pointer, ctypes.c_size_t, pointer)(lambda *arguments: None)
def tensor(array):
    dims = (ctypes.c_int64 * array.ndim)(*array.shape)
    content = array.ctypes.data_as(pointer)
    return tf.TF_NewTensor(1, dims, array.ndim, content, ctypes.c_size_t(array.nbytes), keep, None)

arrays = [np.load(image_file), np.load(style_file)]
feeds = (pointer * 2)(*map(tensor, arrays))
results = (pointer * 1)()
tf.TF_SessionRun(session, None, (Output * 2)(*map(place, names[:2])), feeds, 2, (Output * 1)(place(names[2])), results,
                 1, None, 0, None, status)
assert tf.TF_GetCode(status) == 0, tf.TF_Message(status)
result = pointer(results[0])
content = ctypes.string_at(tf.TF_TensorData(result), tf.TF_TensorByteSize(result))
np.save(output_file, np.frombuffer(content, np.float32).reshape(arrays[0].shape))
assert "tensorflow" not in sys.modules
"""


def test_the_c_api(exported_model, session, local, tmp_path):
    library = next(Path(tf.sysconfig.get_lib()).glob("libtensorflow_cc.so*"))
    inputs = inputs_of("translate_style_float", 2, [b""])
    for name, value in inputs.items():
        np.save(tmp_path / f"{name}.npy", value)
    definition = session.definitions["translate_style_float"]
    names = [definition.inputs[name].name for name in ("image", "style")] + [definition.outputs["image"].name]
    files = [str(tmp_path / f"{name}.npy") for name in ("image", "style", "output")]
    command = [sys.executable, "-c", C_API, str(library), str(exported_model / "1"), *files, *names]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = local.predict("translate_style_float", inputs)["image"]
    np.testing.assert_allclose(np.load(files[-1]), expected, atol=1e-5)


def test_saved_model_cli(exported_model, images_path, tmp_path):
    np.savez(
        tmp_path / "inputs.npz",
        latent=np.zeros((2, 4), np.float32),
        psi=np.ones(2, np.float32),
        domain=np.array(["circle", "square"]),
    )
    command = [str(Path(sys.executable).parent / "saved_model_cli"), "run", "--dir", str(exported_model / "1")]
    given = ";".join(f"{name}={tmp_path / 'inputs.npz'}[{name}]" for name in ("latent", "psi", "domain"))
    command += ["--tag_set", "serve", "--signature_def", "map_latent", "--inputs", given, "--outdir", str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"})
    assert "error" in done.stdout
    assert np.load(tmp_path / "style.npy").shape == (2, 8)
