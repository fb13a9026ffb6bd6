"""The page without a server in a browser, and what a visitor sees of it and does with it."""

import base64
import contextlib
import io
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from tests.browser_page import BrowserPage

# Nothing takes as long, on a machine that is not busy with other things.
SECONDS = 120


@contextlib.contextmanager
def static_server(folder: Path, log: Path):
    """Serves a folder by Python's own server; yields its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file)
        try:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}/", process
        finally:
            process.kill()
            process.wait()


class StaticPage(BrowserPage):
    """What a visitor sees and does.

    Args:
        browser: a driven one.
        address: of the folder, and what stands behind it.
    """

    SECONDS = SECONDS

    def __init__(self, browser, address):
        super().__init__(browser)
        browser.get("about:blank")  # or only what stands behind # would change
        browser.get(address)
        self.wait(lambda: self.find("#app").is_displayed(), "loaded model")

    def choose(self, which, path):
        self.find(f"#{which}").send_keys(str(path))

    def draw(self, path):
        """Chooses a source, and waits until it is drawn in all styles."""
        self.choose("source", path)
        self.wait(lambda: self.find("#results").is_displayed() and self.all("#style-strip label"), "styles")
        self.wait_until_drawn()

    def choose_example(self, number):
        """Chooses an example, from 1 on, and waits until it is drawn in all styles."""
        example = f"#example-strip button:nth-of-type({number})"
        self.click(example)
        self.wait(lambda: self.all(f"{example}[aria-pressed=true]"), f"example {number}")
        self.wait_until_drawn()

    def wait_until_drawn(self):
        self.wait(lambda: not self.all(".waiting"), "drawn styles")

    def pixels(self, selector):
        """What a canvas shows, uint8 [height, width, 3]."""
        url = self.browser.execute_script("return document.querySelector(arguments[0]).toDataURL()", selector)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))

    def run(self, script, *arguments):
        """Runs the body of an asynchronous function; returns what it returns."""
        code = f"(async (...given) => {{{script}}})(...arguments).then(done, (error) => done({{error: `${{error}}`}}))"
        self.browser.set_script_timeout(SECONDS)
        result = self.browser.execute_async_script(f"const done = [...arguments].at(-1); {code}", *arguments)
        assert not (isinstance(result, dict) and "error" in result), result
        return result

    def download(self, selector, name):
        path = self.browser.downloads / name
        path.unlink(missing_ok=True)
        self.click(selector)
        self.wait(lambda: path.is_file() and path.stat().st_size, f"download {name}")
        return path
