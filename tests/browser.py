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


def found_in(page, width, folder):
    """What a page holds: images, broken ones, addresses it asked a network for, pixels that stick out, letters, text.

    Args:
        page: the HTML file.
        width: of the window, in pixels.
        folder: to work in.
    """
    probe = folder / f"probe{width}.html"
    probe.write_text(PROBE.format(page=page.as_uri(), width=width), encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    command += [f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=10000", "--dump-dom", probe.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(unescape(re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)[1]))
