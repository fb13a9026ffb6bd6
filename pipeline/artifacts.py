"""What the stages pass on: the files in each artifact's directory, and how they are read and written.

Examples           a data directory, as data_prep.images_to_tfrecords writes it
ExampleStatistics  statistics.json, and Split-NAME/FeatureStats.pb for tools of TensorFlow Data Validation
Schema             schema.json, and schema.pbtxt for the same tools
ExampleAnomalies   anomalies.json
Model              run/ (a run directory), Format-Serving/ (a SavedModel, the content of a version directory), and
                   schema/ (the Schema of the data that it was trained on)
ModelEvaluation    evaluation.json and grids of translations
ModelBlessing      a file BLESSED or NOT_BLESSED, and reasons.json
InfraBlessing      the same
PushedModel        pushed.json

Apart from the seconds of an InfraBlessing, they do not depend on when or where they were made: a stage that runs again
writes the same.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import whole_directory

STATISTICS_FILE = "statistics.json"
SCHEMA_FILE = "schema.json"
SCHEMA_PROTO_FILE = "schema.pbtxt"
ANOMALIES_FILE = "anomalies.json"
RUN = "run"
SERVING_MODEL = "Format-Serving"
MODEL_SCHEMA = "schema"
EVALUATION_FILE = "evaluation.json"
BLESSED, NOT_BLESSED = "BLESSED", "NOT_BLESSED"
REASONS_FILE = "reasons.json"
PUSHED_FILE = "pushed.json"


def grid_file(model: str, mode: str) -> str:
    """Returns the file name of a grid; `model` is candidate or blessed, `mode` is latent or reference."""
    return f"{model}_{mode}.png"


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file with indentation."""
    path.write_text(f"{json.dumps(content, indent=1, ensure_ascii=False)}\n", encoding="utf-8")


def read_json(directory: str | Path, name: str, flag: str) -> Any:
    """Reads a JSON file of an artifact.

    Args:
        directory: the artifact.
        name: the file.
        flag: the flag that named the directory, for errors.

    Returns:
        Its content.

    Raises:
        UserError: it does not exist, or cannot be read.
    """
    path = Path(directory) / name
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--{flag} {str(directory)!r} has no {name} that can be read ({error.strerror})") from error
    except ValueError as error:
        raise UserError(f"{str(path)!r} is damaged: {error}") from error


def write_blessing(output: str | Path, reasons: Sequence[str], facts: Mapping[str, Any]) -> bool:
    """Writes a ModelBlessing or InfraBlessing.

    Args:
        output: its directory, new or empty.
        reasons: sentences that say why the model is not blessed; if there are none, it is.
        facts: what else is kept in the file.

    Returns:
        Whether the model is blessed.
    """
    with whole_directory(output) as directory:
        write_json(directory / REASONS_FILE, {"blessed": not reasons, "reasons": list(reasons), **facts})
        (directory / (NOT_BLESSED if reasons else BLESSED)).touch()
    return not reasons


def read_blessing(directory: str | Path, flag: str) -> dict[str, Any]:
    """Reads a ModelBlessing or InfraBlessing.

    Args:
        directory: the artifact.
        flag: the flag that named the directory, for errors.

    Returns:
        `blessed`, `reasons` and the facts.

    Raises:
        UserError: the directory holds no blessing, or one that contradicts itself.
    """
    content = read_json(directory, REASONS_FILE, flag)
    there = [name for name in (BLESSED, NOT_BLESSED) if (Path(directory) / name).is_file()]
    expected = BLESSED if content.get("blessed") is True else NOT_BLESSED
    if there != [expected]:
        raise UserError(
            f"--{flag} {str(directory)!r} contradicts itself: by {REASONS_FILE} it should have the file {expected}, "
            f"and it has {' and '.join(there) or 'none'}"
        )
    return content
