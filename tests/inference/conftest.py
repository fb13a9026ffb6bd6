"""Networks that all tests of sampling share, since compiling them takes seconds."""

import pytest

from stargan_tf.config import Config
from stargan_tf.inference import fonts
from stargan_tf.inference.translator import Translator
from stargan_tf.runs import run_directory


@pytest.fixture(scope="session")
def translator(trained_run) -> Translator:
    """Translates 16 px images, at most 4 at once."""
    return Translator.from_run(trained_run, batch_size=4)


@pytest.fixture(scope="session")
def config(trained_run) -> Config:
    """That of the run that the networks come from."""
    return run_directory.load_config(trained_run)


@pytest.fixture
def drawn_texts(monkeypatch) -> list[str]:
    """What is written into pictures."""
    texts: list[str] = []

    def draw(canvas, place, text, size, fill):
        texts.append(text)
        draw_text(canvas, place, text, size, fill)

    draw_text = fonts.draw
    monkeypatch.setattr(fonts, "draw", draw)
    return texts


@pytest.fixture
def no_fonts(monkeypatch):
    """A system without fonts of its own; what was found before and said before is forgotten."""
    fonts._font_of.cache_clear()
    monkeypatch.setattr(fonts, "_of_system", list)
    monkeypatch.setattr(fonts, "_told", set())
    yield
    fonts._font_of.cache_clear()
