"""A page in a browser, and what a user sees of it and does with it."""

import urllib.request

from tests.browser_page import BrowserPage
from tests.metadata import without_metadata


class Page(BrowserPage):
    """What a user sees and does."""

    def __init__(self, browser, address):
        super().__init__(browser)
        browser.get(address)
        self.wait_for("#source input[type=file]")
        # Written by the first event; what is chosen before gets lost.
        self.wait(lambda: self.value("#link textarea, #link input"), "link")

    def wait_for(self, selector):
        return self.wait(lambda: self.all(selector), selector)

    def text(self, selector):
        # In one go, since an element that was found may be replaced before it is asked.
        return self.browser.execute_script(
            "return document.querySelector(arguments[0])?.innerText.replace(/\\s+/g, ' ').trim() ?? ''", selector
        )

    def value(self, selector):
        return self.browser.execute_script("return document.querySelector(arguments[0])?.value", selector)

    def choose(self, which, path):
        if self.all(f"#{which} button[aria-label='Remove Image']"):
            remove = self.find(f"#{which} button[aria-label='Remove Image']")
            self.browser.execute_script("arguments[0].click()", remove)  # wherever the page has scrolled to
            self.wait(lambda: not self.all(f"#{which} button[aria-label='Remove Image']"), "removal")
        self.find(f"#{which} input[type=file]").send_keys(str(path))

    def style(self, index):
        """Returns what selects one of the drawn styles, from 1 on."""
        return f"#styles .gallery-item:nth-of-type({index}) button"

    def names(self):
        """Returns the names of the drawn styles, and of the one that is highlighted."""
        names = [style.text for style in self.all("#styles .gallery-item")]
        highlighted = [style.text for style in self.all("#styles .gallery-item:has(button.selected)")]
        return names, highlighted

    def shown(self):
        """Returns the source as the model sees it, and the translation that is shown large."""
        source, translation = self.images("#shown")
        return source, translation

    def images(self, selector):
        """Returns the bytes of the images in a part of the page, without what they say of themselves."""
        return [without_metadata(image) for image in self.files(selector)]

    def files(self, selector):
        """Returns the bytes of the images in a part of the page."""
        sources = self.browser.execute_script(
            "return [...document.querySelectorAll(arguments[0] + ' img')].map(image => image.src)", selector
        )
        return [urllib.request.urlopen(source).read() for source in sources]

    def wait_for_images(self, selector, expected):
        self.wait(lambda: self.images(selector) == expected, f"expected images in {selector}")

    def download(self, link, name):
        path = self.browser.downloads / name
        path.unlink(missing_ok=True)
        self.click(link)
        self.wait(path.is_file, f"download {path.name}")
        return path.read_bytes()
