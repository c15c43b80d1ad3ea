"""The explorer: what it shows is what the files say, in a browser that asks for nothing, at any width."""

import base64
import json
import re
import shutil
import zlib

import browser
import h5py
import numpy as np
import pandas as pd
import pytest

from rem.errors import RemError
from rem.report.explorer import codes
from rem.report.explorer.collect import collect, picture
from rem.report.explorer.page import HERE, MODULES, bundled, write_explorer
from rem.trees import entropy, quantizer

BROWSER = pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.WITHOUT)
PLACE = "mnist/rem/seed42"


@pytest.fixture(scope="module")
def results(sample_run, tmp_path_factory):
    """The tiny run and, as a second kind of network that no code knows of, a copy of it."""
    root = tmp_path_factory.mktemp("explored")
    shutil.copytree(sample_run, root, dirs_exist_ok=True)
    folder = root / "results/sample"
    for stage in ("couplings", "models"):
        shutil.copytree(folder / stage / PLACE, folder / stage / "mnist/blocks/seed42")
    text = (folder / "models/mnist/blocks/seed42/run.yaml").read_text(encoding="utf-8")
    renamed = text.replace("variant: rem", "variant: blocks")
    (folder / "models/mnist/blocks/seed42/run.yaml").write_text(renamed, encoding="utf-8")
    for path in (folder / "couplings/mnist/blocks/seed42").glob("*.h5"):
        with h5py.File(path, "r") as file:
            content = dict(file.attrs.items())
        run = json.loads(content["run"]) | {"variant": "blocks"}
        copy = path.with_suffix(".copy")
        with h5py.File(path, "r") as old, h5py.File(copy, "w") as new:
            for name in old:
                old.copy(name, new)
            new.attrs.update(content | {"run": json.dumps(run)})
        copy.replace(path)
    metrics = pd.read_csv(folder / "metrics.csv")
    other = metrics[metrics["variant"] == "rem"].assign(variant="blocks")
    pd.concat([metrics, other]).to_csv(folder / "metrics.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def page(results, tmp_path_factory):
    target = tmp_path_factory.mktemp("page") / "explorer.html"
    write_explorer(results, results.parents[1] / "data/prepared/sample", target, 15_000_000)
    return target


@pytest.fixture(scope="module")
def held(page):
    """What the page holds: its content and its blocks."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r'<script type="text/plain" id="block\d+">(.*?)</script>', text)
    content = re.search(r'<script type="application/json" id="content">(.*?)</script>', text)[1]
    return json.loads(content), [base64.b64decode(block) for block in blocks]


def test_the_keys_of_the_page_are_those_of_the_dictionaries_at_every_K_and_its_lengths_those_of_the_couplings(
    held, results
):
    content, blocks = held
    (dataset,) = content["datasets"]
    cuts = np.frombuffer(blocks[dataset["cuts"]], "<f4")
    for network in content["networks"]:
        with h5py.File(results / f"couplings/mnist/{network['variant']}/seed42/last.test.h5") as file:
            couplings, predicted, lengths = file["couplings"][:], file["predicted"][:], file["lengths"][:]
        inside = cuts[codes.unpacked(blocks[network["codes"]], dataset["images"])]
        assert np.frombuffer(blocks[network["predicted"]], "<u2").tolist() == predicted.tolist()
        shown = np.frombuffer(zlib.decompress(blocks[network["lengths"]]), np.uint8).reshape(lengths.shape)
        np.testing.assert_allclose(shown / 100, lengths, atol=0.005001)
        for level in dataset["levels"]:
            np.testing.assert_array_equal(quantizer.keys(inside, level), quantizer.keys(couplings, level))
        np.testing.assert_allclose(inside, couplings, atol=0.001)


def test_what_was_measured_is_what_metrics_says(held, results):
    content, _ = held
    metrics = pd.read_csv(results / "metrics.csv")
    metrics = metrics[(metrics["split"] == "test") & metrics["class"].isna()]
    for network in content["networks"]:
        own = metrics[metrics["variant"] == network["variant"]]
        for metric in ("entropy", "keys", "accuracy"):
            for level, value in zip(network["measured"]["levels"], network["measured"][metric], strict=True):
                found = own[(own["metric"] == metric) & (own["levels"] == level)]["value"]
                assert set(found) == ({value} - {None})


@pytest.mark.parametrize("channels", [1, 2])
def test_grey_images_are_exact_and_of_a_pair_the_left_one_is_shown(channels):
    images = np.random.default_rng(0).integers(0, 256, (5, channels, 4, 4), np.uint8)
    kind, sprite = picture(images, 3)
    import io

    from PIL import Image

    sheet = np.asarray(Image.open(io.BytesIO(sprite)))
    assert (kind, sheet.shape) == ("image/png", (8, 12))
    np.testing.assert_array_equal(sheet[4:8, 4:8], images[4, 0])


def test_networks_without_room_keep_their_numbers_and_lose_their_couplings(results):
    found = collect(results, results.parents[1] / "data/prepared/sample", 0)
    assert [network["codes"] for network in found.content["networks"]] == [None, None]
    assert all(network["measured"]["entropy"] for network in found.content["networks"])


def test_a_page_that_is_too_large_is_refused(results, tmp_path):
    with pytest.raises(RemError, match="more than 10,000; raise --most"):
        write_explorer(results, results.parents[1] / "data/prepared/sample", tmp_path / "page.html", 10_000)


def test_results_without_couplings_are_refused_in_one_sentence(results, tmp_path):
    shutil.copy(results / "metrics.csv", tmp_path)
    with pytest.raises(RemError, match="has no couplings of the test images; run the workflow to its end first"):
        collect(tmp_path, tmp_path, 10)


def test_modules_import_from_those_before_them_and_no_name_is_taken_twice():
    names = re.findall(r"^(?:async )?(?:const|function|let|class) (\w+)", bundled(), re.MULTILINE)
    assert len(names) == len(set(names))
    assert {path.stem for path in HERE.glob("*.js")} == set(MODULES)
    for place, module in enumerate(MODULES):
        text = (HERE / f"{module}.js").read_text(encoding="utf-8")
        assert set(re.findall(r'from "\./(\w+)\.js"', text)) <= set(MODULES[:place])
    assert "import " not in re.sub(r"//.*", "", bundled())


def test_nothing_outside_the_file_is_asked_for(page):
    text = page.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", text)
    assert set(re.findall(r"https?://[^\"'\s]*", text)) == {"http://www.w3.org/2000/svg"}


# In a browser


@BROWSER
def test_every_control_changes_the_view_and_the_address(page, tmp_path):
    found = browser.driven(
        page.as_uri(),
        """
        const seen = {start: hash()};
        await set("#variant", "rem"); seen.variant = hash().variant;
        await set("#levels", 1, "input"); seen.k = hash().k; seen.told = find("#levels-told").textContent;
        await click(".class:nth-child(2)"); seen.class = hash().class;
        await set("#image", 5); seen.searched = hash(); seen.current = find("[aria-current=true]").ariaLabel;
        await click(".key"); seen.key = hash().key; seen.members = all(".member").length;
        await click(".member"); seen.view = hash().view;
        await set("#image", find(".link")?.textContent ?? 0);
        await click("#beside-blocks"); seen.beside = hash().beside; seen.trees = all("figure.tree").length;
        await click("#quantized"); seen.quantized = hash().quantized;
        await set("#as", "difference"); seen.as = hash().as;
        await set("#tau", 0.3); seen.tau = hash().tau;
        await click("[data-capsule='3']"); seen.deleted = hash().deleted; seen.field = find("#field").textContent;
        await set("#delete-strongest", 0.5); seen.strongest = hash().deleted.split(".").length;
        await set("#delete-random", 0.25); seen.random = hash().deleted.split(".").length;
        await click("#undelete"); seen.back = hash().deleted ?? "";
        await click("#tab-wrong"); seen.wrong = find("#wrong-count").textContent;
        await click("#tab-compare"); seen.rows = all("tbody tr").length;
        await press("1"); seen.pressed = hash().view;
        await press("]"); seen.next = hash().k;
        return seen;
        """,
        tmp_path,
    )
    assert (found["console"], found["fetched"], found.get("error")) == ([], [], None)
    assert (found["start"]["view"], found["start"]["variant"]) == ("dictionary", "blocks")
    assert (found["variant"], found["class"], found["view"], found["beside"]) == ("rem", "1", "tree", "blocks")
    assert f"K = {found['k']}" in found["told"]
    assert found["searched"]["image"] == "5"
    assert "Image 5" in found["current"]
    assert (found["key"], found["members"] > 0, found["trees"]) == ("0", True, 2)
    assert (found["quantized"], found["as"], found["tau"], found["deleted"]) == ("1", "difference", "2", "3")
    assert "Type 1, row 2, column 2" in found["field"]
    assert (found["strongest"], found["random"], found["back"]) == (4, 2, "")
    assert found["wrong"].endswith(("image", "images"))
    assert (found["rows"], found["pressed"]) == (2, "dictionary")
    assert found["next"] != found["k"]


@BROWSER
@pytest.mark.parametrize("level", [7, 11])
def test_the_page_computes_the_entropies_and_keys_of_the_files(page, results, tmp_path, level):
    found = browser.driven(
        f"{page.as_uri()}#variant=rem&k={level}",
        """
        const counts = [];
        for (const label of [1, 2, 3]) {
          await click(`.class:nth-child(${label})`);
          counts.push(all(".key b").map(one => Number(one.textContent.slice(2))));
        }
        return {entropy: find("#entropy").textContent, keys: find("#keys").textContent, counts, k: hash().k};
        """,
        tmp_path,
    )
    level = int(found["k"])  # where the band is without it, the page shows the shared one
    with h5py.File(results / f"couplings/{PLACE}/last.test.h5") as file:
        keys, predicted = quantizer.keys(file["couplings"][:], level), file["predicted"][:]
    trees = [entropy.dictionary(keys[predicted == label]) for label in range(3)]
    metrics = pd.read_csv(results / "metrics.csv")
    rows = metrics[(metrics["split"] == "test") & metrics["class"].isna() & (metrics["levels"] == level)]
    value = rows[rows["variant"] == "rem"].drop_duplicates("metric").set_index("metric")["value"]
    assert found["counts"] == [one.counts.tolist() for one in trees]
    assert found["entropy"] == f"{value['entropy']:.2f} bits"
    assert found["keys"].startswith(f"{value['keys']:.0f} ")


@BROWSER
def test_couplings_and_lengths_of_a_tree_are_those_of_the_file(page, results, tmp_path):
    found = browser.driven(
        f"{page.as_uri()}#view=tree&variant=rem&image=4",
        """return {
          values: all("[data-value]").map(one => Number(one.dataset.value)),
          lengths: all("[data-length]").map(one => parseFloat(one.textContent)),
        };""",
        tmp_path,
    )
    with h5py.File(results / f"couplings/{PLACE}/last.test.h5") as file:
        np.testing.assert_allclose(found["values"], file["couplings"][4], atol=0.000501)
        np.testing.assert_allclose(found["lengths"], file["lengths"][4], atol=0.005001)


@BROWSER
def test_a_link_shows_what_its_sender_saw(page, tmp_path):
    state = "view=tree&dataset=mnist&variant=blocks&seed=42&checkpoint=last&k=11&image=1&beside=rem&quantized=1"
    found = browser.driven(
        f"{page.as_uri()}#{state}", "return {hash: hash(), checked: find('#quantized').checked};", tmp_path
    )
    sent = dict(part.split("=") for part in state.split("&"))
    assert {name: found["hash"][name] for name in sent if name != "k"} == {n: v for n, v in sent.items() if n != "k"}
    assert found["checked"]


@BROWSER
@pytest.mark.parametrize("hash", ["view=none&dataset=x&variant=y&seed=z&k=1000&image=99999&class=-4&key=500", "%%%"])
def test_an_address_that_makes_no_sense_is_put_right(page, tmp_path, hash):
    found = browser.driven(f"{page.as_uri()}#{hash}", "return {hash: hash()};", tmp_path)
    assert found["console"] == []
    assert (found["hash"]["view"], found["hash"]["dataset"]) == ("dictionary", "mnist")


@BROWSER
@pytest.mark.parametrize("width", [320, 400, 1200])
@pytest.mark.parametrize("view", ["dictionary", "tree", "wrong", "compare"])
def test_no_view_sticks_out_and_every_control_has_a_name(page, tmp_path, width, view):
    found = browser.driven(
        f"{page.as_uri()}#view={view}",
        """return {nameless: all("button, input, select, canvas[role=img]").filter(one =>
          !(one.textContent.trim() || one.ariaLabel || one.labels?.length || one.getAttribute("aria-label") === "")
        ).map(one => one.outerHTML)};""",
        tmp_path,
        width,
    )
    assert (found["overflow"], found["nameless"], found["console"]) == (0, [], [])
