"""What a visitor sees of a page in a browser and does with it, whatever the page is made of."""

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait


class BrowserPage:
    """A page that is open in a driven browser."""

    # Nothing takes as long, on a machine that is not busy with other things.
    SECONDS = 60

    def __init__(self, browser):
        self.browser = browser

    def find(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return " ".join(self.find(selector).text.split())

    def wait(self, condition, what):
        wait = WebDriverWait(self.browser, self.SECONDS, 0.05)
        return wait.until(lambda _: condition(), f"no {what} in {self.SECONDS} s")

    def wait_for_text(self, selector, text):
        self.wait(lambda: text in self.text(selector), f"{text!r} in {selector}")

    def click(self, selector):
        element = self.find(selector)
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        places = [None]

        def stands():
            places.append(element.rect)
            return places[-1] == places[-2]

        self.wait(stands, f"{selector} that stands still")  # pictures that come into sight are loaded, and move others
        ActionChains(self.browser).move_to_element(element).click().perform()

    def keys(self, *keys):
        ActionChains(self.browser).send_keys(*keys).perform()
