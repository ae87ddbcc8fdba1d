"""Say how good the model is, and where everything is that the pipeline made.

Reads metrics/selection.json, metrics/evaluator.json, published.json, params.yaml and dvc.lock; writes nothing.
"""

import textwrap
from pathlib import Path

from pydantic import model_validator

from mintage.metrics import percent
from stages.common.dvc import graph_stages
from stages.common.errors import UserError, counted, run_stage
from stages.common.files import missing_output, read_json
from stages.common.stage import parser_of
from stages.media import medium_of
from stages.media.medium import Words
from stages.reporting.facts import Evaluator, Facts
from stages.reporting.inputs import read_facts
from stages.reporting.measures import baselines, of_real, shown_metrics, with_error
from stages.reporting.selection import Selection
from stages.reporting.words import aligned, size
from stages.restore import first_of_other_params, first_unfinished
from stages.selection.metrics import METRICS
from stages.stores.folder import FolderStore

REPORT, SELECTED, SAMPLES = Path("reports/index.html"), Path("models/selected"), Path("plots/samples.png")
SELECTION, EVALUATOR, RECEIPT = Path("metrics/selection.json"), Path("metrics/evaluator.json"), Path("published.json")
WIDTH = 100
_BEHIND_THE_FIGURES = {"sample", "export", "report", "upload"}
Row = tuple[str, ...]


class Receipt(Facts):
    """The fields of `published.json` that are shown."""

    url: str = ""
    latest: str = ""
    files: int = 0
    bytes: int = 0
    unpublished: str | None = None
    """Why this run was not published; None if it was."""

    @model_validator(mode="after")
    def _is_of_a_release(self) -> "Receipt":
        if self.unpublished is None and not (self.url and self.latest):
            raise ValueError("it names no release")
        return self


def main() -> None:
    if not SELECTION.exists():
        graph_stages(Path("dvc.yaml"))  # refuses any folder but a checkout's root
        raise UserError(
            "output-missing", f"{SELECTION} is missing: `mintage run` makes it, and all that is summed up here"
        )
    print(f"\n{summary(Path())}\n")


def summary(root: Path, *, dated: bool = True) -> str:
    """The whole text, for the pipeline's outputs under `root`; a UserError names an output that is missing.

    With `dated` it begins by saying if they are of an earlier run, or of other params.
    """
    selection, evaluator = read_facts(root / SELECTION, Selection), read_facts(root / EVALUATOR, Evaluator)
    receipt = read_facts(root / RECEIPT, Receipt)
    for path in (REPORT, SELECTED, SAMPLES):
        if not (root / path).exists():
            raise missing_output(path)
    said = words_of(root).said
    among = counted(selection.checkpoints, "checkpoint")
    chosen = f"Selected at {selection.images:,} images, out of {among}: {selection.rule}"
    measured = (
        f"Measured on {selection.samples:,} samples and {_of_the_floor(selection)} (the floor), "
        f"each against {selection.holdout_images:,} held-out images, by {_judge(evaluator, root)}"
    )
    if selection.value(METRICS["frechet_distance"].interval[0]) is not None:
        measured += "; in brackets the floors of nine in ten other splits"
    verdict = selection.verdict and selection.verdict.text
    of_chosen = (selection.classifier, selection.pairs_told_apart, selection.detector, selection.reconstruction)
    alone = [one and one.sentence for one in (*of_chosen, selection.truncation)]
    less = [evaluator.turned_down, selection.left_out]
    figures = [tuple(map(said, row)) for row in metric_rows(selection)]
    sentences = "\n".join(textwrap.fill(said(line), WIDTH) for line in (chosen, measured))
    before, after = (
        [textwrap.fill(said(one), WIDTH) for one in several if one] for several in ([verdict], [*alone, *less])
    )
    dates = _of_before(root) if dated else []
    return "\n\n".join(
        [*dates, *before, sentences, aligned(figures, "  "), *after, aligned(_places(receipt, root), "  ")]
    )


def _of_before(root: Path) -> list[str]:
    """A sentence if the outputs are of an earlier run, or of other params than those in params.yaml."""
    unfinished, changed = first_unfinished(root), first_of_other_params(root)
    stage = unfinished or changed
    if stage is None:
        return []
    older = "report and release are" if stage in _BEHIND_THE_FIGURES else "what follows is"
    why = f"A later run has not finished {stage}: {older} of the run before it. `mintage run` goes on."
    if unfinished is None:
        these = "Report and release" if stage in _BEHIND_THE_FIGURES else "These figures"
        why = f"{these} were made with other params than params.yaml has now: `mintage run` brings all up to date."
    return [textwrap.fill(why, WIDTH)]


def words_of(root: Path) -> Words:
    return medium_of(read_json(root / SELECTED / "provenance.json")).words


def metric_rows(selection: Selection) -> list[Row]:
    """Each figure beside its floor, the value of real images measured in the same way, and above its baselines."""
    return [
        ("", "generated", "real (floor)"),
        *(
            row
            for name, metric in shown_metrics(selection).items()
            for row in [
                (metric.title, with_error(metric, name, selection), of_real(metric, selection)),
                *(("", baseline, "") for baseline in baselines(name, selection)),
            ]
        ),
    ]


def _of_the_floor(selection: Selection) -> str:
    equal = selection.floor_images == selection.samples
    return f"{'as many' if equal else f'{selection.floor_images:,}'} training images"


def _judge(evaluator: Evaluator, root: Path) -> str:
    if evaluator.kind == "coordinates":
        return f"the {words_of(root).numbers} themselves"
    if evaluator.kind == "attributes":
        return f"a classifier that is right on {percent(evaluator.holdout_accuracy)} of the held-out images' attributes"
    if evaluator.kind == "classifier":
        return f"a classifier that is right on {percent(evaluator.holdout_accuracy)} of the held-out images"
    if evaluator.kind == "language":
        return f"a language model, surprised by {evaluator.holdout_surprise:.3g} nats a held-out line"
    if evaluator.doubt:
        return f"an autoencoder that {evaluator.doubt}"
    explained = percent(evaluator.holdout_explained_variance)
    return f"an autoencoder that explains {explained} of the variance of the held-out images"


def _places(receipt: Receipt, root: Path) -> list[Row]:
    return [
        ("report", str(REPORT)),
        ("selected model", str(SELECTED)),
        ("sample grid", str(SAMPLES)),
        *_published(receipt, root),
    ]


def _published(receipt: Receipt, root: Path) -> list[Row]:
    missing = receipt.unpublished and f"not published: {receipt.unpublished}"
    if not missing and receipt.url.startswith("file:"):
        release = root / FolderStore(receipt.url).root
        if not release.exists():  # with its folder after `delete`; without one as after `dvc pull`
            where = "gone from its store" if release.parent.exists() else "not in this checkout"
            missing = f"{receipt.url}, {where}"
    if missing:
        return [("release", missing), ("to publish", "mintage releases publish")]
    return [
        ("receipt", str(RECEIPT)),
        ("release", f"{receipt.url} ({receipt.files} files, {size(receipt.bytes)})"),
        ("latest release", receipt.latest),
    ]


if __name__ == "__main__":
    parser_of("stages.summary", __doc__).parse_args()
    run_stage(main)
