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
import torch

from rem.errors import RemError
from rem.report.explorer.blocks import unpacked
from rem.report.explorer.collect import collect
from rem.report.explorer.datasets import picture
from rem.report.explorer.page import HERE, MODULES, STYLES, bundled, write_explorer
from rem.tables.probes import read_probes
from rem.trees import entropy, quantizer
from rem.trees.levels import band, reported_levels
from rem.trees.probe import probe

BROWSER = pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.WITHOUT)
PLACE = "mnist/rem/seed42"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def results(sample_run, tmp_path_factory):
    """The tiny run, probed, and a copy of its network as that of an experiment, of a kind that no code knows of."""
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
    (folder / "trees").mkdir()
    other = metrics[metrics["variant"] == "rem"].assign(variant="blocks")
    pd.concat([metrics, other]).to_csv(folder / "trees/metrics.csv", index=False)
    prepared = root / "data/prepared/sample/mnist.h5"
    checkpoint, levels = folder / "models" / PLACE / "last.pt", folder / "entropies/mnist/levels.csv"
    probe(checkpoint, prepared, ["test"], reported_levels(levels), band(levels), False, folder / "probes.csv", CPU)
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


def test_the_keys_of_the_page_are_those_of_the_files_at_every_K_and_its_lengths_those_of_the_couplings(held, results):
    content, blocks = held
    (dataset,) = content["datasets"]
    cuts = np.frombuffer(blocks[dataset["cuts"]], "<f4")
    for network in content["networks"]:
        with h5py.File(results / f"couplings/mnist/{network['variant']}/seed42/last.test.h5") as file:
            couplings, predicted, lengths = file["couplings"][:], file["predicted"][:], file["lengths"][:]
        inside = cuts[unpacked(blocks[network["codes"]], dataset["images"]).T]
        assert np.frombuffer(blocks[network["predicted"]], "<u2").tolist() == predicted.tolist()
        shown = np.frombuffer(zlib.decompress(blocks[network["lengths"]]), np.uint8).reshape(lengths.shape)
        np.testing.assert_allclose(shown / 100, lengths, atol=0.005001)
        trees = unpacked(blocks[network["trees"]], dataset["images"])
        for level, numbers in zip(dataset["shown"], trees, strict=True):
            keys = quantizer.keys(couplings, level)
            np.testing.assert_array_equal(quantizer.keys(inside, level), keys)
            for label in range(3):
                members = entropy.dictionary(keys[predicted == label]).members
                np.testing.assert_array_equal(numbers[predicted == label], members)
        np.testing.assert_allclose(inside, couplings, atol=0.001)


def test_what_was_measured_is_what_metrics_says(held, results):
    content, _ = held
    metrics = pd.read_csv(results / "trees/metrics.csv")
    metrics = metrics[(metrics["split"] == "test") & metrics["class"].isna()]
    for network in content["networks"]:
        own = metrics[metrics["variant"] == network["variant"]]
        for metric in ("entropy", "keys", "accuracy"):
            for level, value in zip(network["measured"]["levels"], network["measured"][metric], strict=True):
                found = own[(own["metric"] == metric) & (own["levels"] == level)]["value"]
                assert set(found) == ({value} - {None})


def test_what_temperatures_make_of_a_network_is_what_the_probes_say(held, results):
    content, _ = held
    probes = read_probes(results / "probes.csv")
    tempered = {network["variant"]: network["tempered"] for network in content["networks"]}
    assert tempered["blocks"] is None
    found = tempered["rem"]
    assert found["tau"][0] == "0.1"
    assert found["tau"][-1] == "inf"
    assert set(found["entropy"]) == {str(level) for level in content["datasets"][0]["shown"]}
    for level, bits in found["entropy"].items():
        line = probes.line("mnist", "rem", 42, levels=int(level))
        np.testing.assert_allclose(bits, line["entropy"], atol=1e-4)
        np.testing.assert_allclose(found["accuracy"], line["accuracy"], atol=1e-3)


def test_the_share_of_trees_that_training_images_have_is_what_the_probes_say(held, results):
    content, blocks = held
    rows = read_probes(results / "probes.csv").rows
    rows = rows[(rows["probe"] == "key") & (rows["setting"] == "0") & (rows["metric"] == "share")].set_index("levels")
    (dataset,) = content["datasets"]
    network = next(one for one in content["networks"] if one["variant"] == "rem")
    counts = unpacked(blocks[network["training"]], dataset["images"])
    for level in rows.index:
        own = counts[dataset["shown"].index(level)]
        assert 100 * (own == 0).mean() == pytest.approx(rows.loc[level, "value"])


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
    several = re.findall(r"^(?:const|let) \[([\w, ]+)\]", bundled(), re.MULTILINE)
    names = re.findall(r"^(?:async )?(?:const|function|let|class) (\w+)", bundled(), re.MULTILINE)
    names += [name for group in several for name in group.split(", ")]
    assert len(names) == len(set(names))
    assert {path.stem for path in HERE.glob("*.js")} == set(MODULES)
    assert {path.stem for path in HERE.glob("*.css")} == set(STYLES)
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
        await set("#variant", "blocks"); seen.variant = hash().variant;
        await set("#levels", 1, "input"); seen.k = hash().k; seen.told = find("#levels-told").textContent;
        await click(".class:nth-child(2)"); seen.class = hash().class;
        await set("#image", 5); seen.searched = hash(); seen.current = find("[aria-current=true]").ariaLabel;
        await click(".key"); seen.key = hash().key; seen.members = all(".member").length;
        await click(".member"); seen.view = hash().view;
        await set("#image", find(".link")?.textContent ?? 0);
        await click("#beside-rem"); seen.beside = hash().beside; seen.trees = all("figure.tree").length;
        await click("#quantized"); seen.quantized = hash().quantized;
        await set("#as", "difference"); seen.as = hash().as;
        await set("#tau", 0.3); seen.tau = hash().tau;
        await act(() => point("click", ".maps", MIDDLE_OF_3)); seen.deleted = hash().deleted;
        seen.field = find("#field").textContent;
        await set("#delete-strongest", 0.5); seen.strongest = hash().deleted.split(".").length;
        await set("#delete-random", 0.25); seen.random = hash().deleted.split(".").length;
        await click("#undelete"); seen.back = hash().deleted ?? "";
        await click("#tab-wrong"); seen.wrong = find("#wrong-count").textContent;
        await click("#tab-compare"); seen.rows = all("tbody tr").length; seen.bars = all(".bar-row i").length;
        await click("#beside-rem"); seen.alone = all("tbody tr").length;
        await press("1"); seen.pressed = hash().view;
        await press("]"); seen.next = hash().k;
        return seen;
        """.replace("MIDDLE_OF_3", middle_of(3)),
        tmp_path,
    )
    assert (found["console"], found["fetched"], found.get("error")) == ([], [], None)
    assert (found["start"]["view"], found["start"]["variant"]) == ("dictionary", "rem")
    assert (found["variant"], found["class"], found["view"], found["beside"]) == ("blocks", "1", "tree", "rem")
    assert f"K = {found['k']}" in found["told"]
    assert found["searched"]["image"] == "5"
    assert "Image 5" in found["current"]
    assert (found["key"], found["members"] > 0, found["trees"]) == ("0", True, 2)
    assert (found["quantized"], found["as"], found["tau"], found["deleted"]) == ("1", "difference", "2", "3")
    assert "Type 1, row 2, column 2" in found["field"]
    assert (found["strongest"], found["random"], found["back"]) == (4, 2, "")
    assert found["wrong"].endswith(("image", "images"))
    assert (found["rows"], found["bars"], found["alone"], found["pressed"]) == (2, 6, 2, "dictionary")
    assert found["next"] != found["k"]


def middle_of(capsule):
    """Of the maps of the tiny network, two types of 2 by 2 capsules side by side: shares of width and height."""
    (type_, place), step = divmod(capsule, 4), 560 / 2
    row, column = divmod(place, 2)
    across, down = type_ * step + (column + 0.5) * (step - 12) / 2, 4 + (row + 0.5) * (step - 12) / 2
    return json.dumps([across / 560, down / 348])


@BROWSER
def test_capsules_are_gone_through_and_deleted_by_the_keyboard_alone(page, tmp_path):
    found = browser.driven(
        f"{page.as_uri()}#view=tree&image=0",
        """
        await set("#image", find(".link")?.textContent ?? 0);
        const cursor = "#cursor-rem", at = () => find(cursor).ariaLabel, seen = {};
        find(cursor).focus(); seen.first = at(); seen.pressed = find(cursor).ariaPressed;
        const way = ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown", "ArrowLeft"];
        seen.way = way.map(one => (key(cursor, one), at()));
        seen.field = find("#field").textContent;
        await act(() => key(cursor, "Delete"));
        seen.deleted = hash().deleted; seen.gone = at(); seen.on = find(cursor).ariaPressed;
        seen.focus = inside.contentDocument.activeElement.id;
        await click(cursor); seen.back = hash().deleted ?? "";
        seen.group = find(".maps").ariaLabel;
        return seen;
        """,
        tmp_path,
    )
    assert (found["console"], found.get("error")) == ([], None)
    place = [re.sub(r": .*", "", told) for told in (found["first"], *found["way"])]
    assert place == [
        "Type 1, row 1, column 1", "Type 1, row 1, column 2", "Type 2, row 1, column 1",
        "Type 2, row 2, column 1", "Type 2, row 2, column 1", "Type 1, row 2, column 2",
    ]  # fmt: skip
    assert (found["pressed"], found["on"], found["focus"]) == ("false", "true", "cursor-rem")
    assert found["field"].startswith(found["way"][-1])
    assert (found["deleted"], found["back"]) == ("3", "")
    assert found["gone"] == f"{found['way'][-1]}, deleted"
    assert "Enter deletes it or puts it back" in found["group"]


@BROWSER
def test_a_finger_points_before_it_deletes_and_what_is_pointed_at_is_framed(page, tmp_path):
    found = browser.driven(
        f"{page.as_uri()}#view=tree&image=0",
        """
        await set("#image", find(".link")?.textContent ?? 0);
        const touch = {pointerType: "touch"}, seen = {};
        point("click", ".maps", PLACE, touch); seen.first = hash().deleted ?? "";
        const [box, image] = [find("#frame"), find(".large")].map(one => one.getBoundingClientRect());
        seen.frame = [box.left - image.left, box.top - image.top, box.width].map(one => one / image.width);
        await act(() => point("click", ".maps", PLACE, touch)); seen.second = hash().deleted;
        return seen;
        """.replace("PLACE", middle_of(6)),
        tmp_path,
    )
    assert (found["console"], found["first"], found["second"]) == ([], "", "6")
    # Row 2, column 1 of capsules a stride of 2 apart, each over 17 of 19 pixels.
    np.testing.assert_allclose(found["frame"], [0, 2 / 19, 17 / 19], atol=0.02)


@BROWSER
def test_lengths_change_while_a_slider_moves(page, tmp_path):
    found = browser.driven(
        f"{page.as_uri()}#view=tree&image=0",
        """
        await set("#image", find(".link")?.textContent ?? 0);
        const lengths = () => all("[data-length]").map(one => one.textContent), slider = find("#delete-strongest");
        const before = lengths();
        slider.value = 1; slider.dispatchEvent(new Event("input", {bubbles: true}));
        for (let turns = 0; turns < 100 && String(lengths()) === String(before); turns++) await wait();
        return {before, after: lengths(), same: find("#delete-strongest") === slider, deleted: hash().deleted};
        """,
        tmp_path,
    )
    assert found["before"] != found["after"]
    assert (found["same"], found["deleted"].count(".")) == (True, 7)


CHOICES = np.random.default_rng(17)


@BROWSER
@pytest.mark.parametrize("variant", ["rem", "blocks"])
def test_at_random_choices_the_page_shows_the_numbers_of_the_files(page, held, results, tmp_path, variant):
    content, _ = held
    metrics = pd.read_csv(results / "trees/metrics.csv")
    metrics = metrics[(metrics["split"] == "test") & metrics["class"].isna() & (metrics["variant"] == variant)]
    measured = set(metrics[metrics["metric"] == "entropy"]["levels"]) & set(content["datasets"][0]["shown"])
    levels = CHOICES.choice(sorted(map(int, measured)), 3).tolist()
    chosen = CHOICES.choice(content["datasets"][0]["images"], 3, replace=False).tolist()
    found = browser.driven(
        f"{page.as_uri()}#variant={variant}",
        f"""
        const seen = [], go = address => act(() => {{ inside.contentWindow.location.hash = address; }});
        for (const [k, image] of {json.dumps(list(zip(levels, chosen, strict=True)))}) {{
          await go(`view=dictionary&variant={variant}&k=${{k}}`);
          const one = {{entropy: find("#entropy").textContent, keys: find("#keys").textContent, counts: []}};
          for (const label of [1, 2, 3]) {{
            await click(`.class:nth-child(${{label}})`);
            one.counts.push(all(".key b").map(key => Number(key.textContent.slice(2))));
          }}
          await go(`view=tree&variant={variant}&k=${{k}}&image=${{image}}`);
          one.lengths = all("[data-length]").map(text => parseFloat(text.textContent));
          one.couplings = PLACES.map(place => {{
            point("pointermove", ".maps", place);
            return parseFloat(find("#field").textContent.split(": ")[1]);
          }});
          seen.push(one);
        }}
        return {{seen}};
        """.replace("PLACES", json.dumps([json.loads(middle_of(capsule)) for capsule in range(8)])),
        tmp_path,
    )
    assert (found["console"], found.get("error")) == ([], None)
    with h5py.File(results / f"couplings/mnist/{variant}/seed42/last.test.h5") as file:
        couplings, predicted, lengths = file["couplings"][:], file["predicted"][:], file["lengths"][:]
    for level, image, one in zip(levels, chosen, found["seen"], strict=True):
        numbers = metrics[metrics["levels"] == level].drop_duplicates("metric").set_index("metric")["value"]
        keys = quantizer.keys(couplings, level)
        trees = [entropy.dictionary(keys[predicted == label]) for label in range(3)]
        assert one["counts"] == [tree.counts.tolist() for tree in trees]
        assert one["entropy"] == f"{numbers['entropy']:.2f} bits"
        assert one["keys"].startswith(f"{numbers['keys']:.0f} ")
        np.testing.assert_allclose(one["couplings"], couplings[image], atol=0.000501)
        np.testing.assert_allclose(one["lengths"], lengths[image], atol=0.005001)


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
def test_no_view_sticks_out_or_jumps_and_every_control_has_a_name(page, tmp_path, width, view):
    found = browser.driven(
        f"{page.as_uri()}#view={view}",
        """
        const jumps = [], {PerformanceObserver} = inside.contentWindow;
        const seen = list => jumps.push(...list.getEntries().map(one => one.value));
        new PerformanceObserver(seen).observe({type: "layout-shift", buffered: true});
        await wait();
        return {jumps, nameless: all("button, input, select, canvas[role=img]").filter(one =>
          !(one.textContent.trim() || one.ariaLabel || one.labels?.length || one.getAttribute("aria-label") === "")
        ).map(one => one.outerHTML)};""",
        tmp_path,
        width,
    )
    assert (found["overflow"], found["nameless"], found["console"]) == (0, [], [])
    assert sum(found["jumps"]) < 0.005  # of the window, weighed by the way it goes
