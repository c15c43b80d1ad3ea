"""The explorer in a browser: every control, by mouse, keyboard and finger; the numbers of the files; any width."""

import itertools
import re

import h5py
import numpy as np
import pytest
from selenium.webdriver import Keys

from rem.report.explorer.page import HERE, STYLES
from rem.tables.measurements import read_metrics
from rem.trees import entropy, quantizer

VIEWS = ("dictionary", "tree", "wrong", "compare")
SEEN = """
const view = document.querySelector("#view").cloneNode(true);
view.querySelector("#field")?.remove();
const drawn = [...document.querySelectorAll("#view :is(canvas, img, .picture)")]
  .map(one => one.toDataURL?.() ?? one.src ?? one.getAttribute("style"));
const form = [...document.querySelectorAll("#choice :is(select, input), #view :is(select, input)")];
return [view.textContent, drawn, form.map(one => [one.id, one.value, one.checked])];
"""
NAMELESS = """
return [...document.querySelectorAll("button, input, select, canvas[role=img]")].filter(one =>
  !(one.textContent.trim() || one.ariaLabel || one.labels?.length || one.getAttribute("aria-label") === "")
).map(one => one.outerHTML);
"""
UNSEEN = """
return [...document.querySelectorAll("#view :is(canvas, img, .picture)")]
  .filter(one => Math.min(one.clientWidth, one.clientHeight) < 10).map(one => one.outerHTML);
"""
JUMPS = """
const [done, found] = [arguments[0], []];
const seen = list => found.push(...list.getEntries().map(one => one.value));
new PerformanceObserver(seen).observe({type: "layout-shift", buffered: true});
setTimeout(() => done(found), 50);
"""
PALE = """
// Texts with less contrast than 4.5 against what lies below them (WCAG 2.1, 1.4.3).
const numbers = css => css.match(/[\\d.]+/g).map(Number);
const light = css => numbers(css).slice(0, 3).map(one => one / 255)
  .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
  .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
const ground = one => getComputedStyle(one).backgroundColor;
const clear = one => numbers(ground(one))[3] === 0;
const below = one => !one ? "rgb(255, 255, 255)" : clear(one) ? below(one.parentElement) : ground(one);
const own = one => [...one.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
return [...document.querySelectorAll("body *")]
  .filter(one => own(one) && one.getClientRects().length && !one.matches("script, option, :disabled, .unseen"))
  .map(one => {
    const style = getComputedStyle(one), text = one.matches("text") ? style.fill : style.color;
    const [darker, lighter] = [light(text), light(below(one))].sort((a, b) => a - b);
    return [(lighter + 0.05) / (darker + 0.05), one.textContent, text, below(one)];
  }).filter(([contrast]) => contrast < 4.5);
"""


def middle_of(capsule):
    """Of the maps of the tiny network, two types of 2 by 2 capsules side by side: shares of width and height."""
    (type_, place), step = divmod(capsule, 4), 560 / 2
    row, column = divmod(place, 2)
    across, down = type_ * step + (column + 0.5) * (step - 12) / 2, 4 + (row + 0.5) * (step - 12) / 2
    return across / 560, down / 348


@pytest.fixture
def voted(held):
    """A test image whose votes the page holds."""
    return held[0]["datasets"][0]["voted"][1]


@pytest.fixture
def quiet(chromium):
    """The browser, which asks for nothing and has nothing to complain of while a test uses it."""
    yield chromium
    assert chromium.messages() == []
    assert chromium.asked() == []


def used(chromium, voted):
    """Use every control in turn; after each, the part of the address that it should have changed, and what it is."""
    strongest, at_random = "#delete-strongest", "#delete-random"
    for name in ("dataset", "variant", "seed", "checkpoint"):
        values = chromium.run(f"return [...document.querySelectorAll('#{name} option')].map(one => one.value)")
        current = chromium.state()[name]
        for value in [*(value for value in values if value != current), current]:
            chromium.choose(f"#{name}", value)
            yield name, value
    shown = chromium.run("return JSON.parse(document.querySelector('#content').textContent).datasets[0].shown")
    chromium.press("#levels", Keys.ARROW_RIGHT)
    yield "k", str(shown[1])
    for _ in shown[2:]:
        chromium.press("#levels", "]")
    yield "k", str(shown[-1])
    chromium.press("#levels", "[")
    yield "k", str(shown[-2])
    chromium.click(".class:nth-child(2)")
    yield "class", "1"
    chromium.fill("#image", 5)
    yield "image", "5"
    chromium.click(".key")
    yield "key", "0"
    chromium.click(".member")
    yield "view", "tree"
    chromium.press("#tab-tree", ".", ",", ",")
    chromium.fill("#image", voted - 1)
    chromium.press("#tab-tree", ".")
    yield "image", str(voted)
    chromium.click("#beside-blocks")
    yield "beside", "blocks"
    chromium.click("#quantized")
    yield "quantized", "1"
    for how in ("modal", "difference"):
        chromium.choose("#as", how)
        yield "as", how
    chromium.press("#tau", Keys.ARROW_RIGHT)
    yield "tau", "1.26"
    chromium.act(lambda: chromium.point(".maps", *middle_of(3), click=True))
    yield "deleted", "3"
    chromium.press(strongest, Keys.END, Keys.ARROW_LEFT)
    assert chromium.state()["deleted"].count(".") == 6
    yield "deleted", chromium.state()["deleted"]
    chromium.click("#undelete")
    yield "deleted", None
    chromium.press(at_random, *[Keys.ARROW_RIGHT] * 2)
    assert chromium.state()["deleted"].count(".") == 1
    yield "deleted", chromium.state()["deleted"]
    chromium.click("#tab-wrong")
    yield "view", "wrong"
    chromium.click("#tab-compare")
    yield "view", "compare"
    chromium.click(".panel svg")
    yield "k", chromium.state()["k"]
    chromium.click(".bar-row:nth-child(3)")
    yield "class", "2"
    chromium.click("#tab-wrong")
    chromium.press("#tab-wrong", Keys.ARROW_LEFT)
    yield "view", "tree"
    for key, view in zip("1234", VIEWS, strict=True):
        if chromium.state()["view"] != view:
            chromium.press("body", key)
        yield "view", view


def test_every_control_changes_the_address_and_a_link_shows_what_its_sender_saw(quiet, page, voted):
    quiet.explore(page.as_uri())
    assert quiet.state()["view"] == "dictionary"
    sent = {}
    for name, value in used(quiet, voted):
        assert quiet.state().get(name) == value
        sent[quiet.driver.current_url] = quiet.run(SEEN)
    for address, seen in sent.items():
        quiet.explore(address)
        assert quiet.driver.current_url == address
        assert quiet.run(SEEN) == seen, address


def test_every_control_of_the_page_is_one_of_those_that_are_used_here(quiet, page, voted):
    tried = {"dataset", "variant", "seed", "checkpoint", "levels", "image", "quantized", "as", "tau", "beside-blocks"}
    tried |= {"delete-strongest", "delete-random", "undelete", *(f"tab-{view}" for view in VIEWS)}
    tried |= {"cursor-rem", "class", "key", "member", "bar-row", "wrong", "link"}  # or by their class
    found = set()
    for view in VIEWS:
        quiet.explore(f"{page.as_uri()}#view={view}&image={voted}&key=0")
        found |= set(
            quiet.run(
                "return [...document.querySelectorAll('button, input, select')].map(one => one.id || one.classList[0])"
            )
        )
    assert found <= tried


def test_capsules_are_gone_through_and_deleted_by_the_keyboard_alone(quiet, page, voted):
    quiet.explore(f"{page.as_uri()}#view=tree&image={voted}")
    cursor = quiet.find("#cursor-rem")
    told = [cursor.get_attribute("aria-label")]
    assert cursor.get_attribute("aria-pressed") == "false"
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_LEFT):
        cursor.send_keys(key)
        told.append(cursor.get_attribute("aria-label"))
    assert [re.sub(r": .*", "", one) for one in told] == [
        "Type 1, row 1, column 1", "Type 1, row 1, column 2", "Type 2, row 1, column 1",
        "Type 2, row 2, column 1", "Type 2, row 2, column 1", "Type 1, row 2, column 2",
    ]  # fmt: skip
    assert quiet.find("#field").text.startswith(told[-1])
    quiet.press("#cursor-rem", Keys.DELETE)
    gone = quiet.find("#cursor-rem")
    assert gone == quiet.driver.switch_to.active_element
    assert quiet.state()["deleted"] == "3"
    assert (gone.get_attribute("aria-label"), gone.get_attribute("aria-pressed")) == (f"{told[-1]}, deleted", "true")
    assert "Enter deletes it or puts it back" in quiet.find(".maps").get_attribute("aria-label")
    quiet.press("#cursor-rem", Keys.ENTER)
    assert "deleted" not in quiet.state()


def test_a_finger_points_before_it_deletes_and_what_is_pointed_at_is_framed(quiet, page, voted):
    quiet.explore(f"{page.as_uri()}#view=tree&image={voted}")
    quiet.point(".maps", *middle_of(6), kind="touch", click=True)
    assert "deleted" not in quiet.state()
    frame, image = quiet.find("#frame").rect, quiet.find(".large").rect
    found = [frame["x"] - image["x"], frame["y"] - image["y"], frame["width"]]
    # Row 2, column 1 of capsules a stride of 2 apart, each over 17 of 19 pixels.
    np.testing.assert_allclose(np.array(found) / image["width"], [0, 2 / 19, 17 / 19], atol=0.02)
    quiet.act(lambda: quiet.point(".maps", *middle_of(6), kind="touch", click=True))
    assert quiet.state()["deleted"] == "6"


def test_lengths_change_while_a_slider_moves(quiet, page, voted):
    quiet.explore(f"{page.as_uri()}#view=tree&image={voted}")
    before = quiet.texts("[data-length]")
    slider = quiet.find("#delete-strongest")
    moved = "arguments[0].value = 8; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))"
    after = quiet.driver.execute_async_script(
        f"const done = arguments[1]; {moved};"
        "setTimeout(() => done([...document.querySelectorAll('[data-length]')].map(one => one.textContent)), 500)",
        slider,
    )
    assert before != after
    assert quiet.find("#delete-strongest") == slider
    assert (
        quiet.find("#delete-strongest").find_element("xpath", "ancestor::fieldset/legend").text == "Deleted: 8 capsules"
    )


CHOICES = np.random.default_rng(17)


@pytest.mark.parametrize("variant", ["rem", "blocks"])
def test_at_random_choices_the_page_shows_the_numbers_of_the_files(quiet, page, held, results, variant):
    (dataset, *_), metrics = held[0]["datasets"], read_metrics(results / "trees/metrics.csv")
    own = {"dataset": "mnist", "variant": variant, "seed": 42, "checkpoint": "last", "split": "test"}
    for name, value in own.items():
        metrics = metrics[metrics[name] == value]
    metrics = metrics[metrics["class"].isna()]
    with h5py.File(results / f"couplings/mnist/{variant}/seed42/last.test.h5") as file:
        couplings, predicted, lengths, label = (
            file[name][:] for name in ("couplings", "predicted", "lengths", "label")
        )
    measured = set(metrics[metrics["metric"] == "entropy"]["levels"]) & set(dataset["shown"])
    for level in CHOICES.choice(sorted(map(int, measured)), 2).tolist():
        image = int(CHOICES.integers(dataset["images"]))
        told = metrics[metrics["levels"] == level].drop_duplicates("metric").set_index("metric")["value"]
        keys, choice = quantizer.keys(couplings, level), f"variant={variant}&k={level}"
        quiet.explore(f"{page.as_uri()}#{choice}")
        assert quiet.find("#entropy").text == f"{told['entropy']:.2f} bits"
        assert quiet.find("#keys").text.startswith(f"{told['keys']:.0f} ")
        for j in range(3):
            if j:
                quiet.click(f".class:nth-child({j + 1})")
            own, dictionary = label[predicted == j], entropy.dictionary(keys[predicted == j])
            right = [(own[dictionary.members == key] == j).mean() for key in range(len(dictionary.counts))]
            assert quiet.texts(".key b") == [f"× {count}" for count in dictionary.counts]
            assert [float(text.rstrip(" %")) for text in quiet.texts(".key b + span")] == [
                pytest.approx(100 * share, abs=0.05001) for share in right
            ]
        quiet.explore(f"{page.as_uri()}#view=tree&image={image}&{choice}")
        np.testing.assert_allclose(
            [float(one.split()[0]) for one in quiet.texts("[data-length]")], lengths[image], atol=0.005001
        )
        for capsule in range(8):
            quiet.point(".maps", *middle_of(capsule))
            assert float(quiet.find("#field").text.split(": ")[1].split(". ")[0]) == pytest.approx(
                couplings[image, capsule], abs=0.000501
            )
        quiet.click("#tab-wrong")
        wrong = np.flatnonzero(predicted != label)
        assert quiet.find("#wrong-count").text.split()[0] == str(len(wrong))
        cards = quiet.run("return [...document.querySelectorAll('.wrong')].map(one => Number(one.dataset.image))")
        assert cards == wrong.tolist()
        quiet.click("#tab-compare")
        row = [cell.strip() for cell in quiet.texts("tr.chosen td")]
        plain = metrics[metrics["levels"].isna() & (metrics["metric"] == "accuracy")]["value"].iloc[0]
        numbers = [f"{plain:.2f}", f"{told['accuracy']:.2f}", f"{told['entropy']:.2f}", f"{told['keys']:.0f}"]
        assert row[1:] == ["42", *numbers]


@pytest.mark.parametrize("hash", ["view=none&dataset=x&variant=y&seed=z&k=1000&image=99999&class=-4&key=500", "%%%"])
def test_an_address_that_makes_no_sense_is_put_right(quiet, page, hash):
    quiet.explore(f"{page.as_uri()}#{hash}")
    assert (quiet.state()["view"], quiet.state()["dataset"]) == ("dictionary", "mnist")


@pytest.mark.parametrize(("view", "width"), list(itertools.product(VIEWS, [320, 400, 1200])))
def test_no_view_sticks_out_or_jumps_all_its_pictures_are_seen_and_its_controls_named(quiet, page, view, width):
    quiet.explore(f"{page.as_uri()}#view={view}&key=0", width)
    assert quiet.seen()["overflow"] == 0
    assert quiet.run(UNSEEN) == []
    assert quiet.run(NAMELESS) == []
    assert sum(quiet.driver.execute_async_script(JUMPS)) < 0.005  # of the window, weighed by the way it goes


@pytest.mark.parametrize(("view", "scheme"), list(itertools.product(VIEWS, ["light", "dark"])))
def test_every_text_stands_out_from_what_lies_below_it_in_the_light_and_in_the_dark(quiet, page, voted, view, scheme):
    quiet.explore(f"{page.as_uri()}#view={view}&image={voted}&key=0&beside=blocks", prefers_color_scheme=scheme)
    ground = quiet.run("return getComputedStyle(document.documentElement).backgroundColor")
    assert (min(map(int, re.findall(r"\d+", ground))) > 200) == (scheme == "light")
    assert quiet.run(PALE) == []


def test_printed_it_is_on_white_without_what_is_only_to_be_clicked(quiet, page):
    quiet.explore(page.as_uri(), prefers_color_scheme="dark")
    quiet.media("print")
    assert quiet.run("return getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert not quiet.find("nav").is_displayed()
    assert quiet.find(".keys").is_displayed()
    assert quiet.run(PALE) == []


def test_the_browser_knows_every_declaration_of_the_styles(quiet, page):
    text = "".join((HERE / f"{name}.css").read_text(encoding="utf-8") for name in STYLES)
    declared = [
        [name, " ".join(value.split())]
        for name, value in re.findall(r"^\s+(?!-)([\w-]+):\s([^;{}]+);$", text, re.MULTILINE)
    ]
    assert len(declared) > 200
    quiet.explore(page.as_uri())
    assert quiet.run("return arguments[0].filter(([name, value]) => !CSS.supports(name, value))", declared) == []


def test_no_style_is_for_a_class_that_no_module_gives():
    css = "".join((HERE / f"{name}.css").read_text(encoding="utf-8") for name in STYLES)
    code = "".join(path.read_text(encoding="utf-8") for path in [*HERE.glob("*.js"), *HERE.glob("*.j2")])
    named = set(re.findall(r"\.([a-z][\w-]*)(?=[^{};]*\{)", css))
    assert {"wrong", "keys"} <= named
    assert {name for name in named if not re.search(rf"[\"'` ]{name}[\"'` ]", code)} == set()
