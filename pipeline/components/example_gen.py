"""ExampleGen: `python -m pipeline.components.example_gen --input IMAGES --output DIR --image_size 256 [-- BEAM FLAGS]`.

The Beam job of data_prep is the stage: its flags, and those for Beam after a bare `--`, are those of
data_prep.images_to_tfrecords.
"""

import sys
from collections.abc import Sequence

from data_prep import images_to_tfrecords
from data_prep.images_to_tfrecords import Arguments, run

__all__ = ["Arguments", "main", "run"]

PROGRAM = "python -m pipeline.components.example_gen"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return images_to_tfrecords.main(argv, PROGRAM)


if __name__ == "__main__":
    sys.exit(main())
