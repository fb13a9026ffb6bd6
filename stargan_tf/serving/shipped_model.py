"""The exported model of a run that the package brings, made when it is first asked for, and photographs to try it."""

import tempfile
from importlib import resources
from pathlib import Path

from stargan_tf.base import cache_directory, command_line, files, stand_ins
from stargan_tf.runs import named_runs
from stargan_tf.serving.export_settings import ExportSettings

SAVED_MODEL = "saved_model.pb"  # the file without which a directory is no version
_BROUGHT: list[tempfile.TemporaryDirectory] = []  # from stores; they are removed at the end


def find(name: str) -> Path:
    """Finds a model; that of a shipped run is exported among the user's caches, once, which takes about a minute.

    Args:
        name: directory of a model or of a version, local or on a store, or the name of a shipped run.

    Returns:
        The model's directory, which may be missing if the name is a path; of one on a store, a local one with its
        newest version, which is removed when the process ends.

    Raises:
        UserError: there is no space for it.
    """
    if files.is_remote(name):
        return _bring(name.rstrip("/"))
    if not named_runs.is_shipped(name):
        return Path(name)
    run = named_runs.find(name)
    model = cache_directory.default() / "models" / run.parent.name / run.name
    if not model.is_dir():
        with command_line.quiet_start():
            from stargan_tf.serving.export import export_run

        export_run(run, model, 1, "saved_model", ExportSettings())
    return model


def _bring(address: str) -> Path:
    """Brings the newest version of a model that is on a store into a local directory."""
    found = files.find(address)
    versions = [folder for name in found if (folder := name.removesuffix(f"/{SAVED_MODEL}")).isdigit()]
    if SAVED_MODEL in found:  # it is a version itself
        wanted = list(found)
    else:
        newest = max(versions, key=int, default="none")
        wanted = [name for name in found if name.startswith(f"{newest}/")]
    directory = tempfile.TemporaryDirectory(prefix="stargan_tf-model-")
    _BROUGHT.append(directory)
    for name in wanted:
        files.fetch(files.join(address, name), Path(directory.name) / name)
    stand_ins.add(Path(directory.name), address)
    return Path(directory.name)


def photographs(name: str) -> list[Path]:
    """Returns photographs that a shipped run may be tried with; none for other names."""
    if not named_runs.is_shipped(name):
        return []
    folder = resources.files("stargan_tf") / "shipped" / name
    return sorted(Path(str(path)) for path in folder.iterdir())
