"""The explorer's page: what it holds is what the files say, within its room, and nothing outside it is asked for."""

import json
import re
import shutil
import zlib

import h5py
import numpy as np
import pandas as pd
import pytest
from page_blocks import unpacked

from rem.errors import RemError
from rem.report.explorer.collect import collect
from rem.report.explorer.datasets import picture
from rem.report.explorer.page import HERE, MODULES, STYLES, WORKER, bundled, write_explorer
from rem.tables.probes import read_probes
from rem.trees import entropy, quantizer


def couplings_file(results, network):
    """The couplings of a network of the page."""
    folder = results / f"couplings/{network['dataset']}/{network['variant']}/seed{network['seed']}"
    return folder / f"{network['checkpoint']}.test.h5"


def test_the_keys_of_the_page_are_those_of_the_files_at_every_K_and_its_lengths_those_of_the_couplings(held, results):
    content, blocks = held
    datasets = {dataset["name"]: dataset for dataset in content["datasets"]}
    for network in content["networks"]:
        dataset = datasets[network["dataset"]]
        cuts = np.frombuffer(blocks[dataset["cuts"]], "<f4")
        with h5py.File(couplings_file(results, network)) as file:
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
    (found,) = [network["tempered"] for network in content["networks"] if network["tempered"]]
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
    dataset, network = content["datasets"][0], content["networks"][0]
    assert (dataset["name"], network["variant"]) == ("mnist", "rem")
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
    assert [network["codes"] for network in found.content["networks"]] == [None] * 5
    assert all(network["measured"]["entropy"] for network in found.content["networks"])


def test_networks_of_images_that_were_prepared_otherwise_are_left_out_and_named(results, tmp_path, capsys):
    shutil.copytree(results.parents[1], tmp_path, dirs_exist_ok=True)
    folder = tmp_path / results.relative_to(results.parents[1])
    with h5py.File(folder / "couplings/mnist/blocks/seed42/last.test.h5", "a") as file:
        run = json.loads(file.attrs["run"])
        with h5py.File(tmp_path / "data/prepared/sample/mnist.h5", "a") as images:
            images.attrs["settings"] = json.dumps(run["data"])
        run["data"]["validation"] += 1
        file.attrs["run"] = json.dumps(run)
    found = collect(folder, tmp_path / "data/prepared/sample", 0)
    assert {one["variant"] for one in found.content["networks"]} == {"rem"}
    told = capsys.readouterr().err
    assert "blocks/seed42/last.test.h5 is of images that were prepared otherwise (validation " in told
    assert told.count("left out") == 1


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
    assert {path.stem for path in HERE.glob("*.js")} == {*MODULES, WORKER}
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
