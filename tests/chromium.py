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


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A browser, with `downloads`, where it puts files, and `elsewhere`, what it asked other hosts for."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium is not installed; apt-get install chromium chromium-driver does that")
    from selenium import webdriver

    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Recorder)
    proxy.asked = []
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    window = "--window-size={},{}".format(*WINDOW)
    recorder = f"--proxy-server=127.0.0.1:{proxy.server_port}"
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", window, recorder):
        options.add_argument(argument)
    downloads = tmp_path_factory.mktemp("downloads")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    browser.downloads = downloads
    browser.elsewhere = proxy.asked
    yield browser
    browser.quit()
    proxy.shutdown()
    proxy.server_close()
