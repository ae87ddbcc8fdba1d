"""docs/metrics.md, recipes.md and commands.md, of the code's own tables; `python -m tests.reference` writes them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mintage.__main__ import COMMANDS
from mintage.families import FAMILIES, resolve, variants
from mintage.recipes import axes
from stages.selection.metrics import METRICS
from tests.tried import cell

DOCS = Path(__file__).parents[1] / "docs"
_BETTER = {"min": "lower", "max": "higher"}
_END = "\n`python -m tests.reference` writes this page from {}.\n"


def pages() -> dict[str, str]:
    """Each page by its name."""
    return {"metrics.md": metrics(), "recipes.md": recipes(), "commands.md": commands()}


def metrics() -> str:
    head = """\
# Metrics

What `select` measures for each checkpoint, if the data allow it; [measuring](measuring.md) says how to read it. Use the
name in `select.metric` and guards; `metrics/selection.json` has it, too.

"""
    rows = (
        (
            f"`{name}`",
            _BETTER[one.direction],
            f"{one.meaning} ({one.source})",
            "yes" if not one.guard_only else f"as a guard only: {one.guard_only}",
        )
        for name, one in METRICS.items()
    )
    columns = ("metric", "better", "meaning", "may choose a checkpoint")
    return head + table(columns, rows) + _END.format("`stages/selection/metrics.py` and the media")


def recipes() -> str:
    head = """\
# Recipes

Each family with its choice on the main axes; [families](families.md) says which to take. All axes of
one, with their meaning: `mintage families NAME`.

"""
    rows = (
        (f"`{name}`", one.paper, axes(resolve(name, {})), ", ".join(f"`{other}`" for other in variants(name)))
        for name, one in FAMILIES.items()
    )
    return head + table(("family", "paper", "axes", "variants"), rows) + _END.format("`mintage/recipes.toml`")


def commands() -> str:
    head = """\
# Commands

`mintage COMMAND --help` explains a command; [running](running.md#one-command) says what all have in common. For a
stage, `dvc repro STAGE` does the same.

"""
    rows = (
        (f"`mintage {name}`", one.text, f"`{' '.join(['python -m', one.module, *one.before])}`")
        for name, one in COMMANDS.items()
    )
    return head + table(("command", "what it does", "the same"), rows) + _END.format("`mintage/__main__.py`")


def table(columns: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *([cell(text) for text in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    for page, text in pages().items():
        (DOCS / page).write_text(text, encoding="utf-8")
