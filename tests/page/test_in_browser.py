"""The page with real clicks, keys and files."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stargan_tf.data.images import decode_image

pytest.importorskip("gradio", reason="Gradio is not installed; pip install '.[demo]' does that")
pytest.importorskip("selenium", reason="Selenium is not installed; pip install '.[dev]' does that")

from selenium.webdriver.common.keys import Keys

from tests.page.browser import Page

PHONE = (390, 844)


def images(translations):
    return [translation.image for translation in translations]


def test_styles_are_drawn_and_selected(drawn, model, source):
    expected = model.translate_latent(source.read_bytes(), "square", range(8))
    assert drawn.images("#styles") == images(expected)
    assert drawn.text("#styles").endswith("seed 0 seed 1 seed 2 seed 3 seed 4 seed 5 seed 6 seed 7")
    assert drawn.text("#shown figcaption") == "square, seed 0"
    drawn.click("#styles label:nth-of-type(6)")
    drawn.wait_for_text("#shown figcaption", "square, seed 5")
    assert drawn.shown() == expected[5].image

    # 16 px images would be a blur.
    shown = drawn.find("#shown img")
    assert shown.value_of_css_property("image-rendering") == "pixelated"
    assert shown.size["width"] >= 300

    drawn.click("#next")
    drawn.wait_for_text("#shown figcaption", "square, seed 8")
    assert drawn.images("#styles") == images(model.translate_latent(source.read_bytes(), "square", range(8, 16)))
    assert drawn.find("#seed input").get_attribute("value") == "8"


def test_psi_and_domain_redraw(drawn, model, source):
    drawn.click("#styles label:nth-of-type(3)")
    drawn.wait_for_text("#shown figcaption", "square, seed 2")
    drawn.find("#psi input[type=range]").send_keys(Keys.HOME)
    expected = images(model.translate_latent(source.read_bytes(), "square", range(8), psi=0))
    drawn.wait_for_images("#styles", expected)
    assert len(set(expected)) == 1  # psi 0 is the mean style
    assert drawn.text("#shown figcaption") == "square, seed 2"  # what was selected stays so
    drawn.click("#domain label:nth-of-type(3)")
    drawn.wait_for_images("#styles", images(model.translate_latent(source.read_bytes(), "triangle", range(8), psi=0)))
    drawn.wait_for_text("#shown figcaption", "triangle, seed 2")


def test_reference_and_interpolation(drawn, model, source, reference):
    seeds = model.translate_latent(source.read_bytes(), "square", range(8))
    (referred,) = model.translate_references(source.read_bytes(), "square", [reference.read_bytes()])
    # Between the first two drawn, unless the user says otherwise.
    assert drawn.text("#ends") == "A square, seed 0 B square, seed 1"
    drawn.choose("reference", reference)
    drawn.wait_for_text("#shown figcaption", "square, reference")
    assert drawn.shown() == referred.image
    assert drawn.images("#styles") == [referred.image, *images(seeds)]
    assert drawn.text("#ends") == "A square, reference B square, seed 0"
    drawn.click("#mark-b")
    drawn.wait_for_text("#ends", "A square, seed 0 B square, reference")  # not the reference twice
    drawn.click("#styles label:nth-of-type(5)")
    drawn.wait_for_text("#shown figcaption", "square, seed 3")
    drawn.click("#mark-a")
    drawn.wait_for_text("#ends", "A square, seed 3 B square, reference")
    assert drawn.images("#ends") == [seeds[3].image, referred.image]

    slider = drawn.find("#between input[type=range]")
    slider.send_keys(Keys.ARROW_RIGHT * 5)
    drawn.wait_for_text("#shown figcaption", "75% A (square, seed 3) + 25% B (square, reference)")
    style = 0.75 * seeds[3].style + 0.25 * referred.style
    (between,) = model.translate_styles(source.read_bytes(), style[None])
    assert drawn.shown() == between.image
    slider.send_keys(Keys.END)
    drawn.wait_for_text("#shown figcaption", "0% A (square, seed 3) + 100% B")
    assert drawn.shown() == referred.image
    # The style that was selected before is selected again by a click on it.
    drawn.click("#styles label:nth-of-type(5)")
    drawn.wait_for_text("#shown figcaption", "square, seed 3")

    # Another domain: the marked styles stay, though the drawn ones change.
    drawn.click("#domain label:nth-of-type(1)")
    drawn.wait_for_text("#styles legend", "Styles of circle")
    assert drawn.text("#ends") == "A square, seed 3 B square, reference"


def test_downloads_are_what_the_model_gives_and_takes(drawn, model, source):
    drawn.click("#styles label:nth-of-type(2)")
    drawn.wait_for_text("#shown figcaption", "square, seed 1")
    # All eight, as the page asks: arithmetic rounds differently in a batch of one, which may change a pixel by 1.
    expected = model.translate_latent(source.read_bytes(), "square", range(8))[1]
    image = drawn.download("#shown a[download$='.png']")
    assert image == expected.image
    style = np.load(io.BytesIO(drawn.download("#shown a[download$='.npy']")))
    np.testing.assert_array_equal(style, expected.style)
    (again,) = model.translate_styles(source.read_bytes(), style[None])
    np.testing.assert_allclose(*(np.asarray(decode_image(data), int) for data in (again.image, image)), atol=1)


def test_keyboard_alone(page, source, model):
    def tab_to(selector):
        for _ in range(30):
            page.keys(Keys.TAB)
            if page.browser.execute_script("return document.activeElement.matches(arguments[0])", selector):
                break
        else:
            pytest.fail(f"the tab key does not lead to {selector}")
        visible = "const e = document.activeElement; return getComputedStyle(e.closest('label') ?? e).outlineStyle"
        assert page.browser.execute_script(visible) == "solid", f"the focus on {selector} is not visible"

    tab_to("#source button[aria-label^='Source image']")  # opens the system's dialog, which no browser lets be driven
    page.choose("source", source)
    page.wait_for("#source-seen img")
    tab_to("#domain input")
    for name in ("square", "triangle"):
        page.keys(Keys.ARROW_RIGHT)
        page.wait_for(f"#domain label.selected input[value={name}]")
    tab_to("#draw")
    page.keys(Keys.ENTER)
    page.wait_for_text("#styles legend", "Styles of triangle")
    tab_to("#styles input")
    page.keys(Keys.ARROW_RIGHT)
    page.wait_for_text("#shown figcaption", "triangle, seed 1")
    page.keys(Keys.ARROW_DOWN)  # the focus is still there
    page.wait_for_text("#shown figcaption", "triangle, seed 2")
    tab_to("#shown a")
    tab_to("#between input[type=range]")
    page.keys(Keys.ARROW_RIGHT * 10)
    page.wait_for_text("#shown figcaption", "50% A")
    tab_to("#mark-b")
    page.keys(Keys.SPACE)
    page.wait_for_text("#ends", "B a mixture")
    tab_to("#about button")
    page.keys(Keys.ENTER)
    page.wait_for_text("#about table", f"Trained for {model.card['step']} steps Domains circle, square, triangle")


def test_every_control_has_a_name(drawn):
    unnamed = """return [...document.querySelectorAll('button, input, a')].filter(control =>
      control.checkVisibility() && !control.ariaLabel && !control.innerText.trim()
      && ![...control.labels ?? []].some(label => label.innerText.trim())).map(control => control.outerHTML)"""
    assert drawn.browser.execute_script(unnamed) == []
    names = drawn.browser.execute_script("return [...document.querySelectorAll('[aria-label]')].map(e => e.ariaLabel)")
    assert {"Source image: remove", "Reference image: choose or drop a file", "Domain"} <= set(names)


def test_problems_are_sentences_where_they_arose(page, source, tmp_path):
    page.click("#draw")
    page.wait_for_text("#style-problem", "Choose a source image first; it is what gets translated.")
    broken = tmp_path / "my holiday.png"
    broken.write_bytes(source.read_bytes()[:60])
    page.choose("source", broken)
    page.wait_for_text("#source-problem", "The file 'my holiday.png' is a damaged PNG file.")
    assert page.find("#source-problem [role=alert]").is_displayed()
    assert not page.all("#results")
    text = tmp_path / "notes.txt"
    text.write_text("not an image")
    page.choose("reference", text)
    page.wait_for_text("#reference-problem", "The file 'notes.txt' cannot be read: not an image but text.")
    assert page.text("#source-problem")  # which still is there

    page.choose("source", source)
    page.wait_for("#source-seen img")
    page.click("#draw")
    page.wait_for("#styles img")
    assert page.text("#source-problem") == page.text("#style-problem") == ""
    for selector, part, number, sentence in (
        ("#psi input[type=number]", "#style-problem", "3", "Psi is 3; it must be between 0 and 1."),
        ("#between input[type=number]", "#between-problem", "7", "The position is 7; it must be between 0 (style A)"),
        ("#seed input", "#style-problem", "-4" + Keys.ENTER, "The first seed is -4; it must be a whole number from 0"),
    ):
        page.find(selector).send_keys(Keys.CONTROL, "a")
        page.find(selector).send_keys(number)
        page.wait_for_text(part, sentence)
    body = page.text("body")
    assert not re.search(r"\bError\b|Traceback", body), body


def test_a_format_that_the_graph_does_not_know_is_converted(page, model, source, tmp_path):
    with Image.open(source) as image:
        image.save(tmp_path / "picture.webp", lossless=True)
    page.choose("source", tmp_path / "picture.webp")
    page.wait_for("#source-seen img")
    page.click("#draw")
    page.wait_for("#styles img")
    assert page.images("#styles") == images(model.translate_latent(source.read_bytes(), "circle", range(8)))


def test_another_format_reaches_the_model_as_it_is(page, model, tmp_path):
    # Upright only for those who read EXIF, which an array or another encoding would have lost.
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "photo.jpg"
    Image.linear_gradient("L").convert("RGB").resize((48, 32)).save(path, exif=exif, quality=90)
    page.choose("source", path)
    page.wait_for("#source-seen img")
    seen = np.asarray(decode_image(page.images("#source-seen")[0]), int)
    assert abs(seen[:, 0] - seen[:, -1]).max() > abs(seen[0] - seen[-1]).max()  # it was turned
    page.click("#draw")
    page.wait_for("#styles img")
    assert page.images("#styles") == images(model.translate_latent(path.read_bytes(), "circle", range(8)))


def test_users_do_not_see_each_other(drawn, address):
    first = drawn.browser.current_window_handle
    drawn.browser.switch_to.new_window("tab")
    try:
        other = Page(drawn.browser, address)
        other.click("#draw")
        other.wait_for_text("#style-problem", "Choose a source image first")
    finally:
        drawn.browser.close()
        drawn.browser.switch_to.window(first)
    assert drawn.text("#style-problem") == ""


def test_phone(browser, address, source, reference):
    metrics = {"width": PHONE[0], "height": PHONE[1], "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page = Page(browser, address)
        too_wide = "return document.documentElement.scrollWidth > window.innerWidth || window.innerWidth > arguments[0]"
        assert not browser.execute_script(too_wide, PHONE[0])
        page.choose("source", source)
        page.wait_for("#source-seen img")
        page.click("#draw")
        page.wait_for("#styles img")
        in_sight = """const box = document.querySelector('#styles').getBoundingClientRect();
            return box.top >= -1 && box.top < 0.8 * window.innerHeight"""
        page.wait(lambda: browser.execute_script(in_sight), "results in sight")
        page.choose("reference", reference)
        page.wait_for_text("#shown figcaption", "reference")
        page.find("#between input[type=range]").send_keys(Keys.ARROW_RIGHT)
        page.wait_for_text("#shown figcaption", "95% A")
        page.choose("source", Path(__file__))
        page.wait_for_text("#source-problem", "cannot be read: not an image")
        assert not browser.execute_script(too_wide, PHONE[0])
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_nothing_is_fetched_from_elsewhere(drawn, address):
    fetched = drawn.browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert len(fetched) > 10
    assert [url for url in fetched if not url.startswith((address, "data:", "blob:"))] == []
