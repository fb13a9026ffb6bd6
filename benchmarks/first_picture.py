"""Seconds from opening the page in a browser to the first translated picture: `python -m benchmarks.first_picture`.

    python -m stargan_tf.demo & python -m http.server --directory MODELS/leaves_page/1 &
    python -m benchmarks.first_picture --with_server http://localhost:7860 --without http://localhost:8000

The pages are opened in turns, each time by a new Chromium, which has nothing stored. A page without a server draws its
first example by itself; on the other one the first example is clicked as soon as it is there. Both need examples.
"""

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from benchmarks.machine import processor
from stargan_tf.base import command_line

PROGRAM = "python -m benchmarks.first_picture"
SECONDS = 120  # nothing takes as long

# Whether the page can be used, and how the first example is chosen; a page without a server needs no click.
_READY = "return document.querySelector('#app:not([hidden]), .gallery-item') !== null"
_CHOOSE = "document.querySelector('.gallery-item')?.click()"
_DRAWN = """const image = document.querySelector('#shown img:last-of-type');
    return image ? image.complete && image.naturalWidth > 0 : Boolean(document.querySelector('#caption')?.innerText)"""


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        with_server: address of the page of `stargan_tf.demo`.
        without: address of a page of `stargan_tf.export --format web`.
        turns: how often each page is opened.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("with_server", "without")  # addresses

    with_server: str
    without: str
    turns: int = 5


def opened(address: str) -> tuple[float, float]:
    """Opens a page in a new browser; gives the seconds until it can be used, and until a picture is translated."""
    from selenium.webdriver.support.wait import WebDriverWait

    from tests import chromium

    browser = chromium.started()
    wait = WebDriverWait(browser, SECONDS, 0.02)
    try:
        start = time.monotonic()
        browser.get(address)
        wait.until(lambda _: browser.execute_script(_READY))
        ready = time.monotonic() - start
        browser.execute_script(_CHOOSE)
        wait.until(lambda _: browser.execute_script(_DRAWN))
        return ready, time.monotonic() - start
    finally:
        browser.quit()


def run(arguments: Arguments) -> None:
    """Opens the pages in turns and prints a table of medians."""
    pages = {"with a server": arguments.with_server, "without": arguments.without}
    turns = [{page: opened(address) for page, address in pages.items()} for _ in range(arguments.turns)]
    print(f"{processor()}, medians of {arguments.turns} turns, seconds from opening\n")
    print("| page | can be used | first translated picture |\n| --- | --- | --- |")
    for page in pages:
        ready, drawn = (statistics.median(values) for values in zip(*(turn[page] for turn in turns), strict=True))
        print(f"| {page} | {ready:.2f} | {drawn:.2f} |")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.partition("\n")[0], argv)


if __name__ == "__main__":
    sys.exit(main())
