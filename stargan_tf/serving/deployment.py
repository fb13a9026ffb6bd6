"""Files that deploy an exported model with a stock TF Serving, written beside its versions; edited ones are kept."""

import json
import re
import string
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import write_text
from stargan_tf.serving.model_card import CARD_FILE

# Not a number, so that TF Serving does not take it for a version.
DIRECTORY = "serving"
MODELS_CONFIG = "models.config"
TEMPLATES = ("batching.config", MODELS_CONFIG, "monitoring.config", "compose.yaml", "kubernetes.yaml")

# The TensorFlow that saves the models, and the oldest that was seen to load them and to answer the same; a test does.
TENSORFLOW_VERSION = "2.21"
OLDEST_TENSORFLOW_VERSION = "2.12"
# The newest release of TF Serving.
SERVING_VERSION = "2.20.0"
POLL_SECONDS = 30

# The name becomes part of paths, URLs and text protos, and, with - for _, of Kubernetes names of at most 63 letters.
_MODEL_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9_-]{0,48}[A-Za-z0-9])?")


class _Template(string.Template):
    delimiter = "@"  # $ is Docker Compose's


def check_model_name(name: str) -> None:
    """Checks that a name can be that of a model of TF Serving, and a name on Kubernetes.

    Args:
        name: the last part of a model's directory.

    Raises:
        UserError: it cannot.
    """
    if not _MODEL_NAME.fullmatch(name):
        raise UserError(
            f"the model would be named {name!r}, after its directory; a name must have at most 50 letters (a to z), "
            "digits, - or _, start with a letter and end with a letter or digit"
        )


def write(
    directory: Path,
    model_name: str,
    version: int,
    allowed_batch_sizes: Sequence[int],
    serving_version: str = SERVING_VERSION,
) -> list[str]:
    """Writes what TF Serving, Docker Compose and Kubernetes need, and lists a new version for loading.

    Nothing that was edited is overwritten. The first version gets the labels stable and canary. A later one is only
    listed, so that a running server loads it: a server refuses a label that moves to a version it has not loaded.

    Args:
        directory: the model's directory, which holds the versions.
        model_name: its name on the server.
        version: the version that was just exported.
        allowed_batch_sizes: sizes that batches are filled up to, in rows; rising, at least 1.
        serving_version: release of TF Serving, a tag of its image.

    Returns:
        Sentences worth printing: what the user should do next, if anything.

    Raises:
        UserError: the name cannot be a model's.
        ValueError: the sizes do not rise.
    """
    check_model_name(model_name)
    sizes = list(allowed_batch_sizes)
    if not sizes or sizes[0] < 1 or sizes != sorted(set(sizes)):
        raise ValueError(f"allowed_batch_sizes are {sizes}; they must rise and be at least 1")
    serving = directory / DIRECTORY
    serving.mkdir(parents=True, exist_ok=True)
    values: dict[str, str | int] = {
        "model": model_name,
        "kubernetes_name": model_name.lower().replace("_", "-"),
        "max_batch_size": _max_rows(directory / str(version)) or sizes[-1],
        "max_execution_batch_size": sizes[-1],
        "allowed_batch_sizes": "\n".join(f"allowed_batch_sizes: {size}" for size in sizes),
        "tensorflow_version": TENSORFLOW_VERSION,
        "serving_version": serving_version,
        "oldest_tensorflow_version": OLDEST_TENSORFLOW_VERSION,
        "poll_seconds": POLL_SECONDS,
    }
    for name in TEMPLATES:
        if name != MODELS_CONFIG and not (serving / name).exists():
            write_text(serving / name, _fill(name, values))
    return _list_version(serving / MODELS_CONFIG, model_name, version)


def _max_rows(version: Path) -> int | None:
    """Returns how many rows a request may have, by the model card of a version."""
    path = version / CARD_FILE
    return json.loads(path.read_text())["limits"].get("max_rows") if path.is_file() else None


def models_config(model_name: str, versions: Sequence[int], stable: int, canary: int) -> str:
    """Returns the text of `models.config`: the versions to load, and those with the labels stable and canary."""
    values: dict[str, str | int] = {
        "model": model_name,
        "versions": "\n".join(f"        versions: {version}" for version in versions),
        "stable": stable,
        "canary": canary,
        "poll_seconds": POLL_SECONDS,
    }
    return _fill(MODELS_CONFIG, values)


def listed_versions(directory: Path) -> list[int]:
    """Returns the versions that `models.config` has a server load; none if there is no such file.

    Args:
        directory: the model's directory.
    """
    path = directory / DIRECTORY / MODELS_CONFIG
    return _versions_in(path.read_bytes().decode(errors="replace")) if path.is_file() else []


# By the layout that is written here and not as a proto: `tensorflow_serving.config` is in an extra, and what a proto
# would leave out, comments for example, shows that the file was edited.
def _versions_in(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"^ *versions: (\d+)$", text, re.MULTILINE)]


def _list_version(path: Path, model_name: str, version: int) -> list[str]:
    if not path.exists():
        write_text(path, models_config(model_name, [version], version, version))
        return []
    found = path.read_bytes().decode(errors="replace")
    versions = _versions_in(found)
    labels = {key: int(number) for key, number in re.findall(r'key: "(\w+)"\s+value: (\d+)', found)}
    # Numbers are meant to be edited; the file is the user's as soon as anything else differs.
    ours = labels.keys() == {"stable", "canary"} and found == models_config(model_name, versions, **labels)
    if version in versions:
        return []
    if not ours:
        return [
            f"{path} was edited and is left as it is; to have version {version} loaded, add `versions: {version}` to "
            "its model_version_policy"
        ]
    # Versions without a label are dropped from the list: each listed version takes memory.
    write_text(path, models_config(model_name, sorted({*labels.values(), version}), **labels))
    return [
        f"{path} lists version {version} now, so a running server loads it within {POLL_SECONDS} s; when it is "
        f"AVAILABLE, write its number below `canary` there (now {labels['canary']}), and to promote it below `stable` "
        f"(now {labels['stable']})"
    ]


def _fill(name: str, values: dict[str, str | int]) -> str:
    template = resources.files("stargan_tf.serving").joinpath("templates", name).read_text(encoding="utf-8")
    return _Template(template).substitute(values)
