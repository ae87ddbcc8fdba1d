"""Report: one self-contained page that needs no network: what was trained, on what, how well, what it looks like.

Reads data/normalized/manifest.json, reports/{validation,drift}.json, metrics/, plots/, models/selected/, provenance/.
Writes reports/index.html, and reports/report.json on what made it: a file of its own in provenance/, which it reads,
would make DVC run it again each time.
"""

from pathlib import Path

from markupsafe import Markup

from mintage.metrics import number, percent
from stages.common.errors import run_stage
from stages.common.files import write_text
from stages.common.params import Report, load_section
from stages.common.provenance import recorded
from stages.common.stage import parser_of
from stages.common.templates import environment, script_hash
from stages.reporting import words
from stages.reporting.inputs import Inputs, read_inputs
from stages.reporting.page import build_page, judged, plain, without_secrets

TEMPLATES = Path(__file__).parent / "reporting" / "templates"


def main() -> None:
    params = load_section(Report)
    target = Path("reports/index.html")
    with recorded("report", params, folder=target.parent):
        inputs = read_inputs(Path())
        write_text(target, render(inputs, params.title))
    print(f"report: {target} ({words.size(target.stat().st_size)})")


def render(inputs: Inputs, title: str) -> str:
    """The page as HTML; the same inputs give the same text."""
    templates = environment(TEMPLATES)
    templates.filters |= {
        "number": number,
        "count": words.count,
        "percent": percent,
        "size": words.size,
        "duration": words.duration,
        "plain": plain,
        "judged": judged,
        "without_secrets": without_secrets,
    }
    script = (TEMPLATES / "report.js").read_text()
    page = build_page(inputs, title) | {
        "script": Markup(script),
        "script_hash": script_hash(script),
        "style": Markup((TEMPLATES / "report.css").read_text()),
    }
    return templates.get_template("report.html.j2").render(page)


if __name__ == "__main__":
    parser_of("stages.report", __doc__).parse_args()
    run_stage(main)
