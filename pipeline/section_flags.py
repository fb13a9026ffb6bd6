"""Flags of a stage's own command: named like the sections of a run's configuration, in hints of errors too."""

import contextlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence

from stargan_tf.base.errors import UserError
from stargan_tf.base.flags import dotted_fields


@contextlib.contextmanager
def hints_name(section: str, settings: type) -> Iterator[None]:
    """Puts the section before the flags that errors of the block name: `--steps` becomes `--trainer.steps`.

    What a stage calls has flags of its own, which the command that was given does not take.

    Args:
        section: of the configuration, like "trainer".
        settings: the dataclass of the section; other flags stay as they are.
    """
    names = [name for name, _ in dotted_fields(settings)]
    known = {".".join(parts[:length]) for parts in (name.split(".") for name in names) for length in (1, 2, 3)}

    def completed(flag: re.Match[str]) -> str:
        return f"--{section}.{flag[1]}" if flag[1] in known else flag[0]

    try:
        yield
    except UserError as error:
        error.args = (re.sub(r"--([a-z]\w*(?:\.\w+)*)", completed, str(error)),)
        raise


def with_new_names(argv: Sequence[str] | None, sections: Mapping[str, str]) -> list[str]:
    """Returns a command line with flags of earlier versions under the names that they have now.

    Args:
        argv: the arguments without the program's name; None for those of the process.
        sections: earlier names of sections, with the present ones.
    """
    argv = sys.argv[1:] if argv is None else argv
    earlier = re.compile(rf"^--({'|'.join(sections)})(?=[.=]|$)")
    return [earlier.sub(lambda found: f"--{sections[found[1]]}", argument, count=1) for argument in argv]
