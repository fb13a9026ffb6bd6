"""The page in a real browser, in front of a real model; its tests are skipped where there is no browser."""

from pathlib import Path

import pytest

from stargan_tf.page.server import served
from stargan_tf.serving.served_model import LocalModel


@pytest.fixture
def model(local_model) -> LocalModel:
    return local_model


@pytest.fixture(scope="session")
def address(local_model, source):
    with served(local_model, "127.0.0.1", 0, [source]) as address:
        yield address


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
    page.click("#domain label:nth-of-type(2)")
    page.choose("source", source)
    page.wait_for_text("#shown label", "square, seed 0")
    return page
