"""How long the explorer's page takes to open and to follow a click, in Chromium.

Prints a CSV, a row an interaction: the median milliseconds until the page has changed, until that is painted, and how
many of these its main thread was at work, which other programs do not change much.
Without a page it makes one of 10,000 images and two networks of 1,152 primary capsules, the couplings drawn by lot.

    python -m benchmarks.explorer results/sample/explorer.html
    python -m benchmarks.explorer
"""

import argparse
import http.server
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import torch

from rem.files.hdf5 import whole_hdf5
from rem.networks.build import build
from rem.report.explorer.page import write_explorer
from rem.settings.config import read_config
from rem.settings.run import Run
from rem.settings.sections import to_yaml
from rem.settings.stamp import stamp
from rem.training.checkpoints import save_checkpoint
from rem.trees import quantizer
from rem.trees.entropy import dictionary, entropy, mean_entropy

IMAGES, TRAINED, LEVELS = 10_000, 256, range(7, 17)
MOST = 100_000_000  # bytes of the page
REPEATS = 7
DRIVER = """<!DOCTYPE html><iframe style="width: 1200px; height: 900px"></iframe><script>
const frame = document.querySelector("iframe"), page = () => frame.contentDocument, found = {};
const find = selector => page().querySelector(selector);
const again = () => new Promise(done => setTimeout(done));
const busy = () => {
  const asked = new XMLHttpRequest();
  asked.open("GET", "/busy", false);
  asked.send();
  return Number(asked.responseText);
};
const painted = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
async function until(known) { while ((page().body?.dataset.ready ?? "") === known) await again(); }
async function timed(name, act) {
  const known = page().body.dataset.ready, holder = find("#trees"), legend = holder?.firstChild;
  const before = busy(), start = performance.now();
  act();
  if (name.startsWith("drag")) while (holder.firstChild === legend) await again();
  else await until(known);
  const changed = performance.now() - start;
  await painted();
  const end = performance.now() - start;
  (found[name] ??= []).push([changed, end, busy() - before]);
  await new Promise(done => setTimeout(done, 60));
}
const send = (selector, value, kind) => {
  find(selector).value = value;
  find(selector).dispatchEvent(new Event(kind, { bubbles: true }));
};
const hash = async value => {
  const known = page().body.dataset.ready;
  frame.contentWindow.location.hash = value;
  await until(known);
};
const clickAt = (selector, x, y) => {
  const box = find(selector).getBoundingClientRect();
  const at = { clientX: box.left + x * box.width, clientY: box.top + y * box.height };
  find(selector).dispatchEvent(new PointerEvent("click", { bubbles: true, ...at }));
};
async function drive() {
  const start = performance.now();
  frame.src = "/page.html";
  while (page()?.location.pathname !== "/page.html") await again();
  await until("");
  const [paint] = frame.contentWindow.performance.getEntriesByName("first-contentful-paint");
  found["first paint"] = [[paint.startTime, paint.startTime, 0]];
  found["first trees"] = [[performance.now() - start, performance.now() - start, busy()]];
  const levels = find("#levels"), other = turn => Number(levels.max) > 0 ? turn % (Number(levels.max) + 1) : 0;
  const views = { dictionary: "K in Dictionary", tree: "K in Tree", wrong: "K in Wrong ones", compare: "K in Compare" };
  const voted = content => content.datasets[0].voted;
  const images = voted(JSON.parse(page().querySelector("#content").textContent));
  const other_network = () => [...find("#variant").options].find(one => !one.selected)?.value;
  for (const view of Object.keys(views)) {
    await timed(`first look at ${view}`, () => find(`#tab-${view}`).click());
    for (let turn = 0; turn < REPEATS; turn++) {
      await timed(views[view], () => send("#levels", other(turn + 1), "input"));
    }
  }
  await hash("view=dictionary");
  for (let turn = 0; turn < REPEATS; turn++) {
    await timed("class", () => find(`.class:nth-child(${2 + (turn % 8)})`).click());
    await timed("key", () => find(".key").click());
  }
  await hash(`view=tree&image=${images[0]}`);
  const deletable = () => find("#delete-strongest").max;
  const beside = () => page().querySelector(".beside input");
  await timed("first look at another network", () => beside().click());
  for (let turn = 0; turn < REPEATS; turn++) {
    await timed("network beside, off", () => beside().click());
    await timed("network beside, on", () => beside().click());
    await timed("image", () => send("#image", images[(turn + 1) % images.length], "change"));
    await timed("quantized", () => find("#quantized").click());
    await timed("delete a capsule", () => clickAt(".maps", 0.01, 0.05));
    await timed("drag deletions", () => send("#delete-strongest", deletable() * (0.1 * turn + 0.05), "input"));
    await timed("drag tau", () => send("#tau", -0.1 * turn - 0.1, "input"));
  }
  await hash("view=dictionary");
  for (let turn = 0; turn < REPEATS; turn++)
    await timed("network in Dictionary", () => send("#variant", other_network(), "change"));
}
drive().catch(error => { found.error = String(error.stack); })
  .then(() => fetch("/found", { method: "POST", body: JSON.stringify(found) }));
</script>"""


def settings(variant: str) -> Run:
    """A run of the paper's MNIST with a narrow first convolution."""
    run = read_config([Path("config/config.yaml"), Path("config/sample.yaml")]).run("mnist", variant, 42)
    network = run.network.model_copy(update={"convolution_channels": 8, "primary_types": 32})
    return run.model_copy(update={"network": network})


def write_run(root: Path) -> Path:
    """What a run of two networks leaves below `root` that the explorer reads; returns `results/<name>`."""
    results, draw = root / "results/sample", np.random.default_rng(0)
    prepared, (baseline, rem) = root / "data/prepared/sample/mnist.h5", map(settings, ("baseline", "rem"))
    size, classes = rem.data.size, rem.data.classes
    prepared.parent.mkdir(parents=True)
    with h5py.File(prepared, "w") as file:
        for split, count in (("train", TRAINED), ("test", IMAGES)):
            file[f"{split}/images"] = draw.integers(0, 256, (count, 1, size, size), np.uint8)
            file[f"{split}/labels"] = draw.integers(0, classes, count)
        labels = file["test/labels"][:]
    rows = []
    for run, noise in ((baseline, 0.03), (rem, 0.003)):
        place = f"mnist/{run.variant}/seed42"
        for stage in ("models", "couplings"):
            (results / stage / place).mkdir(parents=True)
        (results / "models" / place / "run.yaml").write_text(to_yaml(run), encoding="utf-8")
        model = build(run, torch.device("cpu"))
        save_checkpoint(results / "models" / place / "last.pt", model.state_dict(), run, 1)
        predicted = np.where(draw.random(IMAGES) < 0.98, labels, draw.integers(0, classes, IMAGES))
        capsules = model.weight.shape[0]
        couplings = drawn_couplings(draw, predicted, capsules, noise)
        with whole_hdf5(results / "couplings" / place / "last.test.h5") as file:
            file["couplings"], file["predicted"], file["label"] = couplings, predicted, labels
            file["lengths"] = draw.random((IMAGES, classes), np.float32)
            stamp(file, run, class_names=[str(label) for label in range(classes)])
        where = ["mnist", run.variant, 42, "last", "test"]
        rows.append([*where, None, None, "accuracy", 98.0])
        for level in LEVELS:
            keys = quantizer.keys(couplings, level)
            counts = [dictionary(keys[predicted == label]).counts for label in range(classes)]
            told = {
                "accuracy": 98.0,
                "entropy": mean_entropy(list(map(entropy, counts))),
                "keys": sum(map(len, counts)),
            }
            rows += [[*where, level, None, metric, value] for metric, value in told.items()]
    columns = ["dataset", "variant", "seed", "checkpoint", "split", "levels", "class", "metric", "value"]
    pd.DataFrame(rows, columns=columns).to_csv(results / "metrics.csv", index=False)
    levels = pd.DataFrame({"levels": LEVELS, "band": True, "cells": False})
    levels = levels.assign(shared=levels["levels"] == LEVELS[0], authors=levels["levels"] == 11)
    (results / "entropies/mnist").mkdir(parents=True)
    levels.to_csv(results / "entropies/mnist/levels.csv", index=False)
    return results


def drawn_couplings(draw: np.random.Generator, predicted: np.ndarray, capsules: int, noise: float) -> np.ndarray:
    """Couplings (N, I) float32 around 1/J: each class has a tree, which is that of its images but for noise."""
    trees = 0.02 * draw.standard_normal((predicted.max() + 1, capsules), np.float32)
    return 0.1 + trees[predicted] + noise * draw.standard_normal((len(predicted), capsules), np.float32) ** 3 / 10


def measured(page: Path, chromium: str) -> dict[str, list[list[float]]]:
    """The milliseconds of every interaction with a page: until it has changed, and until that is painted."""
    answer, done = {}, threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/page.html":
                body = page.read_bytes()
            elif self.path == "/busy":
                body = str(busy_milliseconds(process.pid)).encode()
            else:
                body = DRIVER.replace("REPEATS", str(REPEATS)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            answer.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            done.set()

        def log_message(self, *words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        command += ["--remote-debugging-port=0", f"http://127.0.0.1:{server.server_port}/"]  # which keeps it open
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0)
        done.wait(300)
        process.terminate()
        process.wait()
    server.shutdown()
    return answer


def busy_milliseconds(browser: int) -> float:
    """Processor time so far of the main threads of the pages that a browser shows; Linux only."""
    found = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            command = (stat.parent / "cmdline").read_bytes()
            group = int(stat.read_text(encoding="utf-8").rpartition(")")[2].split()[2])
            if b"--type=renderer" in command and group == browser:
                found += int(
                    (stat.parent / f"task/{stat.parent.name}/schedstat").read_text(encoding="utf-8").split()[0]
                )
        except OSError:  # it has ended
            continue
    return found / 1e6


def main() -> None:
    """Measure a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, nargs="?")
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("Chromium is not installed; install it (Debian: apt-get install chromium).")
    with tempfile.TemporaryDirectory() as folder:
        page = options.page or Path(folder, "page.html")
        if not options.page:
            results = write_run(Path(folder))
            write_explorer(results, Path(folder, "data/prepared/sample"), page, MOST)
        print(f"# {page.stat().st_size / 1e6:.1f} MB")
        print("interaction,changed_ms,painted_ms,busy_ms")
        for name, times in measured(page, chromium).items():
            print(",".join([name, *(f"{statistics.median(column):.0f}" for column in zip(*times, strict=True))]))


if __name__ == "__main__":
    main()
