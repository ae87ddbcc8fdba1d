"""The networks in whose features images are compared, and what their absence does."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from mintage.inception import Inception
from stages.common.checkpoint import read_checkpoint, write_checkpoint
from stages.common.files import sha256_of
from stages.common.params import Guard
from stages.common.params import Inception as InceptionFile
from stages.media.medium import Words
from stages.select import select
from stages.selection.features import feature_network, read_inception
from stages.selection.metrics import METRICS
from tests.refusals import refused
from tests.stages.tiny_models import CHECKPOINTS, checkpoint, select_params

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, digits_run: Path) -> Path:
    return Path(shutil.copytree(digits_run, tmp_path_factory.mktemp("run"), dirs_exist_ok=True))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in the published layout, with weights of chance."""
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(Inception().state_dict(), path)
    return path


def with_inception(folder: Path, path: Path, sha256: str) -> Any:
    return select_params(folder, features="inception", inception=InceptionFile(path=str(path), sha256=sha256))


def test_inception_s_weights_come_from_a_file_by_their_checksum(folder: Path, weights: Path) -> None:
    evaluator: Any = None  # not looked at
    params = with_inception(folder, weights, sha256_of(weights).upper())
    network = feature_network(params, evaluator, "", CPU, Words())
    features = network.extract(torch.zeros(3, 1, 8, 8))
    assert features.shape == (3, 2048)
    assert (network.name, network.sha256) == ("inception", sha256_of(weights))
    assert "clean-fid" in network.protocol


def test_weights_that_are_missing_others_or_no_weights_are_one_sentence_each(weights: Path, tmp_path: Path) -> None:
    def refuses(code: str, path: Path, sha256: str) -> None:
        with refused(code, str(path)):
            read_inception(InceptionFile(path=str(path), sha256=sha256), CPU)

    refuses("inception-unreadable", tmp_path / "none.pth", "0" * 64)
    refuses("inception-wrong-digest", weights, "0" * 64)
    for name, content in (("text.pth", b"no weights"), ("empty.pth", b"")):
        path = tmp_path / name
        path.write_bytes(content)
        refuses("inception-other-weights", path, sha256_of(path))
    torch.save({"fc.weight": torch.zeros(3)}, tmp_path / "other.pth")
    refuses("inception-other-weights", tmp_path / "other.pth", sha256_of(tmp_path / "other.pth"))


def test_pixels_need_no_network(folder: Path) -> None:
    selection = select(select_params(folder, features="pixels"), folder)
    assert selection["features"] == {
        "network": "pixels",
        "sha256": None,
        "protocol": "the pixels themselves, in [-1,1]",
    }
    assert 0 < selection["frechet_floor"] < selection["frechet_distance"]
    assert selection["conditional_accuracy"] >= 0  # by the evaluator all the same


def test_a_metric_that_needs_more_images_is_absent_with_its_reason_and_only_the_rule_asks_for_it(folder: Path) -> None:
    few = select_params(folder, samples=5, classifier_images=0)
    selection = select(few, folder)
    assert selection["absent"]["classifier_score"] == "10 splits need as many images, and there are 5"
    assert "classifier_score" not in selection
    assert "classifier_score" not in (folder / "metrics/checkpoints.tsv").read_text()
    assert selection["absent"]["class_frechet_distance"].startswith("class ")
    assert selection["classification_accuracy_score"] is None
    assert selection["absent"]["classification_accuracy_score"] == "select.classifier_images is 0"
    with refused("metric-not-measured", "select.metric names 'class_frechet_distance'", "class "):
        select(few.model_copy(update={"metric": "class_frechet_distance"}), folder)
    guarded = few.model_copy(update={"guards": [Guard(metric="classifier_score", at_least=1)]})
    with refused("metric-not-measured", "select.guards names 'classifier_score'", "10 splits"):
        select(guarded, folder)


def test_metrics_of_modes_are_refused_with_their_reason_and_not_missed(folder: Path) -> None:
    selection = select(select_params(folder), folder)
    assert not [name for name in selection["absent"] if METRICS[name].needs == "modes"]
    with refused("metric-not-measured", "names 'reverse_kl'", "it is of points whose truth is known"):
        select(select_params(folder, guards=[Guard(metric="reverse_kl", at_most=1)]), folder)


def test_the_classes_are_told_apart(folder: Path) -> None:
    selection = select(select_params(folder), folder)
    rows = selection["classes"]
    assert [row["name"] for row in rows] == list("0123456789")
    for figure, whole in (("frechet_distance", "class_frechet_distance"), ("diversity", "diversity")):
        assert selection[whole] == pytest.approx(sum(row[figure] for row in rows) / 10, rel=1e-4)
    score = selection["classification_accuracy_score"]
    assert score["real"] > 0.3 > score["generated"]  # a classifier of few steps, of images of fewer
    assert score["images"] == 400


def test_a_checkpoint_without_an_average_is_one_sentence(folder: Path) -> None:
    path = checkpoint(folder, CHECKPOINTS[1])
    tensors, facts = read_checkpoint(path)
    write_checkpoint(
        path, {name: t for name, t in tensors.items() if not name.startswith("engine.average.generator.")}, facts
    )
    with refused("checkpoint-unusable", f"{path.name} holds no averaged generator"):
        select(select_params(folder), folder)
    write_checkpoint(path, tensors, facts)
