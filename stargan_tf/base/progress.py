"""How far long work has come: a bar on a terminal, and a line now and then where there is none."""

import contextlib
import sys
import time
from collections.abc import Collection, Iterator
from typing import Self, TypeVar

from tqdm import tqdm

from stargan_tf.base.process import repeating

Item = TypeVar("Item")

# Seconds until the first line, and the most between two: each comes after twice the time of the one before.
_FIRST_LINE, _RAREST_LINE = 5.0, 60.0

# How often what takes long is looked at.
_LOOK_SECONDS = 0.5

_now = time.monotonic


class Progress:
    """Shows on stderr how far work has come, while a `with` block runs.

    A bar where stderr is a terminal. Elsewhere, in a log file or a notebook, every change of a bar would be a line, so
    there are few: after 5 s, 10 s later, 20 s later, and at last one a minute. Short work prints none.

    Args:
        total: how many units there are.
        description: what is done, like "translating".
        unit: what is counted, in the plural, like "images".
        done: how many units are done before.
        keep: whether a bar stays when the block ends.
        delay: seconds before a bar appears.
    """

    def __init__(self, total: int, description: str, unit: str, done: int = 0, keep: bool = True, delay: float = 0):
        self.total, self.done = total, done
        self._description, self._unit, self._note = description, unit, ""
        self._bar: tqdm = tqdm(
            total=total,
            initial=done,
            desc=description,
            unit=f" {unit}",
            leave=keep,
            delay=delay,
            disable=None,  # where there is no terminal
            dynamic_ncols=True,
        )
        self._start, self._clock = _now(), _Clock()
        # When the first units were done, and how many: they take longer, since graphs are compiled with them.
        self._first: tuple[float, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception) -> None:
        self._bar.close()

    def update(self, count: int = 1, note: str | None = None) -> None:
        """Says that more is done.

        Args:
            count: units since the last time; negative where work went back.
            note: what else is shown from now on, like losses.
        """
        self.done += count
        if note is not None:
            self._note = note
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(count)
        if self._bar.disable and self._clock.is_due():
            self._print_line()
        if self._first is None and count > 0:
            self._first = _now(), self.done

    def _print_line(self) -> None:
        took = _now() - self._start
        line = f"{self._description}: {self.done} of {self.total} {self._unit}, {tqdm.format_interval(took)} so far"
        if self._first is not None and self._first[1] < self.done <= self.total:
            rate = (self.done - self._first[1]) / (_now() - self._first[0])
            line += f", about {tqdm.format_interval((self.total - self.done) / rate)} to go"
        print(line + (f"; {self._note}" if self._note else ""), file=sys.stderr, flush=True)


def each(items: Collection[Item], description: str, unit: str) -> Iterator[Item]:
    """Yields items one by one, and shows how many are done, as `Progress` does."""
    with Progress(len(items), description, unit) as progress:
        for item in items:
            yield item
            progress.update()


@contextlib.contextmanager
def waiting(description: str) -> Iterator[None]:
    """Shows on stderr how long something takes that does not say how far it is, while a `with` block runs.

    Args:
        description: what is done, like "encoding the video".
    """
    start, clock = _now(), _Clock()
    bar: tqdm = tqdm(desc=description, bar_format="{desc}: {elapsed}", leave=False, disable=None)

    def show() -> None:
        if not bar.disable:
            bar.refresh()
        elif clock.is_due():
            print(f"{description}: {tqdm.format_interval(_now() - start)} so far", file=sys.stderr, flush=True)

    with contextlib.closing(bar), repeating.meanwhile(show, _LOOK_SECONDS):
        yield


class _Clock:
    """Says when a line is due: after 5 s, 10 s later, 20 s later, and at last one a minute."""

    def __init__(self) -> None:
        self._wait, self._next = _FIRST_LINE, _now() + _FIRST_LINE

    def is_due(self) -> bool:
        if _now() < self._next:
            return False
        self._wait = min(2 * self._wait, _RAREST_LINE)
        self._next = _now() + self._wait
        return True


def say(line: str) -> None:
    """Prints a line on stdout, above a bar that may be there."""
    tqdm.write(line)
