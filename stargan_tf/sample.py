"""Translates images with a run: `python -m stargan_tf.sample [translate | cycle | interpolate] --run DIR ...`."""

import sys
from collections.abc import Sequence

from stargan_tf.base import command_line
from stargan_tf.base.command_line import Mode
from stargan_tf.inference.modes import cycle, style_video, translate

PROGRAM = "python -m stargan_tf.sample"
MODES = {
    "translate": Mode(translate.Arguments, translate.run, translate.DESCRIPTION),
    "cycle": Mode(cycle.Arguments, cycle.run, cycle.DESCRIPTION),
    "interpolate": Mode(style_video.Arguments, style_video.run, style_video.DESCRIPTION),
}
OTHER_MODES = (
    "This is the mode `translate`, which need not be named. "
    f"`{PROGRAM} cycle` translates there and back and measures what was lost; `{PROGRAM} interpolate` makes a video "
    "that moves from style to style; both have a --help of their own."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main_of_modes(MODES, PROGRAM, OTHER_MODES, argv, default="translate")


if __name__ == "__main__":
    sys.exit(main())
