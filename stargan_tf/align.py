"""Aligns faces as the paper's data are: `python -m stargan_tf.align --input DIR --output DIR --fan FILE`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stargan_tf.base import command_line
from stargan_tf.faces.align_folder import AlignmentSettings, align_folder
from stargan_tf.faces.detection import Detector, make_detector
from stargan_tf.interop.published import read_face_network

PROGRAM = "python -m stargan_tf.align"
DESCRIPTION = (
    "Turns, scales and crops every picture of a folder so that eyes and mouth come to the same places. The face should "
    "fill most of the picture, as one face is looked for in the whole of it. Pictures keep their relative paths; in "
    "OUTPUT are also landmarks.jsonl (confidence, landmarks in pixels of the upright source, and the transform of each "
    "picture), rejected.jsonl (pictures without a face, and why), mean_landmarks.npz (where the faces were aligned "
    "to), and overview.png to look at."
)


@dataclass(frozen=True, kw_only=True)
class Arguments(AlignmentSettings):
    """The command line.

    Args:
        fan: face network: a run directory that has one, its file, or a published PyTorch file.
    """

    fan: str


def run(arguments: Arguments) -> None:
    """Aligns as the arguments say.

    Args:
        arguments: the command line.

    Raises:
        UserError: a mistake in the arguments, or no face in any picture.
    """
    align_folder(arguments, lambda: _load_detector(Path(arguments.fan)))


def _load_detector(path: Path) -> Detector:
    from stargan_tf.runs import face_network  # here, so that a mistake in the flags is answered at once

    return make_detector(face_network.build(read_face_network(path), path))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
