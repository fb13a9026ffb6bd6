"""A real browser for all tests of a session, skipped where there is none; what it asks other hosts for is noted."""

import http.server
import re
import shutil
import threading

import pytest

WINDOW = (1280, 900)

# Whom Chromium asks on its own account.
_OF_CHROMIUM = re.compile(
    r"(https?://)?((update|content-autofill|optimizationguide-pa|safebrowsing)\.googleapis|(accounts|clients\d|www)\.google|"
    r"(\w+\.)?gvt1)\.com\b"
)


class _Recorder(http.server.BaseHTTPRequestHandler):
    """A proxy that refuses everything; what is asked of this machine does not come here."""

    def refuse(self):
        if not _OF_CHROMIUM.match(self.path):
            self.server.asked.append(self.path)
        self.send_error(403)

    do_GET = do_POST = do_CONNECT = refuse

    def log_message(self, *_):
        pass


def started(*arguments, **preferences):
    """Starts Chromium without a window; the one who asked ends it."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", *arguments):
        options.add_argument(argument)
    if preferences:
        options.add_experimental_option("prefs", preferences)
    return webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A browser, with `downloads`, where it puts files, and `elsewhere`, what it asked other hosts for."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("Chromium is not installed; apt-get install chromium chromium-driver does that")
    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Recorder)
    proxy.asked = []
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    window = "--window-size={},{}".format(*WINDOW)
    recorder = f"--proxy-server=127.0.0.1:{proxy.server_port}"
    downloads = tmp_path_factory.mktemp("downloads")
    browser = started(window, recorder, **{"download.default_directory": str(downloads)})
    browser.downloads = downloads
    browser.elsewhere = proxy.asked
    yield browser
    browser.quit()
    proxy.shutdown()
    proxy.server_close()
