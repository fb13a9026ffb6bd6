"""What everything beside training has in common."""

import contextlib
from typing import Self

from stargan_tf.training.hooks.schedule import Due


class Hook:
    """Something that happens beside training; entered while the loop runs.

    An exception ends the loop, but for NonFiniteError, which may send it back to the last checkpoint.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception) -> None:
        """Ends what the hook has begun, after an error too."""

    def before_call(self, step: int) -> None:
        """Called before the steps from `step` on."""

    def after_call(self, due: Due) -> None:
        """Called after them, at the end of a call, with what is due then."""


class Hooks(Hook):
    """Hooks that are called one after the other, in this order."""

    def __init__(self, *hooks: Hook):
        self._hooks = hooks
        self._entered = contextlib.ExitStack()

    def __enter__(self) -> Self:
        for hook in self._hooks:
            self._entered.enter_context(hook)
        return self

    def __exit__(self, *exception) -> None:
        self._entered.__exit__(*exception)

    def before_call(self, step: int) -> None:
        for hook in self._hooks:
            hook.before_call(step)

    def after_call(self, due: Due) -> None:
        for hook in self._hooks:
            hook.after_call(due)
