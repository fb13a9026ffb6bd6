"""What everything beside training has in common."""

from typing import Self

from stargan_tf.training.hooks.schedule import Due


class Hook:
    """Something that happens beside training; entered while the loop runs.

    The loop calls its hooks in the order of their list. An exception ends the loop, and NonFiniteError may send it back
    to the last checkpoint.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception) -> None:
        """Ends what the hook has begun, after an error too."""

    def before_call(self, step: int) -> None:
        """Called before the steps from `step` on."""

    def after_call(self, due: Due) -> None:
        """Called after them, at the end of a call, with what is due then."""
