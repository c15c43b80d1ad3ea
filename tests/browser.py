"""Chromium as a person uses it, through Selenium: it opens pages from the disk, clicks, types, points and looks."""

import contextlib
import json
import shutil
from urllib.parse import parse_qsl, urldefrag

from selenium.webdriver import ActionChains, Chrome, ChromeOptions, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
FOUND = CHROMIUM is not None and DRIVER is not None
WITHOUT = "Chromium or its driver is not installed (Debian: apt-get install chromium chromium-driver)"
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
SECONDS = 30  # that a page may take for a change, on a machine with much else to do
HEIGHT = 900  # of the window, in pixels
SEEN = """
const root = document.documentElement, images = [...document.images];
const texts = [...document.querySelectorAll("p, td, li, summary")];
return {
  images: images.length,
  broken: images.filter(one => !one.naturalWidth).length,
  overflow: Math.max(0, root.scrollWidth - root.clientWidth),
  smallest: Math.min(...texts.map(one => parseFloat(getComputedStyle(one).fontSize))),
  headings: [...document.querySelectorAll("h2")].map(one => one.textContent),
  text: document.body.innerText,
};
"""


@contextlib.contextmanager
def started():
    """A Chromium with an empty profile, which ends with the block."""
    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options, Service(DRIVER))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


class Browser:
    """A window, and the page in it.

    Elements are named by CSS selectors. A page that computes what it shows counts `data-ready` of its body; `click`,
    `choose`, `press` and `fill` wait until it does.
    """

    def __init__(self, driver):
        self.driver = driver

    def open(self, address, width=1200, **features):
        """Open a page anew, in a window of a width; features are those of CSS media: prefers_color_scheme="dark"."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        screen = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        self.driver.get("about:blank")  # where only what follows the # changes, a page would stay
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.media("screen", named)
        self.messages(), self.asked()
        self.driver.get(address)
        WebDriverWait(self.driver, SECONDS).until(lambda _: self.run("return document.readyState") == "complete")

    def media(self, medium, features=()):
        """Show the page as on a screen, or as printed."""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": list(features)})

    def messages(self):
        """What the console has said since this was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def asked(self):
        """The addresses, but for the page itself and what lies within it, that were asked for since the last time."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        found = [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]
        here = {urldefrag(self.driver.current_url).url, "about:blank"}
        return [one for one in found if not one.startswith(("data:", "blob:")) and urldefrag(one).url not in here]

    def seen(self):
        """Images, broken ones, pixels that stick out, the smallest letters, headings and text."""
        return self.run(SEEN)

    def run(self, script, *given):
        """What a function's body in JavaScript returns."""
        return self.driver.execute_script(script, *given)

    # A page that computes what it shows

    def explore(self, address, width=1200, **features):
        """Open such a page, and wait until it shows something."""
        self.open(address, width, **features)
        WebDriverWait(self.driver, SECONDS).until(lambda _: self._ready())

    def act(self, change):
        """Do something and wait until the page has followed."""
        before = self._ready()
        change()
        WebDriverWait(self.driver, SECONDS, poll_frequency=0.02).until(lambda _: self._ready() != before)

    def _ready(self):
        return self.run("return document.body.dataset.ready")

    def state(self):
        """What the address says."""
        return dict(parse_qsl(urldefrag(self.driver.current_url).fragment))

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        """The text of every such element."""
        return self.run("return [...document.querySelectorAll(arguments[0])].map(one => one.textContent)", selector)

    def click(self, selector):
        self.act(self.find(selector).click)

    def choose(self, selector, value):
        self.act(lambda: Select(self.find(selector)).select_by_value(value))

    def press(self, selector, *keys):
        """Press keys in an element, one after the other."""
        for key in keys:
            self.act(lambda key=key: self.find(selector).send_keys(key))

    def fill(self, selector, number):
        """Type a number over another."""
        self.act(lambda: self.find(selector).send_keys(Keys.CONTROL + "a", Keys.NULL, str(number), Keys.ENTER))

    def point(self, selector, across, down, kind="mouse", click=False):
        """Point at shares of an element's width and height, with a mouse or by touch, and maybe click."""
        element = self.find(selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        box = element.rect
        actions = ActionChains(self.driver, 0, [PointerInput(kind, kind)])
        place = round((across - 0.5) * box["width"]), round((down - 0.5) * box["height"])
        actions.w3c_actions.pointer_action.move_to(element, *place)
        if click:
            actions.w3c_actions.pointer_action.pointer_down().pointer_up()
        actions.perform()
