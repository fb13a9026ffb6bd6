"""A table of the paper, from its archive of images to its FID and LPIPS beside the published ones, by one command.

    python -m examples.reproduce --table afhq --archive afhq.zip --output work/afhq \
        --extractor inception.onnx --distance alex.onnx:alex.npz
    python -m examples.reproduce --table celeba_hq --archive celeba_hq.zip --output work/celeba_hq \
        --extractor inception.onnx --distance alex.onnx:alex.npz --checkpoint 100000_nets_ema.ckpt --fan wing.ckpt

The first trains, which takes days on a GPU; with --checkpoint the published networks are measured instead. Every step
is a command that users run: prepare, train or convert, evaluate. Ctrl-C stops it, and the same command goes on from
there. docs/reproduce.md says where the files come from, and why the tolerances are what they are.
"""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from examples import commands
from stargan_tf.base import cache_directory, command_line, writing
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import ImageSide, PositiveInt, Seed
from stargan_tf.config import differences, flatten, preset
from stargan_tf.data import records
from stargan_tf.data.records import DataDirectory
from stargan_tf.evaluation import agreement, results
from stargan_tf.evaluation.settings import MODES, ProtocolSettings
from stargan_tf.metrics import loading
from stargan_tf.metrics.identity import identity
from stargan_tf.runs import checkpoint_files, run_directory

# By what is measured: format, and format of a difference.
MEASURES = {"fid": ("FID", "{:.2f}", "{:+.2f}"), "lpips": ("LPIPS", "{:.4f}", "{:+.4f}")}


@dataclass(frozen=True)
class Table:
    """What the paper says of a data set (arXiv 1912.01865, tables 2 and 3).

    Args:
        title: its name there.
        preset: the published settings.
        domains: names of the folders in its archive, in alphabetical order, which was that of the published training.
        validation: images of each domain that are translated, where the paper tells.
        published: FID and LPIPS by mode, with the digits that were published with the checkpoints.
    """

    title: str
    preset: str
    domains: tuple[str, ...]
    validation: int | None
    published: dict[str, dict[str, float]]


TABLES = {
    "afhq": Table(
        title="AFHQ",
        preset="afhq_256",
        domains=("cat", "dog", "wild"),
        validation=500,
        published={"latent": {"fid": 16.18, "lpips": 0.4501}, "reference": {"fid": 19.78, "lpips": 0.4315}},
    ),
    "celeba_hq": Table(
        title="CelebA-HQ",
        preset="celeba_hq_256",
        domains=("female", "male"),
        validation=None,
        published={"latent": {"fid": 13.73, "lpips": 0.4515}, "reference": {"fid": 23.84, "lpips": 0.3880}},
    ),
}

# Shares of the published number, chosen before anybody has measured; docs/reproduce.md has the reasons.
TOLERANCES = {"imported": {"fid": 0.05, "lpips": 0.02}, "trained": {"fid": 0.10, "lpips": 0.05}}


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """The command line.

    Args:
        table: data set of the paper.
        archive: its images as published: a folder or an archive with train/DOMAIN and val/DOMAIN.
        output: directory of the data, the run and the table.
        extractor: the InceptionV3 of the published FID, as FILE.onnx.
        distance: the AlexNet of the published LPIPS and its linear weights, as FILE.onnx:WEIGHTS.npz.
        checkpoint: published checkpoint (100000_nets_ema.ckpt) to measure; by default networks are trained.
        fan: face network (wing.ckpt), which CelebA-HQ needs.
        steps: iterations of training in all.
        seed: of the training.
        image_size: side in pixels; the published one is 256.
        settings: YAML file whose settings replace the published ones, for those of speed and memory.
    """

    table: Literal["afhq", "celeba_hq"]
    archive: str
    output: str
    extractor: str
    distance: str
    checkpoint: str | None = None
    fan: str | None = None
    steps: PositiveInt = 100_000
    seed: Seed = 0
    image_size: ImageSide = 256
    settings: str | None = None


def run(arguments: Arguments) -> int:
    """Does what is not done yet; returns the exit code of the command that failed or was stopped, else 0.

    Raises:
        UserError: files that are missing or hold something else; told before anything is trained.
    """
    _check(arguments)
    table, output = TABLES[arguments.table], Path(arguments.output)
    way = "trained" if arguments.checkpoint is None else "imported"
    path, data = output / way, output / "data"
    try:
        for made in [data] if arguments.checkpoint is None else [data, path]:
            if made.is_dir():
                print(f"{made} is there and taken as it is")
        if arguments.checkpoint is not None and not run_directory.is_run(path):  # first: it takes seconds
            fan = () if arguments.fan is None else ("--fan", arguments.fan)
            domains = ("--domains", ",".join(table.domains))
            commands.run("stargan_tf.convert", "--checkpoint", arguments.checkpoint, "--run", path, *domains, *fan)
        if not data.is_dir():
            # PNG, since FID sees what another compression by JPEG leaves in the training images.
            stored = ("--image_size", arguments.image_size, "--encoding", "png", "--val_split", "val")
            commands.run("data_prep.images_to_tfrecords", "--input", arguments.archive, "--output", data, *stored)
        opened = _open(data, table)
        networks = _networks(arguments, opened)
        if arguments.checkpoint is None:
            commands.run("stargan_tf.train", "--data", data, "--run", path, *_training(arguments, table))
        result = _result(path, opened, networks)
        if result is None:
            measured = ("--mode", ",".join(MODES), "--extractor", arguments.extractor, "--distance", arguments.distance)
            commands.run("stargan_tf.evaluate", "--run", path, "--data", data, *measured)
            result = _result(path, opened, networks)
            assert result is not None, "what was evaluated is found"
    except commands.Stopped as stopped:
        return stopped.code
    rows = compared(result, table, TOLERANCES[way])
    unlike = deviations(result, table, flatten(run_directory.load_config(path)))
    facts = {"table": table.title, "networks": way, "step": result["step"], **networks, "data": result["data"]}
    writing.write_json(output / f"{way}.json", {**facts, "rows": rows, "deviations": unlike})
    print(f"\n{shown(facts, rows, unlike)}\n\nwritten to {output / f'{way}.json'}")
    return 0


def _check(arguments: Arguments) -> None:
    """Raises UserError for what would be missing hours or days later."""
    if not (arguments.extractor.endswith(".onnx") and ".onnx:" in arguments.distance):
        raise UserError(
            f"--extractor is {arguments.extractor!r} and --distance {arguments.distance!r}; the paper's numbers need "
            "FILE.onnx and FILE.onnx:WEIGHTS.npz, and docs/metrics.md says how these are made"
        )
    loading.check_names(arguments.extractor, arguments.distance)
    needs_fan = preset(TABLES[arguments.table].preset).model.needs_face_network
    if arguments.fan is not None and not needs_fan:
        raise UserError(f"--fan {arguments.fan!r} is of no use for {arguments.table}; leave it out")
    if arguments.fan is None and needs_fan and arguments.checkpoint is None:
        raise UserError("--fan is missing; CelebA-HQ is trained with the published face network, wing.ckpt")
    for name in ("checkpoint", "fan", "settings"):
        file = getattr(arguments, name)
        if file is not None and not Path(file).exists():
            raise UserError(f"there is no file {file!r} (--{name})")


def _open(data: Path, table: Table) -> DataDirectory:
    """Opens the data; raises UserError if they are not those of the table, or too few."""
    opened = records.open_data_directory(data)
    if opened.domains != table.domains:
        raise UserError(
            f"the domains in {str(data)!r} are {', '.join(opened.domains)}; those of {table.title} are "
            f"{', '.join(table.domains)}"
        )
    agreement.check_data(opened, ProtocolSettings())
    return opened


def _networks(arguments: Arguments, data: DataDirectory) -> dict[str, Any]:
    """Loads what measures, so that a mistake in it is told before training; returns what their numbers are known by."""
    extractor, distance = loading.load(arguments.extractor, arguments.distance, data, cache_directory.default())
    return {"extractor": identity(extractor), "distance": identity(distance)}


def _training(arguments: Arguments, table: Table) -> list[object]:
    flags: list[object] = ["--preset", table.preset]
    for flag, file in (("--config", arguments.settings), ("--face_network", arguments.fan)):
        flags += [] if file is None else [flag, file]
    flags += ["--model.image_size", arguments.image_size, "--training.seed", arguments.seed]
    return [*flags, "--training.steps", arguments.steps]


def _result(path: Path, data: DataDirectory, networks: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the whole evaluation of a run's newest checkpoint, if it has been made."""
    asked = {**networks, "data": records.fingerprint(data)}
    settings = dataclasses.asdict(ProtocolSettings()) | {"modes": list(MODES)}
    for result in results.of_step(path, checkpoint_files.saved_steps(path)[0]):
        if result["settings"] == settings and all(result[name] == value for name, value in asked.items()):
            return result
    return None


def compared(result: dict[str, Any], table: Table, tolerances: dict[str, float]) -> list[dict[str, Any]]:
    """Compares an evaluation with the paper.

    Args:
        result: as `Evaluator.evaluate` returns it, of both modes.
        table: what the paper says.
        tolerances: by measure, as shares of the published number.

    Returns:
        For each mode and measure `measured`, `published`, `difference`, `tolerance`, and whether it is `within`.
    """
    rows = []
    for mode, numbers in table.published.items():
        for measure, published in numbers.items():
            measured, tolerance = result[mode]["mean"][measure], tolerances[measure] * published
            row = {"task": f"{mode}-guided", "measure": measure, "measured": measured, "published": published}
            row |= {"difference": measured - published, "tolerance": tolerance}
            rows.append(row | {"within": abs(measured - published) <= tolerance})
    return rows


def deviations(result: dict[str, Any], table: Table, settings: dict[str, Any]) -> list[str]:
    """Lists in what a run is not the published one, so that its numbers need not be the published ones.

    Args:
        result: as for `compared`.
        table: what the paper says.
        settings: of the run, by dotted name.

    Returns:
        A phrase for each.
    """
    as_published = preset(table.preset)
    pairs: list[tuple[str, Any, Any]] = [("steps", result["step"], as_published.training.steps)]
    if table.validation is not None:
        counts = {task["source"]: task["num_sources"] for task in result[MODES[0]]["tasks"].values()}
        pairs += [(f"validation images of {source}", count, table.validation) for source, count in counts.items()]
    for name, (published, found) in differences(flatten(as_published), settings).items():
        if name.startswith(("model.", "losses.", "optimizers.", "input.")) or name == "training.precision":
            pairs.append((name, found, published))
    return [f"{name} {found} instead of {published}" for name, found, published in pairs if found != published]


def shown(facts: dict[str, Any], rows: list[dict[str, Any]], unlike: list[str]) -> str:
    """Returns the table as text."""
    extractor, distance = facts["extractor"], facts["distance"]
    lines = [
        f"{facts['table']}, {facts['networks']} networks, step {facts['step']:,}: FID by {extractor['name']} "
        f"{extractor['hash']}, LPIPS by {distance['name']} {distance['hash']}",
        f"{'':23}" + "".join(f"{title:>12}" for title in ("measured", "published", "difference", "tolerance")),
    ]
    for row in rows:
        title, form, signed = MEASURES[row["measure"]]
        forms = {"measured": form, "published": form, "difference": signed, "tolerance": form}
        cells = "".join(f"{form.format(row[name]):>12}" for name, form in forms.items())
        lines.append(f"{row['task'] + ' ' + title:23}{cells}  {'within' if row['within'] else 'outside'}")
    if unlike:
        lines += ["", f"not as published: {'; '.join(unlike)}"]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the example; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, "python -m examples.reproduce", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
