"""Results of an evaluation: as a file, as a table, and as scalars by name."""

import contextlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import write_json
from stargan_tf.evaluation.settings import MODES
from stargan_tf.metrics.frechet import ENOUGH_SAMPLES
from stargan_tf.runs import run_directory

DIRECTORY = "evaluation"

# Of the names that evaluations have in metrics.jsonl and TensorBoard.
PREFIX = "evaluation/"

# By name: title and format in a table, and whether higher is better.
MEASURES = {
    "fid": ("FID", "{:.2f}", False),
    "kid": ("KID x1000", "{:.2f}", False),
    "lpips": ("LPIPS", "{:.4f}", True),
    "precision": ("precision", "{:.3f}", True),
    "recall": ("recall", "{:.3f}", True),
    "density": ("density", "{:.3f}", True),
    "coverage": ("coverage", "{:.3f}", True),
}


def work_directory(run: Path) -> Path:
    """Returns the directory where a run's evaluations keep intermediate results until they are done."""
    return run / DIRECTORY / "work"


def write(result: Mapping[str, Any], run: Path) -> Path:
    """Writes a result into its run directory; another result of the same step stays, only the same one is replaced.

    Args:
        result: as `Evaluator.evaluate` returns it.
        run: the run directory.

    Returns:
        The path of the file.

    Raises:
        UserError: it cannot be written.
    """
    modes = "_".join(result["settings"]["modes"])
    name = f"{modes}_{result['extractor']['name']}_{result['key']}.json"
    path = run / DIRECTORY / f"step_{result['step']}" / name
    write_json(path, result)
    return path


def record(result: Mapping[str, Any], run: Path) -> None:
    """Appends the means to a run's metrics.jsonl and TensorBoard, unless they are there already.

    Raises:
        UserError: they cannot be written.
    """
    import tensorflow as tf

    entry = {"step": result["step"], **scalars(result)}
    try:
        if json.dumps(entry) in map(json.dumps, run_directory.recorded_metrics(run)):
            return
        with tf.summary.create_file_writer(str(run / run_directory.LOGS)).as_default(result["step"]):
            for name, value in scalars(result).items():
                tf.summary.scalar(name, value, description=description(name))
        run_directory.append_metrics(run, entry)
    except (OSError, tf.errors.OpError) as error:
        raise UserError(
            f"the results cannot be recorded in {str(run)!r} ({error}); the file with them is there"
        ) from error


def of_step(run: Path, step: int) -> list[dict[str, Any]]:
    """Reads the results of a step that `write` wrote into a run directory.

    Of a run that went back and came by the same step again, with other weights, these are the newest weights' results.

    Args:
        run: the run directory.
        step: number of steps that the evaluated networks were trained for.

    Returns:
        The results, as `Evaluator.evaluate` returns them, in the order of their files' names.

    Raises:
        UserError: a file is damaged.
    """
    paths = sorted((run / DIRECTORY / f"step_{step}").glob("[!.]*.json"))
    found = {path: read(path) for path in paths}
    if not found:
        return []
    newest = found[max(paths, key=lambda path: path.stat().st_mtime_ns)]
    return [result for result in found.values() if result.get("weights") == newest.get("weights")]


def read(path: Path) -> dict[str, Any]:
    """Reads a file with a result.

    Raises:
        UserError: it is damaged.
    """
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{str(path)!r} is damaged ({error}); evaluate once more, or remove it") from error
    if not isinstance(result, dict):
        raise UserError(f"{str(path)!r} holds no result of an evaluation; evaluate once more, or remove it")
    return result


def remove_work(run: Path, result: Mapping[str, Any]) -> None:
    """Deletes the intermediate results of a finished evaluation."""
    work = work_directory(run)
    shutil.rmtree(work / result["key"], ignore_errors=True)
    with contextlib.suppress(OSError):  # others may be under way
        work.rmdir()


def scalars(result: Mapping[str, Any]) -> dict[str, float]:
    """Returns the means under names that say what they were measured with, so no curve mixes incomparable numbers."""
    return {
        f"{PREFIX}{mode}/{measure}/{label(result, measure)}": result[mode]["mean"][measure]
        for mode in result["settings"]["modes"]
        for measure in MEASURES
    }


def description(name: str) -> str:
    """Returns what is said of a scalar of `scalars`."""
    parts = name.removeprefix(PREFIX).split("/")
    measure = parts[1] if parts[0] in MODES else parts[0]
    if measure not in MEASURES:
        return ""
    title, _, higher_is_better = MEASURES[measure]
    of = f"{parts[0]}-guided translations" if parts[0] in MODES else "translations of both kinds"
    return (
        f"{title} of {of}, averaged over all pairs of domains; {'higher' if higher_is_better else 'lower'} is better. "
        "The name says network, hash, and sources x outputs: only numbers of one name can be compared."
    )


def label(result: Mapping[str, Any], measure: str) -> str:
    """Names what a metric was measured with: network, its hash, sources per domain, outputs per source."""
    settings, network = result["settings"], result["distance" if measure == "lpips" else "extractor"]
    sources = "all" if settings["sources"] is None else settings["sources"]
    return f"{network['name']}_{network['hash']}/{sources}x{settings['outputs']}"


def overall(result: Mapping[str, Any], measure: str) -> float:
    """Returns the mean of a measure over modes and tasks."""
    modes = result["settings"]["modes"]
    return sum(result[mode]["mean"][measure] for mode in modes) / len(modes)


def table(result: Mapping[str, Any]) -> str:
    """Returns a table with a row for each task and one for the mean."""
    extractor, distance = result["extractor"], result["distance"]
    lines = [
        f"step {result['step']}: LPIPS by {distance['name']} {distance['hash']}, "
        f"everything else by features of {extractor['name']} {extractor['hash']}"
    ]
    if extractor.get("accuracy") is not None:
        lines[0] += f", which recognizes {extractor['accuracy']:.1%} of the validation images"
    for mode in result["settings"]["modes"]:
        rows = {f"{task['source']} to {task['target']}": task for task in result[mode]["tasks"].values()} | {
            "mean": result[mode]["mean"]
        }
        width = max(len(name) for name in (*rows, f"{mode}-guided"))
        lines += ["", f"{mode + '-guided':{width}}" + "".join(f"{title:>11}" for title, _, _ in MEASURES.values())]
        for name, values in rows.items():
            shown = {measure: values[measure] * (1000 if measure == "kid" else 1) for measure in MEASURES}
            cells = [form.format(shown[measure]) for measure, (_, form, _) in MEASURES.items()]
            lines.append(f"{name:{width}}" + "".join(f"{cell:>11}" for cell in cells))
    fewest = min(
        min(task["num_generated"], task["num_real"])
        for mode in result["settings"]["modes"]
        for task in result[mode]["tasks"].values()
    )
    if fewest < ENOUGH_SAMPLES:
        lines += [
            "",
            f"note: some FID is of only {fewest} images and too large; compare it only with others of as many, and "
            f"take at least {ENOUGH_SAMPLES} for numbers to be reported",
        ]
    return "\n".join(lines)
