"""From a folder of photographs to a translator, its numbers and its pictures, by one command that can be stopped.

    python -m examples.showcase --input photos --output work/showcase --steps 8000
    python -m examples.showcase --input tensorflow_datasets/plant_village --output work/showcase \
        --domain tomato_healthy=Tomato___healthy potato_early_blight=Potato___Early_blight

Every step is a command that users run: prepare, train, evaluate, draw. Ctrl-C stops it, and the same command goes on
from there; with more `--steps` it goes on training. The pictures are of the first photographs of the validation set,
whatever they look like, not of the best ones.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from examples import commands
from stargan_tf.base import command_line, writing
from stargan_tf.base.ranges import NonNegativeInt, PositiveInt
from stargan_tf.data.images import to_image
from stargan_tf.runs import run_directory


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        input: what data_prep.images_to_tfrecords takes: a folder of domains, or a directory of TensorFlow Datasets.
        output: directory of the data, the run and the pictures.
        domain: labels that become domains, as NAME=LABEL or LABEL; by default all.
        image_size: side in pixels.
        preset: settings to start from.
        settings: YAML file whose settings replace those of the preset, like examples/wide.yaml.
        steps: iterations of training in all.
        seed: of the training.
        first: photographs of each domain that are shown, the first of the validation set.
    """

    input: str
    output: str
    domain: list[str] = field(default_factory=list)
    image_size: PositiveInt = 64
    preset: str = "photos_64"
    settings: str | None = None
    steps: PositiveInt = 8000
    seed: NonNegativeInt = 0
    first: PositiveInt = 4


def run(arguments: Arguments) -> int:
    """Does what is not done yet; returns the exit code of the command that failed or was stopped, else 0."""
    output = Path(arguments.output)
    data, trained = output / "data", output / "run"
    try:
        if not data.is_dir():
            chosen = [flag for domain in arguments.domain for flag in ("--domain", domain)]
            size = ("--image_size", arguments.image_size)
            commands.run("data_prep.images_to_tfrecords", "--input", arguments.input, "--output", data, *size, *chosen)
        settings: list[object] = [
            "--preset",
            arguments.preset,
            *([] if arguments.settings is None else ["--config", arguments.settings]),
        ]
        settings += ["--model.image_size", arguments.image_size, "--training.seed", arguments.seed]
        commands.run(
            "stargan_tf.train", "--data", data, "--run", trained, *settings, "--training.steps", arguments.steps
        )
        if _measured_step(trained) != arguments.steps:
            commands.run("stargan_tf.evaluate", "--run", trained, "--data", data, "--mode", "photographs")
        pictures = _draw(arguments, data, trained, output)
        if not (packed := pictures / "translator.npz").is_file():
            commands.run("stargan_tf.convert", "--run", trained, "--pack", packed)
    except commands.Stopped as stopped:
        return stopped.code
    print(f"\npictures:  {pictures}\nnumbers:   {trained / run_directory.PHOTOGRAPHS_FILE}")
    print(f"failures:  {trained / run_directory.FAILURES_FILE}\nin one file: {packed}")
    return 0


def _measured_step(trained: Path) -> int | None:
    try:
        return json.loads((trained / run_directory.PHOTOGRAPHS_FILE).read_text())["step"]
    except FileNotFoundError:
        return None


def _draw(arguments: Arguments, data: Path, trained: Path, output: Path) -> Path:
    """Draws translations of the first photographs in drawn styles and in those of each other, and an interpolation."""
    first = output / f"first_{arguments.first}"
    if not first.is_dir():
        _write_first(data, first, arguments.first)
    pictures = output / f"step_{arguments.steps}"
    common = ("--run", trained, "--source", first)
    if not (pictures / "translations").is_dir():
        shown = ("--reference", first, "--grid_sources", 3 * arguments.first)
        commands.run("stargan_tf.sample", *common, *shown, "--output", pictures / "translations")
    if not (pictures / "interpolation.webp").is_file():
        commands.run("stargan_tf.sample", "interpolate", *common, "--output", pictures / "interpolation.webp")
    return pictures


def _write_first(data: Path, directory: Path, count: int) -> None:
    """Writes the first validation photographs of each domain, as they are stored."""
    with command_line.quiet_start():
        from stargan_tf.data.input_pipeline import read_images
        from stargan_tf.data.records import open_data_directory, split_name

        opened = open_data_directory(data)
    with writing.whole_directory(directory) as new:
        for domain in opened.domains:
            (new / domain).mkdir()
            for index, image in enumerate(read_images(opened, split_name("val", domain), count)[0]):
                to_image(image).save(new / domain / f"{index:02}.png")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the example; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, "python -m examples.showcase", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
