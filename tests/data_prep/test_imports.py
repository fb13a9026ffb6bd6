"""The job takes from the rest only what says how data looks on disk; none of that imports TensorFlow."""

import ast
import subprocess
import sys
from pathlib import Path

import data_prep

ALLOWED = {
    "stargan_tf.base.command_line",
    "stargan_tf.base.errors",
    "stargan_tf.base.files",
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
    "stargan_tf.data.png_chunks",
    "stargan_tf.data.records",
    "stargan_tf.data.refusals",
    "stargan_tf.data.tfds_metadata",
    "stargan_tf.data.tfrecord",
    "stargan_tf.data.value_ranges",
}


def imported_modules():
    for path in Path(data_prep.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                package = node.module in ("stargan_tf", "stargan_tf.base")
                yield from (f"{node.module}.{name.name}" if package else node.module for name in node.names)


def test_imports_point_one_way_and_stay_light():
    taken = {name for name in imported_modules() if name.startswith("stargan_tf")}
    assert taken == ALLOWED
    code = f"import sys, {', '.join(sorted(taken))}\nsys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_matplotlib_is_imported_only_when_a_report_is_written():
    code = "import sys, data_prep.steps, data_prep.report, pipeline.report\nsys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
