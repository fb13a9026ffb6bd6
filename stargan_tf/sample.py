"""Looks at what a run has learnt: `python -m stargan_tf.sample [translate | cycle | interpolate] --run DIR ...`."""

import sys
from collections.abc import Sequence

from stargan_tf.base import command_line
from stargan_tf.inference import cycle, interpolate, translate

PROGRAM = "python -m stargan_tf.sample"
MODES = {"translate": translate, "cycle": cycle, "interpolate": interpolate}

_OTHER_MODES = (
    "This is the mode `translate`, which need not be named. "
    f"`{PROGRAM} cycle` translates there and back and measures what was lost; `{PROGRAM} interpolate` makes a video "
    "that moves from style to style; both have a --help of their own."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and argv[0] in MODES:
        name, argv = argv[0], argv[1:]
        return command_line.main(
            MODES[name].Arguments, MODES[name].run, f"{PROGRAM} {name}", MODES[name].DESCRIPTION, argv
        )
    if argv and not argv[0].startswith("-"):
        print(f"{PROGRAM}: error: there is no mode {argv[0]!r}; choose {', '.join(MODES)}", file=sys.stderr)
        return command_line.USER_ERROR_EXIT_CODE
    description = f"{translate.DESCRIPTION} {_OTHER_MODES}"
    return command_line.main(translate.Arguments, translate.run, PROGRAM, description, argv)


if __name__ == "__main__":
    sys.exit(main())
