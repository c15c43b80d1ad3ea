"""The explorer as one HTML file: the template, its style, its modules and the data, all within."""

import json
import re
from pathlib import Path

import jinja2

from rem.errors import RemError
from rem.files.atomic import whole
from rem.report.explorer.collect import collect

HERE = Path(__file__).parent
STYLES = ("style", "keys", "tree", "compare")
WORKER = "decoder"
MODULES = (  # imports lead upwards
    *("data", "trees", "state", "draw", "controls", "capsules", "chart"),
    *("dictionary", "tree", "wrong", "compare", "main"),
)
REST = 1_500_000  # of them for what is no block: numbers, names, the page itself


def write_explorer(results: Path, prepared: Path, target: Path, most: int) -> None:
    """Write the page.

    Args:
        results: the folder of a run, `results/<name>`.
        prepared: the folder of its datasets' HDF5 files.
        target: the HTML file.
        most: bytes that it may have.

    Raises:
        RemError: as `rem.report.explorer.collect.collect`, or the page comes out larger than `most`.
    """
    found = collect(results, prepared, most - REST)
    text = (
        _environment()
        .get_template("explorer.html.j2")
        .render(
            name=results.name,
            style="".join((HERE / f"{name}.css").read_text(encoding="utf-8") for name in STYLES),
            decoder=(HERE / f"{WORKER}.js").read_text(encoding="utf-8"),
            script=bundled(),
            content=json.dumps(found.content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
            blocks=list(found.blocks),
        )
    )
    if len(text.encode()) > most:
        raise RemError(f"{target} would have {len(text.encode()):,} bytes, more than {most:,}; raise --most.")
    with whole(target) as partial:
        partial.write_text(text, encoding="utf-8")


def bundled() -> str:
    """The modules as one: the imports between them left out, for a page from the disk can import nothing."""
    texts = [(HERE / f"{name}.js").read_text(encoding="utf-8") for name in MODULES]
    joined = [re.sub(r"^import [^;]*;\n|^export (?=\w)", "", text, flags=re.MULTILINE) for text in texts]
    return "\n".join(joined)


def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(HERE)
    return jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
