"""What a person reads at the end of `make run`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.summary import main, summary
from tests.programs import printed_by, python
from tests.refusals import refused

MEASURES = {
    "images": 450_000,
    "frechet_distance": 14.23,
    "frechet_floor": 1.518,
    "frechet_floor_low": 1.31,
    "frechet_floor_high": 1.8,
    "kernel_distance": 0.0521,
    "kernel_error": 0.0034,
    "kernel_floor": 0.0012,
    "conditional_accuracy": 0.9612,
    "accuracy_floor": 0.9861,
    "samples": 1438,
}
SELECTION = {
    **MEASURES,
    "metric": "frechet_distance",
    "rule": "the least frechet_distance",
    "floor_images": 1438,
    "holdout_images": 359,
    "checkpoints": 12,
    "last": MEASURES,
}
EVALUATOR = {
    "kind": "classifier",
    "holdout_accuracy": 0.9861,
    "images": 120_000,
    "holdout_images": 359,
    "features": 64,
    "sha256": "0" * 64,
}
RECEIPT = {
    "release": "0123456789abcdef0123",
    "url": "file:published/releases/0123456789abcdef0123",
    "latest": "file:published/channels/latest.json",
    "files": 31,
    "bytes": 1_234_567,
}


def finished(root: Path, **changes: dict[str, Any]) -> Path:
    """The outputs of a whole run that the summary reads."""
    contents = {
        "metrics/selection.json": json.dumps({**SELECTION, **changes.get("selection", {})}),
        "metrics/evaluator.json": json.dumps({**EVALUATOR, **changes.get("evaluator", {})}),
        "published.json": json.dumps({**RECEIPT, **changes.get("receipt", {})}),
        "reports/index.html": "<!doctype html>",
        "plots/samples.png": "png",
        "models/selected/config.json": "{}",
        "models/selected/provenance.json": "{}",
    }
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def cells(text: str) -> list[list[str]]:
    """Lines as their cells: two spaces or more part them."""
    return [[cell for cell in line.strip().split("  ") if cell] for line in text.splitlines()]


def test_it_tells_every_place(tmp_path: Path) -> None:
    (tmp_path / "published/releases/0123456789abcdef0123").mkdir(parents=True)
    text = summary(finished(tmp_path))
    for place in ("reports/index.html", "models/selected", "plots/samples.png", "published.json"):
        assert place in text
    assert "file:published/releases/0123456789abcdef0123 (31 files, 1.2 MB)" in text


def test_a_release_that_a_colleague_keeps_in_a_folder_of_theirs_is_said_to_be_elsewhere(tmp_path: Path) -> None:
    text = summary(finished(tmp_path))
    assert "not in this checkout" in text
    assert "mintage releases publish" in text
    assert "latest release" not in text


def test_a_release_that_was_deleted_is_said_to_be_gone(tmp_path: Path) -> None:
    (tmp_path / "published/releases").mkdir(parents=True)
    assert f"{RECEIPT['url']}, gone from its store" in summary(finished(tmp_path))


def test_it_tells_each_metric_beside_its_floor_and_the_number_of_images(tmp_path: Path) -> None:
    text = summary(finished(tmp_path))
    lines = [[cell.strip() for cell in line] for line in cells(text)]
    assert ["Frechet distance", "14.2", "1.52 (1.31 to 1.80)"] in lines
    assert ["kernel distance", "0.0521 ± 0.0034", "0.00120"] in lines
    assert ["conditional accuracy", "96.1%", "98.6%"] in lines
    assert "450,000 images" in text
    words = "Measured on 1,438 samples and as many training images (the floor), each against 359 held-out images"
    assert words in " ".join(text.split())
    assert "right on 98.6% of the held-out images; in brackets the floors of nine in ten other splits" in " ".join(
        text.split()
    )


def test_it_tells_what_was_measured_of_the_selected_checkpoint_alone(tmp_path: Path) -> None:
    classifier = {"kind": "code", "accuracy": 0.9, "batch_size": 64, "sentence": "The categories are right on 90.0%."}
    truncation = {"samples": 2000, "fidelity": "precision", "variety": "recall", "sentence": "Precision rises."}
    text = summary(finished(tmp_path, selection={"classifier": classifier, "truncation": truncation}))
    assert "The categories are right on 90.0%." in text
    assert "Precision rises." in text


@pytest.mark.parametrize(("checkpoints", "words"), [(1, "out of 1 checkpoint: "), (12, "out of 12 checkpoints: ")])
def test_it_tells_out_of_how_many_checkpoints_one_was_selected(tmp_path: Path, checkpoints: int, words: str) -> None:
    assert words in summary(finished(tmp_path, selection={"checkpoints": checkpoints})).replace("\n", " ")


def test_below_a_figure_is_what_is_reached_without_the_model(tmp_path: Path) -> None:
    text = summary(finished(tmp_path, selection={"baseline": {"frechet_distance": 77.7}}))
    lines = [[cell.strip() for cell in line] for line in cells(text)]
    at = lines.index(["sources themselves: 77.7"])
    assert lines[at - 1][0] == "Frechet distance"


@pytest.mark.tried("the first words after a run", "Poor: far away. It fell. Train longer.")
def test_the_verdict_comes_first_and_what_a_short_run_left_out_is_said_once(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    assert not summary(finished(tmp_path)).startswith(("Good", "Fair", "Poor"))
    verdict = {"level": "poor", "sentence": "Poor: far away.", "curve": "It fell.", "advice": "Train longer."}
    shorter = {"turned_down": "The evaluator was shown 12,000 images."}
    selection = {"verdict": verdict, "left_out": "Other classifiers were left out."}
    text = summary(finished(tmp_path, selection=selection, evaluator=shorter))
    read(text.splitlines()[0])
    assert text.count("The evaluator was shown 12,000 images.") == text.count("Other classifiers were left out.") == 1


def test_without_classes_it_tells_no_accuracy_and_what_the_autoencoder_explains(tmp_path: Path) -> None:
    unlabeled = {"kind": "autoencoder", "holdout_accuracy": None, "holdout_explained_variance": 0.834}
    nothing = {"conditional_accuracy": None, "accuracy_floor": None}
    text = summary(finished(tmp_path, selection=nothing, evaluator=unlabeled))
    assert "accuracy" not in text
    assert "an autoencoder that explains 83.4%" in text
    unlabeled["holdout_explained_variance"] = -3.47
    text = summary(finished(tmp_path, selection=nothing, evaluator=unlabeled))
    assert "worse than their mean would" in text
    assert "-347" not in text


def test_it_fits_a_terminal_of_100_columns(tmp_path: Path) -> None:
    assert max(map(len, summary(finished(tmp_path)).splitlines())) <= 100


LOCK = """\
stages:
  ingest: {cmd: i, outs: [{path: data/raw, md5: RAW}]}
  train: {cmd: t, deps: [{path: data/raw, md5: aa}, {path: code, md5: 11}], outs: [{path: CHECKPOINTS, md5: bb}]}
"""


@pytest.mark.parametrize(
    ("raw", "checkpoints", "unfinished"),
    [("aa", "plots/samples.png", None), ("cc", "plots/samples.png", "train"), ("aa", "models/checkpoints", "train")],
    ids=["of one run", "the data are of a later one", "the training was stopped"],
)
def test_a_run_that_was_stopped_is_said_before_the_figures_of_the_one_before(
    tmp_path: Path, raw: str, checkpoints: str, unfinished: str | None
) -> None:
    finished(tmp_path)
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "dvc.lock").write_text(LOCK.replace("RAW", raw).replace("CHECKPOINTS", checkpoints))
    first = summary(tmp_path).splitlines()[0]
    said = f"A later run has not finished {unfinished}: what follows is of the run before it. `mintage run` goes on."
    assert (first == said) == (unfinished is not None), first


@pytest.mark.parametrize(
    ("images", "seed", "stage"),
    [(200, 0, None), (200, 1, "train"), (300, 0, "identity")],
    ids=["the same", "train alone", "what a stage reads of train"],
)
def test_a_stage_that_did_not_run_through_with_the_present_params_is_said(
    tmp_path: Path, images: int, seed: int, stage: str | None
) -> None:
    """As after a failed training, whose old outputs DVC puts back."""
    finished(tmp_path)
    (tmp_path / "dvc.lock").write_text(
        "stages: {identity: {params: {params.yaml: {train.images: 200}}}, "
        "train: {params: {params.yaml: {train: {images: 200, seed: 0}}}}}"
    )
    (tmp_path / "params.yaml").write_text(f"evaluator: {{seed: 0}}\ntrain: {{images: {images}, seed: {seed}}}\n")
    first = summary(tmp_path).replace("\n", " ")
    said = "These figures were made with other params than params.yaml has now: `mintage run` brings all up to date."
    assert first.startswith(said) == (stage is not None), first


def test_where_the_figures_are_of_the_later_run_its_report_and_release_are_not(tmp_path: Path) -> None:
    finished(tmp_path)
    (tmp_path / "dvc.lock").write_text("stages: {export: {cmd: e, outs: [{path: models/onnx, md5: aa}]}}")
    assert summary(tmp_path).startswith("A later run has not finished export: report and release are of the run before")


@pytest.mark.parametrize(
    "name",
    ["metrics/selection.json", "metrics/evaluator.json", "published.json", "reports/index.html", "plots/samples.png"],
)
def test_a_missing_output_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    (finished(tmp_path) / name).unlink()
    with refused("output-missing", f"{name} is missing: `mintage run` makes it"):
        summary(tmp_path)


def test_an_output_of_another_shape_is_named_with_its_key(tmp_path: Path) -> None:
    finished(tmp_path, selection={"samples": "many"})
    with refused("output-damaged", "metrics/selection.json: samples: ", "; remove it and run `dvc repro`"):
        summary(tmp_path)


def test_the_command_prints_it_without_loading_what_trains_or_validates(tmp_path: Path) -> None:
    finished(tmp_path)
    code = (
        "import sys, stages.summary as s; s.main(); "
        "print({'torch', 'great_expectations', 'pandas', 'boto3', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    printed = printed_by("-c", code, folder=tmp_path)
    assert "reports/index.html" in printed
    assert printed.endswith("set()\n")


@pytest.mark.tried("`mintage summary` before any run", "metrics/selection.json is missing: `mintage run` makes it, ...")
def test_in_a_checkout_without_any_run_the_command_that_makes_all_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text("stages: {}\n")
    with refused("output-missing") as refusal:
        main()
    read(str(refusal.value))


@pytest.mark.tried(
    "`python -m stages.summary` outside a checkout",
    "error: dvc.yaml is missing, or is no pipeline of DVC: run in the repository's root folder, ...",
)
def test_the_command_outside_a_checkout_is_one_sentence_and_exit_code_2(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    done = python("-m", "stages.summary", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    read(done.stderr)
