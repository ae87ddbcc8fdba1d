"""Two domains without pairs through every stage, as people run them: digits that are bright, others that are faint."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from mintage import Model
from mintage.metrics.pairs import absolute_error
from stages.common.checkpoint import read_checkpoint
from stages.common.files import read_json
from stages.common.levels import to_uint8
from stages.common.shards import read_tables
from stages.common.split import Split
from stages.select import select
from stages.selection.quality import verdict
from stages.translate import translator
from tests.refusals import refused
from tests.stages.forked import run_stage_in, run_train_stage, try_stage_in
from tests.stages.kills import assert_killed_and_run_again_ends_in_the_same_bits
from tests.stages.tiny_data import write_params
from tests.stages.tiny_models import select_params
from tests.stages.whole_pipeline import run_pipeline

DOMAINS = ("bright", "faint")
PARAMS: dict[str, Any] = {
    "ingest.source": "folder",
    "ingest.domains": list(DOMAINS),
    "evaluator.images": 6_000,
    "train.family": "cyclegan",
    "train.recipe.width": 4,
    "train.recipe.batch_size": 16,
    "train.recipe.ema_half_life": 200.0,
    "train.images": 1_200,
    "train.checkpoint_every": 600,
    "train.log_every": 400,
    "sample.count": 60,
}


def write_pictures(folder: Path, classes: bool = True, count: int = 900) -> None:
    """Every third digit is a faint one, on gray; the others are as they are."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    for number in range(count):
        faint = number % 3 == 0
        levels = digits.images[number] * (255 / 16) * (0.5 if faint else 1) + 64 * faint
        place = folder / "data/source" / DOMAINS[faint] / (str(digits.target[number]) if classes else "")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(levels.round().astype(np.uint8)).save(place / f"{number:04d}.png")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("domains")
    write_pictures(folder)
    return run_pipeline(folder, PARAMS)


def test_each_direction_is_nearer_to_its_domain_than_no_translation_at_all(selection: dict[str, Any]) -> None:
    assert [(way["source"], way["to"]) for way in selection["directions"]] == [DOMAINS, DOMAINS[::-1]]
    for way in selection["directions"]:
        figures, same = way["figures"], way["baseline"]
        assert figures["frechet_distance"] < 0.7 * same["frechet_distance"]
        assert (same["cycle_error"], figures["cycle_floor"]) == (0, 0)
        assert (same["luminance_correlation"], figures["luminance_correlation_floor"]) == (1, 1)
        assert 0 < figures["cycle_error"] < 1
        assert figures["luminance_correlation"] > 0.5
        assert figures["accuracy_floor"] > 0.6


def test_a_checkpoint_s_figures_are_means_of_both_directions(finished: Path, selection: dict[str, Any]) -> None:
    both = [way["figures"] for way in selection["directions"]]
    for name in ("frechet_distance", "conditional_accuracy", "cycle_error", "frechet_floor", "coverage"):
        assert selection[name] == pytest.approx(sum(one[name] for one in both) / 2, rel=1e-4)
    assert selection["samples"] == sum(one["samples"] for one in both)
    rows = (finished / "metrics/checkpoints.tsv").read_text().splitlines()
    assert len(rows) == 3
    assert "cycle_error" in rows[0]


def test_the_cycle_error_is_that_of_held_out_images(selected: Model, holdout: Split, selection: dict[str, Any]) -> None:
    for way in selection["directions"]:
        real = torch.from_numpy(holdout.of_domain(way["source"]).images())
        made = torch.from_numpy(to_uint8(selected.translate(real, to=way["to"]).numpy())).float() / 127.5 - 1
        error = absolute_error(selected.translate(made, to=way["source"]), real).mean().item()
        assert way["figures"]["cycle_error"] == pytest.approx(error, rel=0.15)


def test_evaluators_are_of_one_domain_each(finished: Path) -> None:
    figures = read_json(finished / "metrics/evaluator.json")
    assert list(figures["domains"]) == list(DOMAINS)
    accuracies = [one["holdout_accuracy"] for one in figures["domains"].values()]
    assert figures["holdout_accuracy"] == pytest.approx(sum(accuracies) / 2)
    assert sorted(path.name for path in (finished / "models/evaluator").iterdir()) == ["0", "1"]


def test_samples_are_translations_of_held_out_images_in_both_directions(
    finished: Path, selected: Model, holdout: Split
) -> None:
    (table,) = read_tables(finished / "samples")
    rows = table.to_pylist()
    assert [row["index"] for row in rows] == list(range(60))
    assert [row["domain"] for row in rows] == ["faint"] * 30 + ["bright"] * 30
    for row in (rows[0], rows[-1]):
        number = holdout.keys.index(row["key"])
        source = holdout.take(np.array([number]))
        shown = {name: np.asarray(Image.open(io.BytesIO(row[name]["bytes"]))) for name in ("source", "image")}
        assert np.array_equal(shown["source"], to_uint8(source)[0, 0])
        assert not row["key"].startswith(row["domain"])
        made = to_uint8(selected.translate(torch.from_numpy(source), to=row["domain"]).numpy())[0, 0]
        assert np.abs(made.astype(int) - shown["image"].astype(int)).max() <= 1


def test_both_directions_are_exported_and_published_as_the_selected_model_translates(
    finished: Path, holdout: Split, selected: Model, published: Model
) -> None:
    assert published.domains == DOMAINS
    for to, name in (("faint", "generator.onnx"), ("bright", "back.onnx")):
        sources = torch.from_numpy(holdout.of_other_domain(to).images()[:5])
        made = selected.translate(sources, to=to)
        assert torch.equal(published.translate(sources, to=to), made)
        session = onnxruntime.InferenceSession(finished / "models/onnx" / name)
        (found,) = session.run(None, {"sources": sources.numpy()})
        assert np.abs(found - made.numpy()).max() < 1e-3
    model, _ = translator(str(finished / "published/channels/latest"), "bright")
    assert model.shape == (1, 8, 8)
    with refused("domain-unknown", "did you mean 'faint'"):
        translator(str(finished / "models/selected"), "faimt")


def test_the_terminal_the_card_and_the_report_tell_of_each_direction(finished: Path, selection: dict[str, Any]) -> None:
    page = (finished / "reports/index.html").read_text()
    for place in (finished / "select.txt", finished / "models/selected/README.md"):
        assert all(way["sentence"] in place.read_text() for way in selection["directions"])
    assert "Each direction" in page
    assert "Source, translation, back again" in page
    assert "back to bright" in page
    assert "480 to train on, 120 held out" in page
    assert "to='faint')" in (finished / "models/selected/README.md").read_text()


def test_pictures_of_the_training_are_drawn_as_the_samples_are(finished: Path) -> None:
    last = max((finished / "plots/training").iterdir())
    assert Image.open(last).size == Image.open(finished / "plots/samples.png").size


def test_what_was_measured_is_not_measured_again(finished: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "copy"))
    before = {path: path.stat().st_mtime_ns for path in (folder / ".measure").rglob("*.safetensors")}
    again = select(select_params(folder), folder)
    assert again["directions"] == read_json(finished / "metrics/selection.json")["directions"]
    assert len(before) >= 2 * 3
    assert {path: path.stat().st_mtime_ns for path in (folder / ".measure").rglob("*.safetensors")} == before


def test_a_direction_that_exchanges_light_and_dark_or_does_nothing_makes_the_verdict_poor(
    selection: dict[str, Any],
) -> None:
    from stages.media.images import Images
    from stages.selection.quality import Subject

    about = Subject("cyclegan", 60_000, 600, 60, 0.1, Images(), sources=selection["baseline"])
    first, second = selection["directions"]
    dark = second | {"figures": second["figures"] | {"luminance_correlation": -0.4}}
    found = verdict([selection], selection, selection | {"directions": [first, dark]}, about)
    assert found["level"] == "poor"
    assert "light and dark are exchanged towards bright" in found["sentence"]
    idle = second | {"figures": second["figures"] | second["baseline"]}
    found = verdict([selection], selection, selection | {"directions": [first, idle]}, about)
    assert "towards bright no better than the sources themselves" in found["sentence"]


@pytest.mark.slow
def test_killed_with_9_and_run_again_it_ends_in_the_same_bits(finished: Path, tmp_path: Path) -> None:
    assert_killed_and_run_again_ends_in_the_same_bits(finished, tmp_path, PARAMS)


@pytest.mark.slow
def test_a_window_of_each_domain_is_trained_on_and_a_training_may_stop_by_both_directions(ready: Path) -> None:
    stop = {"metric": "frechet_distance", "patience": 10_000, "samples": 60, "evaluator_images": 640}
    hasty = {"train.images": 640, "train.checkpoint_every": 320, "train.log_every": 320, "train.window": 100}
    write_params(ready, PARAMS | hasty | {"train.family": "discogan", "train.stop": stop})
    run_train_stage(ready)
    _, facts = read_checkpoint(max((ready / "models/checkpoints").iterdir()))
    assert len(facts["measured"]) == 2
    assert all(0 < value < float("inf") for _, value in facts["measured"])


def test_features_learn_from_the_classes_of_both_domains_before_the_game(ready: Path) -> None:
    hasty = {"train.images": 960, "train.checkpoint_every": 480, "train.log_every": 320, "train.window": 100}
    write_params(ready, PARAMS | hasty | {"train.family": "dtn", "train.recipe.pretrain_images": 640})
    run_train_stage(ready)
    header, *rows = (line.split("\t") for line in (ready / "metrics/train.tsv").read_text().splitlines())
    learned, moved = (
        [float(row[header.index(name)]) for row in rows] for name in ("extractor_accuracy", "generator_gradient")
    )
    assert learned[1] > 1.5 * learned[0]
    assert moved[0] == moved[1] == 0 < moved[2]


def test_without_classes_domains_are_compared_by_an_autoencoder_of_each(tmp_path: Path) -> None:
    write_pictures(tmp_path, classes=False, count=300)
    hasty = {"train.images": 320, "train.checkpoint_every": 320, "train.log_every": 320, "evaluator.images": 640}
    write_params(tmp_path, PARAMS | hasty | {"train.family": "discogan"})
    for stage in ("ingest", "normalize", "validate", "evaluator", "train", "select"):
        run_stage_in(tmp_path, stage)
    selection = read_json(tmp_path / "metrics/selection.json")
    assert "conditional_accuracy" not in selection
    assert "cycle_error" in selection
    assert read_json(tmp_path / "metrics/evaluator.json")["kind"] == "autoencoder"


def test_the_gate_refuses_a_family_that_does_not_fit_the_domains_before_anything_is_learned(
    finished: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished / "data", tmp_path / "data")
    write_params(tmp_path, PARAMS | {"train.family": "dcgan"})
    code, printed = try_stage_in(tmp_path, "validate")
    assert code == 2
    assert "train.family = 'dcgan' has no use of two domains: set it to cyclegan" in printed
