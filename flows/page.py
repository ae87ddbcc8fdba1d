"""The page of a run in Prefect, in markdown: graph, stages, metrics, samples and the release."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from prefect.artifacts import acreate_markdown_artifact

from flows.drawing import drawing
from flows.graph import Graph
from flows.stage import Run, StageResult
from stages.common.errors import UserError
from stages.common.files import read_json
from stages.common.receipt import UNPUBLISHED, read_receipt
from stages.common.templates import data_uri
from stages.reporting.selection import Selection
from stages.summary import metric_rows

SELECTION, SAMPLES = Path("metrics/selection.json"), Path("plots/samples.png")
LARGEST_PICTURE = 1_000_000
"""Bytes; a larger grid is left out of the page, which Prefect keeps in its database."""


async def publish(graph: Graph, run: Run, problem: str | None, seconds: float) -> None:
    text = markdown(graph, run, problem, seconds)
    await acreate_markdown_artifact(text, key="pipeline", description=problem or counted(run))


def markdown(graph: Graph, run: Run, problem: str | None, seconds: float) -> str:
    parts = [
        f"# {'Failed' if problem else 'Completed'} in {seconds:.0f} s: {counted(run)}",
        f"**{problem}**" if problem else "",
        *([] if problem else [_release(run), _headline(run.workspace), _samples(run.workspace)]),
        "## Stages\n\n" + _table(run.results),
        f"## Graph\n\n![graph]({data_uri('image/svg+xml', drawing(graph, run.results).encode())})",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def counted(run: Run) -> str:
    """For example `9 stages: 2 ran, 7 skipped`."""
    counts = Counter(result.outcome for result in run.results.values())
    return f"{len(run.results)} stages: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items())


def release(workspace: Path) -> dict[str, Any] | None:
    """The receipt of the last release, if there is one, without the description of the data, which is for the gate."""
    receipt = read_receipt(workspace)
    return receipt and {key: value for key, value in receipt.items() if key not in ("data", UNPUBLISHED)}


def _release(run: Run) -> str:
    receipt = release(run.workspace)
    if not receipt:
        return ""
    new = "New release" if receipt != run.before else "Release, as before"
    url = receipt["url"]
    shown = f"[{url}]({url})" if re.match(r"https?://", url) else f"`{url}`"
    return f"{new}: **{receipt['release']}** at {shown}"


def _headline(workspace: Path) -> str:
    try:
        selection = Selection.model_validate(read_json(workspace / SELECTION))
    except (UserError, ValueError):  # not measured yet, or another pipeline's
        return ""
    header, *rows = [f"| {' | '.join(row)} |" for row in metric_rows(selection)]
    verdict = [f"{selection.verdict.text}\n"] if selection.verdict else []
    title = f"## Quality at {selection.images:,} images\n"
    return "\n".join([title, *verdict, header, "| --- | --- | --- |", *rows])


def _samples(workspace: Path) -> str:
    picture = workspace / SAMPLES
    if not picture.is_file() or picture.stat().st_size > LARGEST_PICTURE:
        return ""
    return f"## Samples\n\n![samples]({data_uri('image/png', picture.read_bytes())})"


def _table(results: dict[str, StageResult]) -> str:
    rows = [
        f"| {name} | {result.outcome} | {f'{result.seconds:.1f} s' if result.seconds else ''} | {result.sentence} |"
        for name, result in results.items()
    ]
    return "\n".join(["| stage | outcome | time | |", "| --- | --- | --- | --- |", *rows])
