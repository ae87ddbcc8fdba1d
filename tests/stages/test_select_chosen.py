"""What is measured of the chosen checkpoint alone: its discriminator as a classifier, and its truncation curve."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.special import ndtr

from mintage.classifying import Classifier
from mintage.conditioning.heads import Judgment
from mintage.data import HIDDEN_LABEL, hide_labels
from mintage.model_config import ModelConfig
from stages.common.checkpoint import read_checkpoint, write_checkpoint
from stages.common.files import read_json, write_json
from stages.common.shards import shard_path, tensor_table
from stages.common.split import Split
from stages.select import select
from stages.selection import discriminator
from tests.refusals import refused
from tests.stages.tiny_models import CHECKPOINTS, checkpoint, select_params, write_run

CLASSES = 10


@pytest.fixture(scope="module")
def semi_supervised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("ssgan"), train__family="ssgan", train__seed=5)
    select(select_params(folder), folder)
    return folder


@pytest.fixture(scope="module")
def with_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("infogan"), train__family="infogan")
    select(select_params(folder), folder)
    return folder


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    """A copy of a run of which nothing is known from before."""

    def copy(folder: Path) -> Path:
        target = Path(shutil.copytree(folder, tmp_path / "copy"))
        shutil.rmtree(target / ".measure")
        return target

    return copy


class Oracle(nn.Module):
    """A discriminator that knows the images by heart, and says of each what `says` makes of its label `[N]`."""

    def __init__(self, folder: Path, says: Callable[[Tensor], Tensor], *, code: bool = False) -> None:
        super().__init__()
        splits = [Split(folder / "data/normalized" / name) for name in ("train", "holdout")]
        self.images = torch.cat([torch.from_numpy(split.images()) for split in splits]).flatten(1)
        self.labels, self.says, self.code = torch.cat([labels_in(split) for split in splits]), says, code

    def forward(self, images: Tensor, label: Tensor | None = None) -> Judgment:
        known = self.labels[torch.cdist(images.flatten(1), self.images).argmin(1)]
        answers = one_hot(self.says(known), CLASSES).float()
        numbers = torch.zeros(len(images), 2)
        if self.code:
            return Judgment(answers.sum(1), answers, code=torch.cat([answers, numbers], 1))
        return Judgment(answers.sum(1), answers, class_logits=answers)


def labels_in(split: Split) -> Tensor:
    assert split.labels is not None
    return torch.from_numpy(split.labels)


def judged_by(player: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """`classifier` of a selection with this discriminator in place of the one that was trained."""
    read = discriminator.read_classifier

    def crafted(path: Path, device: torch.device) -> tuple[Classifier, ModelConfig]:
        _, config = read(path, device)
        return Classifier(player, config), config

    with monkeypatch.context() as patched:
        patched.setattr(discriminator, "read_classifier", crafted)
        selection = select(select_params(folder, classifier_images=0, truncation=[]), folder)
    shutil.rmtree(folder / ".measure")  # which does not know the crafted one from the trained one
    found: dict[str, Any] = selection["classifier"]
    return found


def test_a_discriminator_that_knows_the_classes_is_right_on_all_held_out_images_and_one_that_guesses_on_a_tenth(
    semi_supervised: Path, copied: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, random = copied(semi_supervised), torch.Generator().manual_seed(0)
    knows = judged_by(Oracle(folder, lambda label: label), folder, monkeypatch)
    assert (knows["kind"], knows["accuracy"], knows["error"]) == (
        "semi_supervised",
        1.0,
        pytest.approx(0.0091, abs=1e-4),
    )
    by_chance = Oracle(folder, lambda label: torch.randint(CLASSES, label.shape, generator=random))
    guesses = judged_by(by_chance, folder, monkeypatch)
    share = guesses["accuracy"]
    assert share == pytest.approx(0.1, abs=0.06)
    assert guesses["error"] == pytest.approx((share * (1 - share) / 150) ** 0.5, rel=0.05)
    assert guesses["evaluator"] == pytest.approx(read_json(folder / "metrics/evaluator.json")["holdout_accuracy"])


def test_a_semi_supervised_run_tells_its_classifier_beside_those_of_the_same_labels(semi_supervised: Path) -> None:
    found = read_json(semi_supervised / "metrics/selection.json")["classifier"]
    labels = labels_in(Split(semi_supervised / "data/normalized/train"))
    shown = int((hide_labels(labels, 0.1, 5) != HIDDEN_LABEL).sum())
    assert (found["labels"], found["images"], found["batch_size"]) == (shown, 400, 16)
    assert 0.1 < found["supervised"] < found["evaluator"], "few labels teach less than all"
    assert f"told {shown} of 400 labels" in found["sentence"]
    assert found["sentence"] in (semi_supervised / "models/selected/README.md").read_text()


def test_the_supervised_classifiers_see_the_told_labels_and_no_other(
    semi_supervised: Path, copied: Callable[[Path], Path]
) -> None:
    folder = copied(semi_supervised)
    plant(folder, share=0.5, seed=5)
    made = read_json(folder / "provenance/train.json")
    params = select_params(folder, classifier_images=12_000, truncation=[])

    def learned(share: float) -> tuple[float, float]:
        write_json(folder / "provenance/train.json", made | {"recipe": made["recipe"] | {"labeled": share}})
        found = select(params, folder)["classifier"]
        return found["supervised"], found["same_network"]

    right, wrong = learned(0.5), learned(1.0)
    assert min(right) > 0.6
    assert max(wrong) < 0.6, "those that were hidden are wrong, and whoever learns from them, too"


def plant(folder: Path, share: float, seed: int) -> None:
    """Have each train image whose label is hidden change places with one of another class, under the same labels."""
    split = Split(folder / "data/normalized/train")
    labels, images = labels_in(split), split.images()
    hidden = (hide_labels(labels, share, seed) == HIDDEN_LABEL).nonzero()[:, 0]
    by_class = hidden[labels[hidden].argsort(stable=True)]
    images[by_class.numpy()] = images[by_class.roll(len(by_class) // 2).numpy()]
    table = tensor_table(images, labels.tolist(), split.keys, split.classes)
    pq.write_table(table, shard_path(folder / "data/normalized/train", 0), row_group_size=25)


def test_categories_that_are_the_classes_in_another_order_are_named_after_them(
    with_code: Path, copied: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, order = copied(with_code), torch.randperm(CLASSES, generator=torch.Generator().manual_seed(1))
    found = judged_by(Oracle(folder, lambda label: order[label], code=True), folder, monkeypatch)
    assert (found["kind"], found["accuracy"]) == ("code", 1.0)
    assert [found["names"][int(order[label])] for label in range(CLASSES)] == list("0123456789")
    assert 0.5 < found["k_means"] < found["evaluator"]
    assert found["chance"] == pytest.approx(0.1, abs=0.03)
    silent = judged_by(Oracle(folder, torch.zeros_like, code=True), folder, monkeypatch)
    assert silent["accuracy"] == silent["chance"], "a code that says nothing is at chance"


def test_the_code_of_a_training_is_told_with_what_its_categories_were_named(with_code: Path) -> None:
    found = read_json(with_code / "metrics/selection.json")["classifier"]
    assert (found["categories"], found["named_by"], len(found["names"])) == (10, 400, 10)
    assert "found without labels" in found["sentence"]


def test_an_auxiliary_discriminator_was_told_all_labels_as_the_real_classifier_of_the_accuracy_score(
    tmp_path: Path,
) -> None:
    folder = write_run(tmp_path, train__family="acgan")
    selection = select(select_params(folder, truncation=[]), folder)
    assert selection["classifier"]["labels"] == selection["classifier"]["images"] == 400
    assert selection["classifier"]["supervised"] == selection["classification_accuracy_score"]["real"]
    assert selection["left_out"] is None, "params say how long they learn"
    short = as_long_as(5000, folder)
    assert (short["truncation"], "too short a training" in short["absent"]["truncation"]) == (None, True)
    assert short["classification_accuracy_score"] is None
    assert "too short a training" in short["absent"]["classification_accuracy_score"]


def test_what_a_classifier_of_real_images_only_guesses_says_nothing_of_the_generator(
    digits_run: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(digits_run, tmp_path / "guessed"))
    split = Split(folder / "data/normalized/train")
    others = ((labels_in(split) + 1) % CLASSES).tolist()
    table = tensor_table(split.images(), others, split.keys, split.classes)
    pq.write_table(table, shard_path(folder / "data/normalized/train", 0), row_group_size=25)
    selection = select(select_params(folder, truncation=[]), folder)
    assert selection["classification_accuracy_score"] is None
    assert "as by guessing" in selection["absent"]["classification_accuracy_score"]


def as_long_as(training: int, folder: Path, **changes: Any) -> dict[str, Any]:
    """A selection whose classifiers follow a training of so many images."""
    made = read_json(folder / "provenance/train.json")
    made["params"]["images"] = training
    write_json(folder / "provenance/train.json", made)
    return select(select_params(folder, classifier_images=None, **changes), folder)


def test_a_short_training_is_compared_with_no_classifiers_and_says_so_once(
    semi_supervised: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(semi_supervised, tmp_path / "copy"))
    monkeypatch.setattr("stages.selection.classifiers._score", lambda *_: pytest.fail("a classifier is trained"))
    selection = as_long_as(5000, folder)
    assert (selection["classifier"]["supervised"], selection["classification_accuracy_score"]) == (None, None)
    assert selection["absent"]["classification_accuracy_score"].startswith("the model is unconditional")
    words = "Left out, since the training is of 5,000 images: the classification accuracy score and other classifiers"
    assert selection["left_out"].startswith(words)
    assert capsys.readouterr().out.count(words) == 1
    assert words in (folder / "models/selected/README.md").read_text()


def test_a_longer_training_is_compared_with_classifiers_that_learn_as_long_as_its_evaluator(
    semi_supervised: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, learned = Path(shutil.copytree(semi_supervised, tmp_path / "copy")), list[int]()

    def learn(*arguments: Any) -> float:
        learned.append(arguments[2].images)
        return 0.5

    monkeypatch.setattr("stages.selection.classifiers._score", learn)
    guess, taught = Oracle(folder, torch.zeros_like), "stages.selection.discriminator.train_classifier"
    monkeypatch.setattr(taught, lambda config, *_, **__: Classifier(guess, config))  # type: ignore[arg-type]
    selection = as_long_as(100_000, folder, truncation=[])
    assert (learned, selection["classifier"]["supervised"]) == ([60_000], 0.5)
    assert selection["left_out"].startswith("Each classifier was shown 60,000 images in place of 120,000")


def test_a_selection_of_what_is_known_trains_no_classifier_and_generates_nothing(
    semi_supervised: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outputs() -> tuple[Any, str]:
        select(select_params(semi_supervised), semi_supervised)
        folder = semi_supervised / "metrics"
        return read_json(folder / "selection.json"), (folder / "truncation.tsv").read_text()

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("it is known")

    before = outputs()
    monkeypatch.setattr("stages.select.nearest_drawn", lambda *_: b"")
    for work in ("learning.Learning.turn", "classifying.learn", "classifying.Classifier.forward", "sampling.generate"):
        monkeypatch.setattr(f"mintage.{work}", refuse)
    assert outputs() == before


def test_what_cannot_be_compared_says_why(semi_supervised: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(semi_supervised)
    params = select_params(folder, classifier_images=0, truncation=[])
    found = select(params, folder)["classifier"]
    assert (found["supervised"], found["same_network"]) == (None, None)
    assert found["accuracy"] > 0
    made = read_json(folder / "provenance/train.json")
    write_json(folder / "provenance/train.json", {key: made[key] for key in made if key != "recipe"})
    selection = select(params, folder)
    assert selection["classifier"] is None
    assert selection["absent"]["classifier"].startswith("provenance/train.json does not say which labels")
    write_json(folder / "provenance/train.json", made)
    for path in (checkpoint(folder, images) for images in CHECKPOINTS):
        tensors, facts = read_checkpoint(path)
        kept = {name: t for name, t in tensors.items() if name != "engine.discriminator.head.output.bias"}
        write_checkpoint(path, kept, facts)
    with refused("checkpoint-unusable", "holds no discriminator that fits its config ", "run `dvc repro train`"):
        select(params, folder)


def curve(folder: Path) -> list[dict[str, str]]:
    header, *lines = [line.split("\t") for line in (folder / "metrics/truncation.tsv").read_text().splitlines()]
    return [dict(zip(header, line, strict=True)) for line in lines]


def test_the_curve_ends_with_the_selected_checkpoint_as_it_is(semi_supervised: Path) -> None:
    selection = select(select_params(semi_supervised, truncation=[2.0, 0.5, 2.0]), semi_supervised)
    rows = curve(semi_supervised)
    assert [row["threshold"] for row in rows] == ["0.5", "2.0", ""]
    for name in ("frechet_distance", "precision", "recall", "coverage", "frechet_floor"):
        assert float(rows[-1][name]) == selection[name], name
    assert rows[-1]["conditional_accuracy"] == "", "nothing was asked for"
    assert selection["truncation"]["sentence"].startswith("Precision is highest with")


class Memory(nn.Module):
    """Gives real training images back, each for as large a part of the first number of its noise."""

    def __init__(self, split: Split) -> None:
        super().__init__()
        self.config = ModelConfig("memory", 1, split.shape, tuple(split.classes or ()), 2, "normal")
        self.examples = None
        self.images = nn.Parameter(torch.from_numpy(split.images()), requires_grad=False)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        return self.images[(ndtr(latent[:, 0]) * len(self.images)).long().clamp(max=len(self.images) - 1)]


def test_noise_cut_to_nothing_keeps_fidelity_and_loses_variety(
    semi_supervised: Path, copied: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(semi_supervised)
    memory = Memory(Split(folder / "data/normalized/train"))
    monkeypatch.setattr("stages.selection.chosen.loaded", lambda *_: memory)
    selection = select(select_params(folder, truncation=[1e-6, 0.1], classifier_images=0), folder)
    nothing, few, none = ({name: float(cell) for name, cell in row.items() if cell} for row in curve(folder))
    assert nothing["recall"] == 0
    assert nothing["coverage"] < few["coverage"] < none["coverage"]
    assert nothing["frechet_distance"] > few["frechet_distance"] > none["frechet_distance"]
    assert few["recall"] < none["recall"]
    assert none["recall"] > 0.4
    assert "distance is lowest without truncation" in selection["truncation"]["sentence"]


def test_fewer_images_a_threshold_than_a_checkpoint_have_floors_of_as_many(
    semi_supervised: Path, copied: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.selection.truncation.MOST", 100)
    folder = copied(semi_supervised)
    selection = select(select_params(folder, truncation=[1.0], classifier_images=0), folder)
    row = curve(folder)[-1]
    assert (row["samples"], selection["truncation"]["samples"], selection["samples"]) == ("100", 100, 200)
    assert float(row["frechet_floor"]) > selection["frechet_floor"], "fewer images are a larger distance"


def test_latents_without_tails_have_no_curve_and_say_so(semi_supervised: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(semi_supervised)
    for path in (checkpoint(folder, images) for images in CHECKPOINTS):
        tensors, facts = read_checkpoint(path)
        write_checkpoint(path, tensors, facts | {"config": facts["config"] | {"latent_distribution": "uniform"}})
    selection = select(select_params(folder, classifier_images=0), folder)
    assert selection["truncation"] is None
    assert selection["absent"]["truncation"] == "the latents are uniform on [-1,1], and have no tails to cut"
    assert curve(folder) == []
