"""Measures a run on data with known factors: `python -m stargan_tf.evaluate --run DIR --data DIR`."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stargan_tf import command_line
from stargan_tf.errors import UserError

PROGRAM = "python -m stargan_tf.evaluate"
DESCRIPTION = (
    "Translates validation images of the generated data set into every other domain, and reads off the pictures "
    "whether shape, place, size and hue are what they should be. Writes known_factors.json into the run directory."
)

RESULT_FILE = "known_factors.json"

# Measure, what it is called in the table, and how a value is shown.
_ROWS = (
    ("domain", "shape is of the target domain", "{:.1%}"),
    ("place", "shape moved, median, of the side", "{:.1%}"),
    ("size", "radius changed, median", "{:.1%}"),
    ("hue", "hue off the reference, median", "{:.1f} deg"),
    ("hue_spread", "hue between two styles, mean", "{:.1f} deg"),
)
_COLUMNS = (("latent", "latent-guided"), ("reference", "reference-guided"), ("real", "real images"))


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        run: run directory of a trained model.
        data: data directory that data_prep.images_to_tfrecords made from data_prep.synthetic.
        sources: validation images taken of each domain.
        styles: latent codes, and references, tried for each source and target.
        seed: another seed takes other latent codes and references.
    """

    run: str
    data: str
    sources: int = 50
    styles: int = 5
    seed: int = 0


def run(arguments: Arguments) -> None:
    """Measures as the arguments say, and prints a table.

    Raises:
        UserError: a mistake in the arguments, or data without known factors.
    """
    for name, least in (("sources", 1), ("styles", 2), ("seed", 0)):
        if getattr(arguments, name) < least:
            raise UserError(f"--{name} is {getattr(arguments, name)}; it must be at least {least}")
    with command_line.quiet_start():
        from stargan_tf.data.records import open_data_directory
        from stargan_tf.metrics import known_factors
        from stargan_tf.translation import Translator

        data = open_data_directory(arguments.data)
        translator = Translator.from_run(Path(arguments.run), batch_size=64)
    if translator.domains != data.domains:
        raise UserError(
            f"the run's domains are {', '.join(translator.domains)} but the data's are {', '.join(data.domains)}"
        )
    result = known_factors.evaluate(translator, data, arguments.sources, arguments.styles, arguments.seed)
    written = {"step": translator.step, **result}
    (Path(arguments.run) / RESULT_FILE).write_text(json.dumps(written, indent=2) + "\n")

    print(f"\n{'':34}" + "".join(f"{title:>18}" for _, title in _COLUMNS))
    for measure, title, form in _ROWS:
        cells = [form.format(result[guide][measure]) if measure in result[guide] else "" for guide, _ in _COLUMNS]
        print(f"{title:34}" + "".join(f"{cell:>18}" for cell in cells))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
