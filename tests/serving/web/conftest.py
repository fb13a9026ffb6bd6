"""The page without a server, exported from the small run, and opened in a browser."""

import sys
from pathlib import Path

import pytest

from stargan_tf import export
from stargan_tf.base.errors import UserError
from stargan_tf.serving.web import runtime

# Where `make runtime` installs it.
RUNTIME = Path(sys.prefix) / runtime.PACKAGE


@pytest.fixture(scope="session")
def installed_runtime() -> Path:
    try:
        runtime.find(str(RUNTIME))
    except UserError:
        pytest.skip("onnxruntime-web is not installed; `make runtime` does that")
    return RUNTIME


@pytest.fixture(scope="session")
def export_page(installed_runtime, tmp_path_factory):
    """Exports a run with flags; returns the folder of the page."""

    def export_page(run, *flags):
        model = tmp_path_factory.mktemp("page") / "shapes"
        command = ["--run", run, "--output", model, "--format", "web", "--runtime", installed_runtime, *flags]
        assert export.main([str(word) for word in command]) == 0
        return model / "1"

    return export_page


@pytest.fixture(scope="session")
def folder(export_page, trained_run, images_path):
    """The folder of the page, as it is by default but for examples and a licence."""
    return export_page(trained_run, "--examples", images_path / "val", "--licence", "<b>CC0</b>")


@pytest.fixture(scope="session")
def address(folder, tmp_path_factory):
    from tests.serving.web.static_page import static_server

    with static_server(folder, tmp_path_factory.mktemp("server") / "log") as (address, _):
        yield address


@pytest.fixture
def page(browser, address):
    from tests.serving.web.static_page import StaticPage

    page = StaticPage(browser, f"{address}#domain=circle")
    page.wait_until_drawn()  # the first example
    return page


@pytest.fixture
def source(images_path) -> Path:
    return images_path / "val" / "circle" / "00001.png"
