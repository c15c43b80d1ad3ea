"""The report: everything it is given is in the one file, which asks for nothing else and can be read at any width."""

import itertools
import re

import pytest
import tiny
from measurements import metrics, run_yaml, settings

from rem.claims.findings import Finding, decided
from rem.claims.paper import CLAIMS
from rem.claims.rules import FAILS, HOLDS, UNDECIDED
from rem.claims.write import table
from rem.errors import RemError
from rem.files.atomic import whole
from rem.files.notes import note_read
from rem.files.trace import recorded, trace
from rem.report.graph import WIDTH, arrange, arrows, svg
from rem.report.page import LEFT_OUT, claims_of, comparison, outcome, run_rows, shown, timing_rows, write_report
from rem.tables.measurements import read_results
from rem.tables.names import Names
from rem.tables.paired import write_paired
from rem.tables.paper import write_tables


def finding(verdict, dataset="mnist", decides=True):
    """Of entropy at K = 7: 7 bits fall to 3."""
    return Finding(
        dataset=dataset,
        data=dataset,
        levels=7,
        metric="entropy",
        network="REM",
        against="CapsNet+Q",
        value=3.0,
        reference=7.0,
        difference=-4.0,
        low=-5.0,
        high=-3.0,
        p=0.01,
        seeds=3,
        verdict=verdict,
        decides=decides,
    )


NAMES = Names([settings("mnist", "rem", 42), settings("shapes", "rem", 42)])
DECISIONS = [  # findings of all claims: two, one and none in turn
    (claim, findings)
    for claim, findings in zip(
        CLAIMS,
        itertools.cycle(
            [
                [finding(HOLDS), finding(UNDECIDED, dataset="<script>alert(1)</script>", decides=False)],
                [finding(FAILS, dataset="shapes")],
                [],
            ]
        ),
        strict=False,
    )
]
PUBLISHED = tiny.ROOT / "config/published.yaml"
RUNS = [
    *(("mnist", variant, seed) for variant in ("baseline", "rem") for seed in (42, 43, 44)),
    ("shapes", "baseline", 42),
]
FIGURE = """<svg xmlns="http://www.w3.org/2000/svg" width="504pt" height="252pt" viewBox="0 0 504 252">
<rect width="504" height="252" fill="#0173b2"/></svg>"""


def made(path, content, *inputs, command="rem tables"):
    """A file that a command made of others."""
    with recorded(command.split()), whole(path) as partial:
        for one in inputs:
            note_read(one)
        partial.write_text(content, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Hand-made measurements: metrics.csv, the run.yaml files, and the CSVs of every table."""
    folder = tmp_path_factory.mktemp("measured")
    path, yamls = metrics(folder), [run_yaml(folder, *run) for run in RUNS]
    write_tables(path, PUBLISHED, yamls, "trial", "mnist", folder / "tables")
    write_paired(path, yamls, [], folder / "tables")
    return path, yamls, {file.stem: file for file in sorted((folder / "tables").glob("*.csv"))}


@pytest.fixture
def given(measured, tmp_path):
    """What `write_report` takes, of the smallest kind."""
    (tmp_path / "raw.gz").write_text("raw", encoding="utf-8")
    csv, yamls, tables = measured
    measurements = made(tmp_path / "metrics.csv", csv.read_text("utf-8"), tmp_path / "raw.gz", command="rem metrics")
    tables = [
        made(tmp_path / f"{stem}.csv", tables[stem].read_text("utf-8"), measurements)
        for stem in ("paper_vs_ours", "table4")
    ]
    claims = made(
        tmp_path / "claims.csv", table(DECISIONS, NAMES).to_csv(index=False), measurements, command="rem claims"
    )
    figures = [
        made(tmp_path / f"{stem}.svg", FIGURE, measurements, command="rem figure") for stem in ("fig4", "overview")
    ]
    (tmp_path / "benchmarks/train").mkdir(parents=True)
    timing = tmp_path / "benchmarks/train/mnist-rem-seed42.tsv"
    timing.write_text("s\th:m:s\tmax_rss\n90.0\t0:01:30\t512.0\n", encoding="utf-8")
    return {
        "name": "trial", "tables": tables, "metrics_csv": measurements, "claims_csv": claims, "figures": figures,
        "runs": yamls, "timings": [timing], "target": tmp_path / "report.html",
    }  # fmt: skip


def report_of(given):
    write_report(**given)
    return given["target"].read_text(encoding="utf-8")


def test_everything_is_in_the_file(given):
    text = report_of(given)
    for part in (
        "config <b>trial</b>", CLAIMS[0].name, decided(DECISIONS[1][1], NAMES), CLAIMS[1].sentence, "80.00 ± 1.00",
        "not among this config", "Table 4. Accuracy and sparsity", "95.00 ± 1.00", "The paper's Figure 4",
        "mnist-sample", "all with the SHA-256", "rem metrics", "raw.gz", "2 minutes of jobs",
    ):  # fmt: skip
        assert part in text.replace("&#39;", "'").replace("\n", " "), part
    assert text.count("data:image/svg+xml;base64,") == 2
    assert text.index('id="overview"') < text.index('id="claims"') < text.index('id="fig4"')


def test_nothing_outside_the_file_is_asked_for_and_nothing_is_run(given):
    text = report_of(given)
    addresses = re.findall(r"""(?:src|href|action|srcset|data)=["']([^"']*)""", text) + re.findall(
        r"url\((.*?)\)", text
    )
    assert {re.sub(r",.*|\w+$", "", address) for address in addresses} == {"#", "data:image/svg+xml;base64"}
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "default-src 'none'" in text


def test_the_explorer_is_linked_to_where_there_is_one(given):
    assert "explorer.html" not in report_of(given)
    given["target"].with_name("explorer.html").write_text("", encoding="utf-8")
    assert '<a href="explorer.html">Browse the parse trees</a>' in report_of(given)


def test_numbers_of_a_claim_are_shown_on_demand(given):
    for summary in re.findall(r"<summary>(.*?)</summary>", report_of(given), re.DOTALL):
        assert "bits" not in summary


def test_what_came_of_a_claim_is_one_sentence_without_numbers_beside_its_verdict(given):
    several = [finding(HOLDS), finding(HOLDS), finding(FAILS, dataset="shapes"), finding(UNDECIDED, decides=False)]
    assert outcome(several) == "Of 3 measurements on mnist, shapes, 2 say so, 1 says the opposite."
    assert outcome([finding(UNDECIDED), finding(UNDECIDED)]) == "Of 2 measurements on mnist, 2 leave it open."
    assert outcome([finding(HOLDS)]) == "The one measurement, on mnist, says so."
    assert outcome([finding(HOLDS, decides=False)]) == "This run measured nothing that decides it."
    summary, *_ = re.findall(r"<summary>(.*?)</summary>", report_of(given), re.DOTALL)
    assert "The one measurement, on mnist, says so." in summary
    assert CLAIMS[0].measurement not in summary


def test_the_same_results_are_the_same_report(given):
    assert report_of(given) == report_of(given)


def test_a_changed_input_is_told_in_the_report(given, tmp_path):
    (tmp_path / "raw.gz").write_text("other", encoding="utf-8")
    text = report_of(given).replace("\n", " ")
    assert f"raw.gz has changed since {tmp_path}/metrics.csv was made of it" in text
    assert "all with the SHA-256" not in text


def test_results_without_records_are_told_to_be_untraced(given, tmp_path):
    (tmp_path / ".table4.csv.record.json").unlink()
    text = report_of(given)
    assert "Not traced:" in text
    assert "table4.csv has no record" in text
    assert "all with the SHA-256" not in text


def test_a_selection_without_figures_or_timings_is_a_report_too(given):
    text = report_of(given | {"tables": given["tables"][1:], "figures": [], "timings": []})
    assert "Table 4." in text
    assert "There are no timings" in text


def test_a_missing_table_is_one_sentence(given, tmp_path):
    with pytest.raises(RemError, match=r"table6\.csv is missing; run the command that makes it\.$"):
        write_report(**given | {"tables": [tmp_path / "table6.csv"]})


def test_claims_come_with_their_findings_and_the_kind_of_their_verdict(given):
    claims = claims_of(given["claims_csv"])
    assert [claim.verdict for claim in claims] == [decided(findings, NAMES) for _, findings in DECISIONS]
    assert [claim.kind for claim in claims][:3] == ["holds", "not", "open"]
    assert not claims[0].findings[1].decides
    assert claims[0].findings[1].text.startswith("<script>alert(1)")
    text = report_of(given)
    assert "<li><em>beside it</em> &lt;script&gt;alert(1)" in text
    assert "<li>none: run <code>baseline</code>" in text


def test_numbers_of_single_classes_and_missing_ones_stand_apart_from_the_comparison(measured):
    together, classes, missing = comparison(measured[2]["paper_vs_ours"])
    assert together.header[:6] == ["Table", "Row", "Column", "Unit", "Published", "K"]
    assert not set(LEFT_OUT) & set(together.header)
    of_class = {f"#{class_}" for class_ in range(10)}
    assert not {row[2] for row in together.rows} & of_class
    assert {row[2] for row in classes.rows} == {"#0", "#1"}  # two classes were measured
    (why, *_) = [row[-1] for row in missing.rows if row[2] == "CIFAR10 Accuracy"]
    assert why.startswith("cifar10 is not among")
    assert [table.closed for table in (together, classes, missing)] == [False, True, True]


@pytest.mark.parametrize("which", ["table2", "table3", "table4", "table5", "table6", "table_decoder", "paired"])
def test_tables_are_shown_from_their_numbers_as_in_their_markdown(measured, which):
    csv, yamls, tables = measured
    table = shown(tables[which], read_results(csv, yamls))
    markdown = tables[which].with_suffix(".md").read_text(encoding="utf-8")
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines() if line[0:1] == "|"
    ]
    assert [table.header, *table.rows] == cells[:1] + cells[2:] if cells else [[]]
    assert all(paragraph in markdown for paragraph in table.caption)
    if which != "paired":
        assert markdown.startswith(table.heading if cells else table.caption[0])


def test_without_a_pair_of_networks_the_report_says_so(measured, tmp_path):
    csv, yamls, _ = measured
    write_paired(csv, yamls[-1:], [], tmp_path)
    table = shown(tmp_path / "paired.csv", read_results(csv, yamls))
    assert (table.caption[-1], table.rows) == ("No two networks of these runs make a pair.", [])


def test_a_file_that_is_no_table_is_refused(measured, tmp_path):
    (tmp_path / "table9.csv").write_text("model\n", encoding="utf-8")
    with pytest.raises(RemError, match=r"table9.csv is no table of rem tables or rem paired; give table2, "):
        shown(tmp_path / "table9.csv", read_results(*measured[:2]))


def test_networks_are_told_by_dataset():
    (row,) = run_rows([tiny.run(seed=43), tiny.run("rem", seed=42)])
    assert (row["Dataset"], row["Networks"], row["Seeds"]) == ("thirds", "baseline, rem", "42, 43")


@pytest.mark.parametrize(("channels", "seen"), [(1, "19×19"), (2, "19×19 in stereo"), (3, "19×19 in colour")])
def test_what_kind_of_images_a_network_saw_is_told(channels, seen):
    data = {"channels": channels, "mean": [0.5] * channels, "std": [0.25] * channels}
    assert run_rows([tiny.run(data=data)])[0]["Seen at"] == seen


def test_times_are_summed_by_rule(tmp_path):
    for name, line in {
        "train/a": "60.0\t100.0", "train/b": "30.0\t-", "metrics": "9.0\t50.0", "figures/fig4": "1.0\t20.0",
    }.items():  # fmt: skip
        path = tmp_path / f"benchmarks/{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\tmax_rss\n{line}\n", encoding="utf-8")
    rows = timing_rows(sorted(tmp_path.rglob("*.tsv")))
    assert [(row["rule"], row["jobs"], row["seconds"], row["longest"], row["memory"]) for row in rows] == [
        ("train", 2, 90.0, 60.0, 100.0), ("metrics", 1, 9.0, 9.0, 50.0), ("figures", 1, 1.0, 1.0, 20.0),
    ]  # fmt: skip
    (tmp_path / "benchmarks/metrics.tsv").write_text("half", encoding="utf-8")
    with pytest.raises(RemError, match=r"metrics.tsv is no benchmark"):
        timing_rows(sorted(tmp_path.rglob("*.tsv")))


# The steps as a graph


@pytest.fixture
def steps(tmp_path):
    """prepare -> train -> couplings, decoder -> figure; figure reads what prepare made too."""
    data = made(tmp_path / "data", "", command="rem prepare x")
    model = [made(tmp_path / f"model{n}", "", data, command=f"rem train {n}") for n in (1, 2)]
    couplings = made(tmp_path / "couplings", "", *model, data, command="rem couplings x")
    entropy = made(tmp_path / "entropy", "", couplings, command="rem entropy x")
    decoder = made(tmp_path / "decoder", "", *model, command="rem stack-decoder x")
    return trace([made(tmp_path / "figure", "", entropy, decoder, data, command="rem figure x")])


def test_an_arrow_is_drawn_where_no_other_step_tells_it(steps):
    assert arrows(steps) == {
        ("rem prepare", "rem train"), ("rem train", "rem couplings"), ("rem couplings", "rem entropy"),
        ("rem train", "rem stack-decoder"), ("rem entropy", "rem figure"), ("rem stack-decoder", "rem figure"),
    }  # fmt: skip


def test_steps_stand_below_what_they_read_and_no_arrow_crosses_one(steps):
    placed, ways = arrange(steps)
    at = {box.name: box for box in placed}
    assert at["rem train"].runs == 2
    for one, other in arrows(steps):
        assert at[one].y < at[other].y
    for way in ways:
        for x, y in way[1:-1]:
            assert all(abs(box.x - x) > WIDTH / 2 for box in placed if box.y == y)
    assert svg(steps).count("<rect") == len(placed) == 6


# In a browser


@pytest.mark.parametrize("width", [320, 375, 1280])
def test_a_browser_shows_it_whole_at_the_width_of_a_phone_and_of_a_desk(given, chromium, width):
    report_of(given)
    chromium.open(given["target"].as_uri(), width)
    found = chromium.seen()
    assert (found["images"], found["broken"], found["overflow"], chromium.asked()) == (2, 0, 0, [])
    assert found["smallest"] > 12
    assert found["headings"][0] == "The paper's claims"
    assert decided(DECISIONS[1][1], NAMES) in found["text"]


def test_the_browser_would_tell_a_broken_image_a_request_a_message_and_a_page_that_is_too_wide(tmp_path, chromium):
    page, elsewhere = tmp_path / "page.html", "http://127.0.0.1:9/none.png"
    page.write_text(
        f'<p style="width: 900px">x</p><img src="{elsewhere}"><img src="data:image/png;base64,AAAA">', encoding="utf-8"
    )
    chromium.open(page.as_uri(), 375)
    found = chromium.seen()
    assert (found["images"], found["broken"], found["overflow"] > 400) == (2, 2, True)
    assert chromium.asked() == [elsewhere]
    (message,) = chromium.messages()
    assert elsewhere in message
