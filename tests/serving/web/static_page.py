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
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

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


class StaticPage:
    """What a visitor sees and does.

    Args:
        browser: a driven one.
        address: of the folder, and what stands behind it.
    """

    def __init__(self, browser, address):
        self.browser = browser
        browser.get("about:blank")  # or only what stands behind # would change
        browser.get(address)
        self.wait(lambda: self.find("#app").is_displayed(), "loaded model")

    def find(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return " ".join(self.find(selector).text.split())

    def wait(self, condition, what):
        return WebDriverWait(self.browser, SECONDS, 0.05).until(lambda _: condition(), f"no {what} in {SECONDS} s")

    def wait_for_text(self, selector, text):
        self.wait(lambda: text in self.text(selector), f"{text!r} in {selector}")

    def click(self, selector):
        element = self.find(selector)
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        ActionChains(self.browser).move_to_element(element).click().perform()

    def keys(self, *keys):
        ActionChains(self.browser).send_keys(*keys).perform()

    def choose(self, which, path):
        self.find(f"#{which}").send_keys(str(path))

    def draw(self, path):
        """Chooses a source, and waits until it is drawn in all styles."""
        self.choose("source", path)
        self.wait(lambda: self.find("#results").is_displayed() and self.all("#style-strip label"), "styles")
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
