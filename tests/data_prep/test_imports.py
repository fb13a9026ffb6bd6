"""The job takes from the rest only what says how data looks on disk; none of that imports TensorFlow."""

import ast
import importlib.metadata
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import data_prep

ALLOWED = {
    "stargan_tf.base.command_line",
    "stargan_tf.base.errors",
    "stargan_tf.base.files",
    "stargan_tf.base.process",
    "stargan_tf.base.progress",
    "stargan_tf.base.ranges",
    "stargan_tf.base.writing",
    "stargan_tf.config",  # which image sizes the networks take
    "stargan_tf.config.images",
    "stargan_tf.data.colour_profiles",
    "stargan_tf.data.decoding",  # which imports TensorFlow only when that decodes
    "stargan_tf.data.example_format",
    "stargan_tf.data.images",
    "stargan_tf.data.manifest",
    "stargan_tf.data.perceptual_hashes",
    "stargan_tf.data.png_chunks",
    "stargan_tf.data.records",
    "stargan_tf.data.refusals",
    "stargan_tf.data.tfds_metadata",
    "stargan_tf.data.tfrecord",
    "stargan_tf.data.value_ranges",
}


# Translates by an exported model, and so stands on more than data.
TRANSLATION = ("translation", "translate_images.py")


def imported_modules():
    root = Path(data_prep.__file__).parent
    for path in root.rglob("*.py"):
        if path.relative_to(root).parts[0] in TRANSLATION:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                package = node.module in ("stargan_tf", "stargan_tf.base", "stargan_tf.data")
                yield from (f"{node.module}.{name.name}" if package else node.module for name in node.names)


def test_imports_point_one_way_and_stay_light():
    taken = {name for name in imported_modules() if name.startswith("stargan_tf")}
    assert taken == ALLOWED
    code = f"import sys, {', '.join(sorted(taken))}\nsys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.slow
def test_translation_imports_tensorflow_only_to_load_a_model():
    code = "import sys, data_prep.translate_images, data_prep.translation.steps\nsys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.slow
def test_matplotlib_is_imported_only_when_a_report_is_written():
    code = "import sys, data_prep.steps, data_prep.report, pipeline.report\nsys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.slow
def test_the_documented_image_of_workers_has_what_they_import():
    text = (Path(__file__).parents[2] / "docs" / "data_on_clusters.md").read_text()
    dockerfile = re.search(r"```dockerfile\n(.*?)```", text, re.DOTALL)[1].replace("\\\n", " ")
    words = shlex.split(re.search(r"&& pip install (.*)", dockerfile)[1])
    installed = {canonicalize_name(Requirement(word).name) for word in words} | {
        "apache-beam"
    }  # the image is Beam's own
    code = "import sys, data_prep.steps; print(*(m.__file__ for n, m in sys.modules.items() if n.startswith(OURS)))"
    code = code.replace("OURS", "('data_prep', 'stargan_tf')")
    files = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    distributions = importlib.metadata.packages_distributions()
    imported = {name for file in files for name in imported_by_a_module(Path(file)) if name in distributions}
    providers = {name: {canonicalize_name(provider) for provider in distributions[name]} for name in imported}
    assert {"cv2", "PIL", "numpy", "apache_beam"} <= imported
    assert [name for name in imported if not providers[name] & {*installed, "stargan-tf"}] == []


def imported_by_a_module(path):
    """The packages that a module imports when it is imported itself."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.partition(".")[0]
