"""The page in a real browser, in front of a real model; its tests are skipped where there is no browser."""

import shutil
from pathlib import Path

import pytest

from stargan_tf.page.server import served
from stargan_tf.serving.served_model import LocalModel

WINDOW = (1280, 900)


@pytest.fixture
def model(local_model) -> LocalModel:
    return local_model


@pytest.fixture(scope="session")
def address(local_model):
    with served(local_model, "127.0.0.1", 0) as address:
        yield address


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium is not installed; apt-get install chromium chromium-driver does that")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    window = "--window-size={},{}".format(*WINDOW)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", window):
        options.add_argument(argument)
    downloads = tmp_path_factory.mktemp("downloads")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    browser.downloads = downloads
    yield browser
    browser.quit()


@pytest.fixture
def page(browser, address):
    from tests.page.browser import Page

    return Page(browser, address)


@pytest.fixture(scope="session")
def source(images_path) -> Path:
    return images_path / "val" / "circle" / "00001.png"


@pytest.fixture(scope="session")
def reference(images_path) -> Path:
    return images_path / "val" / "square" / "00002.png"


@pytest.fixture
def drawn(page, source):
    """The page with the source drawn in styles of squares."""
    page.choose("source", source)
    page.wait_for("#source-seen img")
    page.click("#domain label:nth-of-type(2)")
    page.click("#draw")
    page.wait_for_text("#styles legend", "Styles of square")
    return page
