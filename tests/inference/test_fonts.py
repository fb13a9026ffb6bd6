import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, features

from stargan_tf.inference import fonts, grids

# Scripts that the font of Matplotlib has, and some that only a font of the system may have.
ALWAYS = ["cat", "café", "Кошка", "γάτα", "😀"]
SHAPED = ["قطة", "בית"]
SOMETIMES = ["猫", "ねこ", "고양이", "बिल्ली", "แมว", "\U0001f996"]


def drawn(text: str) -> np.ndarray:
    picture = Image.new("L", (120, 24), 255)
    fonts.draw(ImageDraw.Draw(picture), (4, 4), text, 13, 0)
    return np.asarray(picture)


@pytest.mark.parametrize("text", ALWAYS)
def test_letters_of_many_scripts_are_drawn_on_a_bare_system(text, no_fonts):
    assert fonts.is_drawable(text)
    assert fonts.titles([text]) == {text: text}
    assert (drawn(text) < 128).any()
    boxes = drawn("\u0378" * len(text))  # a letter that does not exist
    assert not np.array_equal(drawn(text), boxes)


@pytest.mark.parametrize("text", SHAPED)
def test_joined_letters_are_drawn_where_there_is_a_library_for_that(text, no_fonts):
    assert fonts.is_drawable(text) == (features.check("raqm") and features.check("fribidi"))
    (title,) = fonts.titles([text]).values()
    assert title == (text if fonts.is_drawable(text) else "domain 1")


def test_no_two_names_look_alike(no_fonts):
    names = ["猫", "ねこ", *ALWAYS]
    pictures = [drawn(title).tobytes() for title in fonts.titles(names).values()]
    assert len(set(pictures)) == len(names)


@pytest.mark.parametrize("text", SOMETIMES)
def test_a_script_of_the_system_is_drawn_or_numbered(text):
    """Whether this machine has such a font or not."""
    (title,) = fonts.titles([text]).values()
    assert title == (text if fonts.is_drawable(text) else "domain 1")
    assert (drawn(title) < 128).any()
    if fonts.is_drawable(text):
        assert not np.array_equal(drawn(text), drawn("\u0378" * len(text)))


def test_names_without_a_font_are_numbered_listed_and_said_once(no_fonts, tmp_path, capsys):
    titles = fonts.titles(["cat", "猫", "บ้าน"], tmp_path)
    assert titles == {"cat": "cat", "猫": "domain 2", "บ้าน": "domain 3"}
    assert (tmp_path / "domains.txt").read_text() == "domain 2: 猫\ndomain 3: บ้าน\n"
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "no font here has the letters of 猫, บ้าน" in out
    assert "`apt-get install fonts-noto-cjk fonts-noto-core` brings one" in out
    assert fonts.titles(["cat", "猫", "บ้าน"], tmp_path) == titles
    assert capsys.readouterr().out == ""


def test_letters_that_must_be_joined_are_not_drawn_without_the_library_for_that(no_fonts, monkeypatch, capsys):
    monkeypatch.setattr(fonts, "_shapes", lambda: False)
    assert fonts.titles(["cat", "قطة"]) == {"cat": "cat", "قطة": "domain 2"}
    assert "`apt-get install libfribidi0` brings one" in capsys.readouterr().out


def test_a_number_is_never_another_domains_name(no_fonts):
    assert fonts.titles(["domain 2", "猫"]) == {"domain 2": "domain 1", "猫": "domain 2"}


def test_nothing_is_listed_where_all_is_drawn(no_fonts, tmp_path, capsys):
    assert fonts.titles(["cat", "Кошка"], tmp_path) == {"cat": "cat", "Кошка": "Кошка"}
    assert list(tmp_path.iterdir()) == [] and capsys.readouterr().out == ""


def test_a_broken_font_of_the_system_is_passed_over(tmp_path, no_fonts, monkeypatch):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    monkeypatch.setattr(fonts, "_of_system", lambda: [str(tmp_path / "broken.ttf")])
    assert not fonts.is_drawable("\u0378")


def test_marks_stay_with_their_letters():
    assert fonts._clusters("บ้าน") == ["บ้", "า", "น"]
    assert fonts._clusters("👩\u200d🚀!") == ["👩\u200d🚀", "!"]


def test_a_title_is_as_wide_as_its_letters(no_fonts):
    assert fonts.length("Кошка", 13) > fonts.length("Кошк", 13) > 0
    wide = grids.cycle_grid({"Кошка" * 20: np.zeros((1, 1, 8, 8, 3), np.float32)}, with_references=False)
    assert wide.width > 20 * fonts.length("Кошка", 13)


def test_plain_names_need_neither_matplotlib_nor_fonttools():
    lines = ["import sys", "from stargan_tf.inference import fonts", "fonts.titles(['a cat'])"]
    code = "\n".join([*lines, "sys.exit('matplotlib' in sys.modules or 'fontTools' in sys.modules)"])
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
