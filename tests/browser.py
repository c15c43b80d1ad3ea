"""What Chromium makes of a page, at a width of one's choice."""

import json
import re
import shutil
import subprocess
from html import unescape

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WITHOUT = "Chromium is not installed (Debian: apt-get install chromium)"
PROBE = """<!DOCTYPE html><pre id="found">nothing</pre>
<iframe src="{page}" style="width: {width}px; height: 2000px"></iframe>
<script>
document.querySelector("iframe").onload = event => {{
  const page = event.target.contentDocument, images = [...page.images], root = page.documentElement;
  const fonts = [...page.querySelectorAll("p, td, li, summary")].map(one => parseFloat(getComputedStyle(one).fontSize));
  document.querySelector("#found").textContent = JSON.stringify({{
    images: images.length,
    broken: images.filter(one => !one.naturalWidth).length,
    fetched: event.target.contentWindow.performance.getEntriesByType("resource").map(one => one.name),
    overflow: root.scrollWidth - root.clientWidth,
    smallest: Math.min(...fonts),
    headings: [...page.querySelectorAll("h2")].map(one => one.textContent),
    text: page.body.innerText,
  }});
}};
</script>"""


DRIVER = """<!DOCTYPE html><pre id="found">nothing</pre>
<iframe src="{page}" style="width: {width}px; height: 2000px"></iframe>
<script>
const inside = document.querySelector("iframe"), wait = () => new Promise(done => setTimeout(done, 50));
async function ready(before) {{
  const body = () => inside.contentDocument.body;
  for (let turns = 0; turns < 200 && (!body()?.dataset.ready || body().dataset.ready === before); turns++) await wait();
}}
async function act(change) {{
  const before = inside.contentDocument.body.dataset.ready;
  change();
  await ready(before);
}}
const find = selector => inside.contentDocument.querySelector(selector);
const all = selector => [...inside.contentDocument.querySelectorAll(selector)];
const click = selector => act(() => find(selector).dispatchEvent(new MouseEvent("click", {{ bubbles: true }})));
const set = (selector, value, kind = "change") => act(() => {{
  find(selector).value = value;
  find(selector).dispatchEvent(new Event(kind, {{ bubbles: true }}));
}});
const point = (kind, selector, [x, y], options) => {{
  const box = find(selector).getBoundingClientRect();
  const [clientX, clientY] = [box.left + x * box.width, box.top + y * box.height];
  const {{ PointerEvent }} = inside.contentWindow;
  find(selector).dispatchEvent(new PointerEvent(kind, {{ bubbles: true, clientX, clientY, ...options }}));
}};
const key = (selector, key) => find(selector).dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
const press = name => act(() => key("body", name));
const hash = () => Object.fromEntries(new URLSearchParams(inside.contentWindow.location.hash.slice(1)));
async function drive() {{
  await ready();
  {script}
}}
inside.onload = () => drive().catch(error => ({{ error: String(error.stack) }})).then(found => {{
  const root = inside.contentDocument.documentElement;
  const fetched = inside.contentWindow.performance.getEntriesByType("resource").map(one => one.name);
  const overflow = Math.max(0, root.scrollWidth - root.clientWidth);
  document.querySelector("#found").textContent = JSON.stringify({{ fetched, overflow, ...found }});
}});
</script>"""


def driven(page, script, folder, width=1200):
    """What a script returns that uses a page, by the functions of `DRIVER`. Also `console`'s lines.

    click, set and press wait until the page shows the change; point (at a share of an element's width and height) and
    key, which is pressed in an element, do not, and may be handed to act, which waits.

    Args:
        page: the address of the HTML file, with what follows a # if any.
        script: the body of an async function in JavaScript, which returns an object.
        folder: to work in.
        width: of the window, in pixels.
    """
    driver = folder / "driver.html"
    driver.write_text(DRIVER.format(page=page, script=script, width=width), encoding="utf-8")
    done = _chromium(folder, driver, "--enable-logging=stderr", "--virtual-time-budget=60000")
    found = json.loads(unescape(re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)[1]))
    return found | {"console": [line for line in done.stderr.splitlines() if "CONSOLE" in line]}


def _chromium(folder, page, *options):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    command += [f"--user-data-dir={folder / 'profile'}", *options, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


def found_in(page, width, folder):
    """What a page holds: images, broken ones, addresses it asked a network for, pixels that stick out, letters, text.

    Args:
        page: the HTML file.
        width: of the window, in pixels.
        folder: to work in.
    """
    probe = folder / f"probe{width}.html"
    probe.write_text(PROBE.format(page=page.as_uri(), width=width), encoding="utf-8")
    done = _chromium(folder, probe, "--virtual-time-budget=10000")
    return json.loads(unescape(re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)[1]))
