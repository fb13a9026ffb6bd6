"""The page with real clicks, keys and files."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stargan_tf.data.images import decode_image, read_image, to_png

pytest.importorskip("gradio", reason="Gradio is not installed; pip install '.[demo]' does that")
pytest.importorskip("selenium", reason="Selenium is not installed; pip install '.[dev]' does that")

from selenium.webdriver.common.keys import Keys

from tests.metadata import read_metadata, without_metadata
from tests.page.browser import Page

PHONE = (390, 844)
SEEDS = [f"seed {seed}" for seed in range(8)]


def images(translations):
    return [translation.image for translation in translations]


def what_the_model_sees(model, path):
    return to_png(read_image(path.read_bytes(), tuple(model.card["image_size"]), model.image_config))


def test_an_upload_is_drawn_at_once_beside_the_source(drawn, model, source):
    expected = images(model.translate_latent(source.read_bytes(), "square", range(8)))
    drawn.wait_for_images("#styles", expected)
    assert drawn.names() == (SEEDS, ["seed 0"])
    assert drawn.shown() == (what_the_model_sees(model, source), expected[0])
    # 16 px images would be a blur.
    assert drawn.find("#shown img").value_of_css_property("image-rendering") == "pixelated"

    drawn.click(drawn.style(6))
    drawn.wait_for_text("#shown label", "square, seed 5")
    assert drawn.shown()[1] == expected[5]
    assert drawn.names()[1] == ["seed 5"]


def test_the_next_seeds_show_the_first_of_them(drawn, model, source):
    drawn.click(drawn.style(6))
    drawn.wait_for_text("#shown label", "square, seed 5")
    drawn.click("#next")
    drawn.wait_for_text("#shown label", "square, seed 8")
    drawn.wait_for_images("#styles", images(model.translate_latent(source.read_bytes(), "square", range(8, 16))))
    assert drawn.names()[1] == ["seed 8"]
    assert drawn.value("#seed input") == "8"


def test_psi_and_domain_redraw(drawn, model, source):
    drawn.click(drawn.style(3))
    drawn.wait_for_text("#shown label", "square, seed 2")
    drawn.find("#psi input[type=range]").send_keys(Keys.HOME)
    expected = images(model.translate_latent(source.read_bytes(), "square", range(8), psi=0))
    drawn.wait_for_images("#styles", expected)
    assert len(set(expected)) == 1  # psi 0 is the mean style
    assert "square, seed 2" in drawn.text("#shown label")  # what was selected stays so
    assert drawn.names()[1] == ["seed 2"]
    drawn.click("#domain label:nth-of-type(3)")
    drawn.wait_for_images("#styles", images(model.translate_latent(source.read_bytes(), "triangle", range(8), psi=0)))
    drawn.wait_for_text("#shown label", "triangle, seed 2")


def test_all_domains_at_once(drawn, model, source):
    drawn.find("#seed input").send_keys(Keys.CONTROL, "a")
    drawn.find("#seed input").send_keys("3", Keys.ENTER)
    drawn.wait_for_text("#styles", "seed 10")
    drawn.click("#all-domains")
    drawn.wait_for_text("#styles", "triangle")
    expected = [model.translate_latent(source.read_bytes(), domain, [3])[0].image for domain in model.domains]
    drawn.wait_for_images("#styles", expected)
    assert drawn.names() == (["circle", "square", "triangle"], ["square"])  # the chosen domain's
    drawn.click(drawn.style(3))
    drawn.wait_for_text("#shown label", "triangle, seed 3")
    # What is shown is the chosen domain, in the radio buttons and in the link.
    drawn.wait(lambda: drawn.value("#domain input:checked") == "triangle", "chosen domain")
    drawn.wait(lambda: "domain=triangle&seed=3" in drawn.browser.current_url, "link")
    # One domain again, by the button or by the radio buttons.
    drawn.click("#next")
    drawn.wait_for_text("#styles", "seed 4")
    assert drawn.names()[0] == [f"seed {seed}" for seed in range(3, 11)]


def test_surprise(drawn, model, source):
    before = drawn.images("#styles")
    drawn.click("#surprise")
    drawn.wait(lambda: drawn.images("#styles") not in ([], before), "other styles")
    seed = int(drawn.value("#seed input"))
    domain = drawn.value("#domain input:checked")
    drawn.wait_for_images("#styles", images(model.translate_latent(source.read_bytes(), domain, range(seed, seed + 8))))
    drawn.wait_for_text("#shown label", f"{domain}, seed {seed}")


def test_a_link_holds_the_settings(drawn, address, model, source):
    drawn.find("#psi input[type=range]").send_keys(Keys.ARROW_LEFT * 4)
    drawn.wait_for_images("#styles", images(model.translate_latent(source.read_bytes(), "square", range(8), psi=0.8)))
    drawn.click(drawn.style(3))
    link = f"{address.rstrip('/')}/?domain=square&seed=2&psi=0.8"
    drawn.wait(lambda: drawn.value("#link textarea, #link input") == link, link)
    assert drawn.browser.current_url == link

    other = Page(drawn.browser, link)
    other.choose("source", source)
    other.wait_for_text("#shown label", "square, seed 2")
    other.wait_for_images(
        "#styles", images(model.translate_latent(source.read_bytes(), "square", range(2, 10), psi=0.8))
    )
    assert other.value("#psi input[type=number]") == "0.8"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("domain=hexagon", "The link asks for domain 'hexagon'; the model knows circle, square, triangle."),
        ("seed=many", "The link holds 'many' where a number must be."),
        ("psi=2", "Psi is 2; it must be between 0 and 1."),
    ],
)
def test_a_wrong_link_is_a_sentence(browser, address, query, sentence):
    page = Page(browser, f"{address}?{query}")
    page.wait_for_text("#style-problem", sentence)
    assert page.value("#seed input") == "0"


def test_an_example_is_drawn_by_a_click(page, model, source):
    page.wait_for(".gallery-item img, .gallery button img, table.gallery, .gallery")
    page.click("#source ~ * .gallery button, .gallery .gallery-item")
    page.wait_for_images("#styles", images(model.translate_latent(source.read_bytes(), "circle", range(8))))


def test_a_picture_becomes_something_else_until_a_domain_is_chosen(page, model, source, tmp_path):
    (tmp_path / "circle_1.png").write_bytes(source.read_bytes())
    page.choose("source", tmp_path / "circle_1.png")
    page.wait_for_text("#shown label", "square, seed 0")
    assert page.value("#domain input:checked") == "square"
    page.click("#domain label:nth-of-type(1)")
    page.wait_for_text("#shown label", "circle, seed 0")
    page.choose("source", tmp_path / "circle_1.png")
    page.wait_for_text("#shown label", "circle, seed 0")


def test_the_other_end_stays_when_one_is_marked(drawn):
    drawn.click(drawn.style(5))
    drawn.wait_for_text("#shown label", "square, seed 4")
    drawn.click("#mark-a")
    drawn.wait_for_text("#ends", "A: square, seed 4 B: square, seed 1")
    drawn.click("#domain label:nth-of-type(3)")
    drawn.wait_for_text("#styles label", "Styles of triangle")
    assert drawn.text("#ends").endswith("A: square, seed 4 B: square, seed 1")


def test_reference_and_interpolation(drawn, model, source, reference):
    seeds = model.translate_latent(source.read_bytes(), "square", range(8))
    (referred,) = model.translate_references(source.read_bytes(), "square", [reference.read_bytes()])
    # Between the first two drawn, unless the user says otherwise.
    assert drawn.text("#ends").endswith("A: square, seed 0 B: square, seed 1")
    drawn.choose("reference", reference)
    drawn.wait_for_text("#shown label", "square, reference")
    assert drawn.shown()[1] == referred.image
    drawn.wait_for_images("#styles", [referred.image, *images(seeds)])
    assert drawn.names() == (["reference", *SEEDS], ["reference"])
    drawn.click("#mark-b")
    drawn.wait_for_text("#ends", "A: square, seed 0 B: square, reference")  # not the reference twice
    drawn.click(drawn.style(5))
    drawn.wait_for_text("#shown label", "square, seed 3")
    drawn.click("#mark-a")
    drawn.wait_for_text("#ends", "A: square, seed 3 B: square, reference")
    drawn.wait_for_images("#ends", [seeds[3].image, referred.image])

    slider = drawn.find("#between input[type=range]")
    slider.send_keys(Keys.ARROW_RIGHT * 5)
    drawn.wait_for_text("#shown label", "75% A (square, seed 3) + 25% B (square, reference)")
    style = 0.75 * seeds[3].style + 0.25 * referred.style
    (between,) = model.translate_styles(source.read_bytes(), style[None])
    assert drawn.shown()[1] == between.image
    assert drawn.names()[1] == []  # none of them is what is shown
    slider.send_keys(Keys.END)
    drawn.wait_for_text("#shown label", "0% A (square, seed 3) + 100% B")
    assert drawn.shown()[1] == referred.image
    # The style that was selected before is selected again by a click on it, and the slider goes back.
    drawn.click(drawn.style(5))
    drawn.wait_for_text("#shown label", "square, seed 3")
    drawn.wait(lambda: drawn.value("#between input[type=range]") == "0", "slider at its beginning")

    # Another domain: the marked styles stay, though the drawn ones change.
    drawn.click("#domain label:nth-of-type(1)")
    drawn.wait_for_text("#styles label", "Styles of circle")
    assert drawn.text("#ends").endswith("A: square, seed 3 B: square, reference")


def test_an_animation_from_a_to_b(drawn, model, source):
    ends = model.translate_latent(source.read_bytes(), "square", range(2))
    drawn.click("#animate")
    drawn.wait_for("#animation img")
    with Image.open(io.BytesIO(drawn.files("#animation")[0])) as animation:
        assert (animation.format, animation.n_frames) == ("WEBP", 48)
        start, end = (np.asarray(decode_image(end.image), int) for end in ends)
        for frame, shown, other in ((0, start, end), (24, end, start)):
            animation.seek(frame)
            seen = np.asarray(animation.convert("RGB"), int)  # compressed
            assert np.abs(seen - shown).mean() < np.abs(seen - other).mean()
    drawn.click("#mark-a")  # of other ends it would be another
    drawn.click(drawn.style(4))
    drawn.click("#mark-b")
    drawn.wait(lambda: not drawn.all("#animation img"), "removal of the animation")


def test_downloads_are_what_the_model_gives_and_takes(drawn, model, source):
    drawn.click(drawn.style(2))
    drawn.wait_for_text("#shown label", "square, seed 1")
    # All eight, as the page asks: arithmetic rounds differently in a batch of one, which may change a pixel by 1.
    expected = model.translate_latent(source.read_bytes(), "square", range(8))[1]
    image = drawn.download("#image-file", "square_seed_1.png")
    assert without_metadata(image) == expected.image
    assert read_metadata(image)["styles"] == [{"domain": "square", "seed": "1", "psi": "1.0"}]
    entry = json.loads(drawn.download("#style-file", "square_seed_1.json"))
    assert (entry["domain"], entry["seed"], entry["psi"], entry["step"]) == ("square", 1, 1, model.card["step"])
    style = np.array(entry["style"], np.float32)
    np.testing.assert_array_equal(style, expected.style)
    (again,) = model.translate_styles(source.read_bytes(), style[None])
    np.testing.assert_allclose(*(np.asarray(decode_image(data), int) for data in (again.image, expected.image)), atol=1)


def test_every_control_has_a_name(drawn):
    # But for the examples: gradio's pictures of them have none.
    unnamed = """return [...document.querySelectorAll('button, input, a')].filter(control =>
      control.checkVisibility() && !control.matches('.gallery-item') && !control.ariaLabel && !control.innerText.trim()
      && ![...control.labels ?? []].some(label => label.innerText.trim())).map(control => control.outerHTML)"""
    assert drawn.browser.execute_script(unnamed) == []


def test_what_a_finger_must_hit_is_large_enough(drawn):
    small = """return [...document.querySelectorAll('button, #domain label')].filter(control => {
      const box = control.getBoundingClientRect();
      return control.checkVisibility() && box.width && (box.height < 44 || box.width < 44);
    }).map(control => control.outerHTML.slice(0, 200))"""
    assert drawn.browser.execute_script(small) == []


def test_problems_are_sentences_where_they_arose(page, source, tmp_path):
    page.click("#next")
    page.wait_for_text("#style-problem", "Choose a source image first; it is what gets translated.")
    broken = tmp_path / "my holiday.png"
    broken.write_bytes(source.read_bytes()[:60])
    page.choose("source", broken)
    page.wait_for_text("#source-problem", "The file 'my holiday.png' is a damaged PNG file.")
    assert page.find("#source-problem [role=alert]").is_displayed()
    assert not page.all("#styles img")
    text = tmp_path / "notes.txt"
    text.write_text("not an image")
    page.choose("reference", text)
    page.wait_for_text(".refused.reference", "The file 'notes.txt' is not an image; choose a photograph")
    assert page.text("#source-problem")  # which still is there
    disguised = tmp_path / "notes.png"
    disguised.write_text("not an image")
    page.choose("reference", disguised)
    page.wait_for_text("#reference-problem", "The file 'notes.png' cannot be read: not an image but text.")
    assert not page.all(".refused")

    page.choose("source", source)
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


def test_formats_that_neither_the_graph_nor_browsers_know_are_converted(page, model, source, tmp_path):
    with Image.open(source) as image:
        image.save(tmp_path / "picture.tiff")
    page.choose("source", tmp_path / "picture.tiff")
    page.wait_for_images("#styles", images(model.translate_latent(source.read_bytes(), "circle", range(8))))
    assert what_the_model_sees(model, source) in page.images("#source")


def test_another_format_reaches_the_model_as_it_is(page, model, tmp_path):
    # Upright only for those who read EXIF, which an array or another encoding would have lost.
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "photo.jpg"
    Image.linear_gradient("L").convert("RGB").resize((48, 32)).save(path, exif=exif, quality=90)
    page.choose("source", path)
    page.wait_for_images("#styles", images(model.translate_latent(path.read_bytes(), "circle", range(8))))
    seen = np.asarray(decode_image(page.shown()[0]), int)
    assert abs(seen[:, 0] - seen[:, -1]).max() > abs(seen[0] - seen[-1]).max()  # it was turned


def test_users_do_not_see_each_other(drawn, address):
    first = drawn.browser.current_window_handle
    drawn.browser.switch_to.new_window("tab")
    try:
        other = Page(drawn.browser, address)
        other.click("#next")
        other.wait_for_text("#style-problem", "Choose a source image first")
    finally:
        drawn.browser.close()
        drawn.browser.switch_to.window(first)
    assert drawn.text("#style-problem") == ""


def test_what_is_known_of_the_model(page, model):
    page.click("#about button")
    page.wait_for_text("#about", f"Trained for {model.card['step']} steps Domains circle, square, triangle")
    assert "Licence" in page.text("#about")


def test_phone(browser, address, source, reference, tmp_path):
    metrics = {"width": PHONE[0], "height": PHONE[1], "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page = Page(browser, address)
        too_wide = "return document.documentElement.scrollWidth > window.innerWidth || window.innerWidth > arguments[0]"
        assert not browser.execute_script(too_wide, PHONE[0])
        page.choose("source", source)
        page.wait_for("#styles img")
        in_sight = """const box = document.querySelector('#shown').getBoundingClientRect();
            return box.top >= -1 && box.top < 0.8 * window.innerHeight"""
        page.wait(lambda: browser.execute_script(in_sight), "results in sight")
        assert not browser.execute_script(too_wide, PHONE[0])
        page.click("#domain label:nth-of-type(3)")
        page.wait_for_text("#shown label", "triangle")
        page.wait(lambda: browser.execute_script(in_sight), "results in sight")
        page.choose("reference", reference)
        page.wait_for_text("#shown label", "reference")
        page.find("#between input[type=range]").send_keys(Keys.ARROW_RIGHT)
        page.wait_for_text("#shown label", "95% A")
        (tmp_path / "text.png").write_text("not an image")
        page.choose("source", tmp_path / "text.png")
        page.wait_for_text("#source-problem", "not an image but text")
        told = """const box = document.querySelector('#source-problem').getBoundingClientRect();
            return box.top >= 0 && box.bottom <= window.innerHeight"""
        page.wait(lambda: browser.execute_script(told), "problem in sight")
        page.click("#about button")
        page.wait_for_text("#about", "Licence")
        narrow = """return [...document.querySelectorAll('#about, #about p, #about table')]
            .every((part) => part.getBoundingClientRect().right <= window.innerWidth)"""
        page.wait(lambda: browser.execute_script(narrow), "facts as narrow as the telephone")
        page.choose("source", Path(__file__))
        page.wait_for_text(".refused.source", "is not an image")
        # Waited for, since what was refused is still on its way out of the page.
        page.wait(lambda: not browser.execute_script(too_wide, PHONE[0]), "page as narrow as the telephone")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_nothing_is_fetched_from_elsewhere(drawn, address):
    fetched = drawn.browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert len(fetched) > 10
    assert [url for url in fetched if not url.startswith((address, "data:", "blob:"))] == []
