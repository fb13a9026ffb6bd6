"""The page without a server with real clicks, keys and files."""

import json

import numpy as np
import pytest
from PIL import Image

from stargan_tf import sample
from stargan_tf.data.images import to_image
from tests import icc_profiles
from tests.metadata import read_metadata

pytest.importorskip("selenium", reason="Selenium is not installed; pip install '.[dev]' does that")

from selenium.webdriver.common.keys import Keys

from tests.serving.web.static_page import StaticPage, static_server

pytestmark = pytest.mark.slow
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}


def translation(translator, source, domain, seed, psi=1.0):
    """What the networks of the run draw, uint8 [H, W, 3]."""
    image = np.asarray(Image.open(source), np.float32)[None] / 127.5 - 1
    style = translator.styles_from_latents(translator.draw_latents(1, seed), domain, psi)
    return np.asarray(to_image(translator.translate(image, style)[0]))


def is_like(pixels, expected):
    return np.abs(pixels.astype(int) - expected).max() <= 6


def test_everything_goes_on_when_the_server_has_ended(browser, folder, source, translator, tmp_path):
    elsewhere = len(browser.elsewhere)
    log = tmp_path / "log"
    example = np.asarray(Image.open(folder / "examples" / "2.png"))
    with static_server(folder, log) as (address, process):
        page = StaticPage(browser, f"{address}#domain=circle")
        page.wait_until_drawn()
        process.kill()
        process.wait()
        page.draw(source)
        assert is_like(page.pixels("#after"), translation(translator, source, "circle", 0))
        page.click("#domain-choices label:nth-of-type(2)")
        page.wait_for_text("#caption", "square, seed 0")
        page.wait_until_drawn()
        assert is_like(page.pixels("#after"), translation(translator, source, "square", 0))
        page.choose("reference", source)
        page.wait_for_text("#caption", "square, reference")
        page.click("#example-strip button:nth-of-type(3)")
        page.wait(lambda: np.array_equal(page.pixels("#before"), example), "example")
        page.click("#about-open")
        assert page.find("#card table").is_displayed()
    requests = [line.split('"')[1] for line in log.read_text().splitlines() if '"' in line]
    assert {request.split()[0] for request in requests} == {"GET"}  # nothing is sent
    loaded = {request.split()[1].strip("/") for request in requests}
    assert {"", "main.js", "model.json", "networks/decode_image.onnx"} <= loaded
    assert [path for path in loaded if not (folder / path).exists()] == []
    assert not any("asyncify" in path for path in loaded)  # WebGPU's 27 MB
    assert browser.elsewhere[elsewhere:] == []
    # Nor could the page's own scripts do it.
    tried = page.run("return fetch('http://elsewhere.example/').then(() => 'sent', () => 'refused');")
    assert tried == "refused" and browser.elsewhere[elsewhere:] == []
    browser.get("http://elsewhere.example/")  # what would be seen
    assert browser.elsewhere[elsewhere] == "http://elsewhere.example/"


def test_styles_domains_and_psi(page, source, translator):
    page.draw(source)
    assert page.text("#style-strip") == "seed 0 seed 1 seed 2 seed 3 seed 4 seed 5"
    page.click("#style-strip label:nth-of-type(4)")
    page.wait_for_text("#caption", "circle, seed 3")
    assert is_like(page.pixels("#after"), translation(translator, source, "circle", 3))
    page.click("#domain-choices label:nth-of-type(3)")
    page.wait_for_text("#caption", "triangle, seed 3")  # what was chosen stays so
    page.wait_until_drawn()
    page.click("#more")
    page.wait_for_text("#caption", "triangle, seed 6")
    page.wait_until_drawn()
    assert page.find("#style-strip input[value='seed 6']").is_selected()
    page.click("summary")
    page.find("#psi").send_keys(Keys.HOME)
    page.wait_for_text("#psi-value", "0")
    expected = translation(translator, source, "triangle", 0, psi=0.0)
    page.wait(lambda: is_like(page.pixels("#after"), expected), "mean style")
    page.click("#style-strip label:nth-of-type(3)")
    page.wait_for_text("#caption", "triangle, seed 8")
    assert page.browser.current_url.endswith("#domain=triangle&seed=6&psi=0&style=8")
    again = StaticPage(page.browser, page.browser.current_url)  # the link holds what was set
    again.draw(source)
    assert again.text("#caption") == "triangle, seed 8" and is_like(again.pixels("#after"), expected)


def test_a_mixture_of_two_styles(page, source, translator):
    page.draw(source)
    ends = [translator.styles_from_latents(translator.draw_latents(1, seed), "circle")[0] for seed in (0, 1)]
    page.find("#mix").send_keys(Keys.ARROW_RIGHT * 10)
    page.wait_for_text("#caption", "circle, seed 0, mixed with 50 % of seed 1")
    image = np.asarray(Image.open(source), np.float32)[None] / 127.5 - 1
    expected = np.asarray(to_image(translator.translate(image, np.mean(ends, axis=0)[None])[0]))
    assert is_like(page.pixels("#after"), expected)
    page.find("#mix").send_keys(Keys.END)
    page.wait_for_text("#caption", "mixed with 100 % of seed 1")
    assert is_like(page.pixels("#after"), translation(translator, source, "circle", 1))
    page.click("#style-strip label:nth-of-type(3)")  # slider and picture always agree
    page.wait_for_text("#caption", "circle, seed 2")
    assert page.find("#mix").get_attribute("value") == "0" and page.text("#mix-value") == "0 %"


def test_downloads_are_what_sample_takes(page, source, trained_run, translator, tmp_path):
    page.draw(source)
    page.click("#style-strip label:nth-of-type(2)")
    page.wait_for_text("#caption", "circle, seed 1")
    saved = page.download("#save-picture", "circle_seed_1.png")
    picture = Image.open(saved)
    told = read_metadata(saved.read_bytes())
    assert told["source_type"] == "trainedAlgorithmicMedia" and told["networks"] == translator.fingerprint
    assert told["styles"] == [{"domain": "circle", "seed": "1", "psi": "1"}]
    np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), page.pixels("#after"))
    style = page.download("#save-style", "circle_seed_1.json")
    assert json.loads(style.read_text())["seed"] == 1
    command = ["--run", trained_run, "--source", source, "--style", style, "--output", tmp_path / "sampled"]
    assert sample.main([str(word) for word in command]) == 0
    (drawn,) = (tmp_path / "sampled" / "saved" / "circle").iterdir()
    assert is_like(page.pixels("#after"), np.asarray(Image.open(drawn)))


def test_the_first_example_is_drawn_at_once_as_something_else(browser, address, folder, translator):
    page = StaticPage(browser, address)
    page.wait_for_text("#caption", "square, seed 0")  # it shows a circle
    example = folder / "examples" / "0.png"
    np.testing.assert_array_equal(page.pixels("#before"), np.asarray(Image.open(example)))
    assert is_like(page.pixels("#after"), translation(translator, example, "square", 0))
    page.wait_until_drawn()
    page.choose_example(4)  # a square
    assert page.text("#caption") == "circle, seed 0"
    page.click("#domain-choices label:nth-of-type(2)")
    page.wait_for_text("#caption", "square, seed 0")
    page.wait_until_drawn()
    page.choose_example(5)  # another one; what the visitor chose stays
    assert page.text("#caption") == "square, seed 0"


def test_an_example_is_drawn(page, folder, translator):
    assert len(page.all("#example-strip button")) == 8
    size = page.find("#example-strip img").size
    assert size["width"] == pytest.approx(size["height"], abs=1)
    page.choose_example(3)
    assert page.text("#caption") == "circle, seed 0"
    example = folder / "examples" / "2.png"
    np.testing.assert_array_equal(page.pixels("#before"), np.asarray(Image.open(example)))
    assert is_like(page.pixels("#after"), translation(translator, example, "circle", 0))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.jpg", b"", "“empty.jpg” is empty. Choose another picture."),
        ("notes.txt", b"not a picture", "“notes.txt” is not a picture that this browser can read, or it is damaged."),
        ("scan.tif", b"II*\0" + bytes(20), "This browser cannot read TIFF pictures, and “scan.tif” is one."),
        ("phone.heic", b"\0\0\0\x18ftypheic" + bytes(20), "cannot read HEIC pictures, and “phone.heic” is one."),
    ],
)
def test_a_file_that_is_no_picture(page, source, tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    page.choose("source", tmp_path / name)
    page.wait(lambda: page.find("#problem").is_displayed(), "problem")
    assert sentence in page.text("#problem")
    page.draw(source)
    assert not page.find("#problem").is_displayed()


@pytest.mark.parametrize(
    ("name", "mode", "profile"),
    [
        ("rgb.jpg", "RGB", icc_profiles.lut_profile(0.8, 0.8)),
        ("transparent.png", "RGBA", icc_profiles.lut_profile(0.8, 0.8)),
        ("inks.jpg", "CMYK", icc_profiles.cmyk_profile()),
    ],
)
def test_colours_by_tables_are_refused(page, source, tmp_path, name, mode, profile):
    Image.open(source).convert(mode).save(tmp_path / name, icc_profile=profile)
    page.choose("source", tmp_path / name)
    page.wait_for_text("#problem", f"“{name}” describes its colours by tables")


def test_the_model_card_is_one_click_away(page):
    page.click("#about-open")
    page.wait_for_text("#card", "Measured")
    text = page.text("#about")
    for fact in ("shapes, version 1", "circle, square, triangle", "2 steps", "<b>CC0</b>", "weights stored in float16"):
        assert fact in text
    page.keys(Keys.ESCAPE)
    page.wait(lambda: not page.find("#about").is_displayed(), "closed dialog")


def test_keyboard_alone(page, source):
    def tab_to(selector):
        for _ in range(30):
            page.keys(Keys.TAB)
            if page.browser.execute_script("return document.activeElement.matches(arguments[0])", selector):
                break
        else:
            pytest.fail(f"the tab key does not lead to {selector}")
        visible = "const e = document.activeElement; return getComputedStyle(e.closest('.file, .strip label') ?? e)"
        assert page.browser.execute_script(f"{visible}.outlineStyle") != "none", f"the focus on {selector} is invisible"

    tab_to("#source")  # opens the system's dialog, which no browser lets be driven
    page.draw(source)
    tab_to("input[name=domain]")
    page.keys(Keys.ARROW_DOWN)
    page.wait_for_text("#caption", "square, seed 0")
    page.wait_until_drawn()
    tab_to("input[name=style]")
    page.keys(Keys.ARROW_RIGHT)
    page.wait_for_text("#caption", "square, seed 1")
    tab_to("#mix")
    page.keys(Keys.ARROW_RIGHT * 2)
    page.wait_for_text("#caption", "mixed with 10 %")


def test_on_a_phone_controls_are_large_and_have_names(page, source):
    page.draw(source)
    page.click("summary")
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        assert page.browser.execute_script("return document.documentElement.scrollWidth") == PHONE["width"]
        controls = page.browser.execute_script(
            """return [...document.querySelectorAll('button, input, select, summary, a')]
              .map((control) => [control, control.closest('label:has(input[type=file], input[type=radio])') ?? control])
              .filter(([, target]) => target.checkVisibility() && target.getBoundingClientRect().height > 0)
              .map(([control, target]) => [control.id || control.value,
                target.getBoundingClientRect().height, target.getBoundingClientRect().width,
                control.ariaLabel || control.innerText || [...control.labels ?? []].map((l) => l.innerText).join('')
                || control.querySelector('img')?.alt || ''])"""
        )
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert len(controls) > 20
    assert [control for control in controls if min(control[1:3]) < 44] == []
    assert [control for control in controls if not control[3].strip()] == []
