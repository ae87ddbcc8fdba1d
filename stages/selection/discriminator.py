"""The selected checkpoint's discriminator as a classifier, beside classifiers that learn from the same labels."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mintage import catalog
from mintage.classifying import Classifier, predictions, train_classifier
from mintage.conditioning.heads import Auxiliary, SemiSupervised
from mintage.data import HIDDEN_LABEL, RealImages, hide_labels
from mintage.errors import DivergedError
from mintage.evaluator import device_of
from mintage.metrics.accuracy import accuracy, share_error
from mintage.metrics.clusters import groups_of, kmeans, names_of
from mintage.model_config import ModelConfig
from mintage.players import Discriminator, build_players
from mintage.spelling import american_keys
from stages.common.checkpoint import read_checkpoint
from stages.common.errors import UserError, one_line
from stages.common.params import Select
from stages.common.reading import batches_of, labels_of, real_images
from stages.common.split import Split
from stages.common.stage import progress_bar
from stages.selection.cache import Cache, code_digest, key_of
from stages.selection.classifiers import WINDOW, labeled_part, schedule_of, score
from stages.selection.reference import Reference

_WEIGHTS = "engine.discriminator."
_MOST = 10_000
"""Training images, at most, that decide after which classes categories and clusters of pixels are named."""


@dataclass(frozen=True)
class Training:
    """How the discriminator was trained, by `provenance/train.json`."""

    seed: int
    labeled: float
    """Share of the labels that it saw, in (0,1]."""
    batch_size: int
    """Images in a batch of one process."""


def classifier_figures(
    path: Path, real: Reference, known: Cache, trained: dict[str, Any], params: Select
) -> dict[str, Any] | None:
    """`classifier` of selection.json, for the checkpoint at `path`; None if it predicts neither classes nor a code.

    Raises ValueError with the reason if it cannot be measured, UserError if its weights do not fit.
    """
    network, config = read_classifier(path, device_of(real.judge.evaluator))
    if network is None:
        return None
    if real.holdout_labels is None or real.kind != "classifier":
        raise ValueError("there are no two classes of images to tell apart")
    reads_code = catalog.load("discriminator_conditioning", config.discriminator_conditioning).reads_code
    if reads_code and not config.code_categories:
        raise ValueError("the information code has no categories, which could stand for classes")
    exam = Exam(real, training_of(trained), params, config)
    key = f"discriminator-{key_of(exam.about(), code_digest(Exam, read_classifier))}"
    found = known.facts(key) or (exam.of_code(network) if reads_code else exam.of_classes(network))
    known.keep(key, found)
    found = {"kind": config.discriminator_conditioning, **found, "evaluator": exam.of_evaluator()}
    if reads_code:
        return found | {"sentence": _sentence_on_code(found)}
    found |= _opponents(exam)
    return found | {"sentence": _sentence_on_classes(found)}


def read_classifier(path: Path, device: torch.device) -> tuple[Classifier | None, ModelConfig]:
    """The discriminator of a checkpoint as a classifier, and its config; None if it names neither classes nor a code.

    Raises UserError as `read_discriminator` does.
    """
    _, facts = read_checkpoint(path)
    config = ModelConfig.from_json(facts["config"])
    asked = catalog.load("discriminator_conditioning", config.discriminator_conditioning)
    if not asked.reads_code and not issubclass(asked.head, Auxiliary | SemiSupervised):
        return None, config
    discriminator, _ = read_discriminator(path, device)
    if discriminator is None:
        raise _unusable(path, "it has no weights of one")
    return Classifier(discriminator, config).to(device).eval().requires_grad_(False), config


def read_discriminator(path: Path, device: torch.device) -> tuple[Discriminator | None, ModelConfig]:
    """The discriminator of a checkpoint, with its latest weights (no average of them is kept), and the players' config.

    It is None if the checkpoint has none. Raises UserError if its weights do not fit the config.
    """
    tensors, facts = read_checkpoint(path)
    weights = {name.removeprefix(_WEIGHTS): t for name, t in tensors.items() if name.startswith(_WEIGHTS)}
    config = ModelConfig.from_json(facts["config"])
    if not weights:
        return None, config
    _, discriminator = build_players(config, seed=0)
    try:
        discriminator.load_state_dict(weights)
    except RuntimeError as error:
        raise _unusable(path, one_line(error, 200)) from None
    return discriminator.to(device).eval().requires_grad_(False), config


def _unusable(path: Path, reason: str) -> UserError:
    return UserError(
        "checkpoint-unusable",
        f"{path} holds no discriminator that fits its config ({reason}): run `dvc repro train`",
    )


def training_of(trained: dict[str, Any]) -> Training:
    """How the discriminator was trained. Raises ValueError if the provenance does not say."""
    try:
        params, recipe = trained["params"], american_keys(trained["recipe"])
        return Training(params["seed"], recipe["labeled"], recipe["batch_size"] // params.get("processes", 1))
    except (KeyError, TypeError):
        raise ValueError("provenance/train.json does not say which labels the training was told") from None


@dataclass(frozen=True)
class Exam:
    """The same test for all networks: to name the classes of real images."""

    real: Reference
    training: Training
    params: Select
    config: ModelConfig
    """Of both players."""

    def about(self) -> list[Any]:
        """Everything that decides the figures, except the network and the code."""
        device = device_of(self.real.judge.evaluator).type
        return [
            self.real.subject,
            asdict(self.training),
            asdict(self.config),
            self.params.window,
            self.real.seed,
            device,
        ]

    def of_classes(self, network: nn.Module) -> dict[str, Any]:
        """The accuracy of the network's likeliest class, on all held-out images."""
        return _accuracy(*self._answers(network, self.real.holdout_split)) | {"batch_size": self.training.batch_size}

    def of_code(self, network: nn.Module) -> dict[str, Any]:
        """The accuracy of the code's categories, each named after its most frequent class in training images.

        Clusters of pixels (k-means) are named likewise. Chance is the accuracy of naming the most frequent class.
        """
        real, count = self.real, self.config.code_categories
        groups, labels = self._answers(network, real.train_split, _MOST)
        names = names_of(groups, labels, count)
        predicted, held_out = self._answers(network, real.holdout_split)
        constant = torch.full_like(held_out, int(torch.bincount(labels).argmax()))
        classes = real.judge.evaluator.config.classes or ()
        return _accuracy(names[predicted], held_out) | {
            "batch_size": self.training.batch_size,
            "categories": count,
            "names": [classes[label] for label in names.tolist()],
            "named_by": len(groups),
            "k_means": self._of_clusters(count),
            "chance": _rounded(accuracy(constant, held_out)),
        }

    def of_evaluator(self) -> float:
        """The accuracy of the evaluator, which learned from all labels."""
        logits, labels = self.real.holdout.logits, self.real.holdout_labels
        assert logits is not None
        assert labels is not None
        return _rounded(accuracy(logits.argmax(1), labels))

    def _answers(self, network: nn.Module, split: Split, most: int | None = None) -> tuple[Tensor, Tensor]:
        """The network's predictions for all images of a split, or for `most` of them, and their labels: `[N]` each."""
        shown = self._training_images(split, device_of(self.real.judge.evaluator))
        return predictions(network, shown, min(len(split), most or len(split)), self.training.batch_size)

    def _of_clusters(self, count: int) -> float:
        real, cpu = self.real, torch.device("cpu")
        images, labels = self._training_images(real.train_split, cpu).batch(0, min(len(real.train_split), _MOST))
        assert labels is not None
        assert real.holdout_labels is not None
        rows = images.flatten(1)
        centers = kmeans(rows, count, real.seed)
        names = names_of(groups_of(rows, centers), labels, count)
        predicted = torch.cat([groups_of(batch.flatten(1), centers) for batch in batches_of(real.holdout_split)])
        return _rounded(accuracy(names[predicted], real.holdout_labels))

    def _training_images(self, split: Split, device: torch.device) -> RealImages:
        return real_images(split, labels_of(split), self.params.window, self.real.seed, device, param=WINDOW)


def _opponents(exam: Exam) -> dict[str, Any]:
    """Two classifiers that learn from the labels that it saw: the evaluator's network, and the discriminator's own."""
    real, params, training, labels = exam.real, exam.params, exam.training, labels_of(exam.real.train_split)
    assert labels is not None
    shown = hide_labels(labels, training.labeled, training.seed)
    figures: dict[str, Any] = {"labels": int((shown != HIDDEN_LABEL).sum()), "images": len(labels)}
    if params.classifier_images == 0:
        return figures | {"supervised": None, "same_network": None}
    schedule = schedule_of(real, params)

    def labeled_images() -> RealImages:
        return labeled_part(real, shown, params.window)

    def same_network() -> dict[str, Any]:
        try:
            with progress_bar("classifier", schedule.images) as bar:
                network = train_classifier(exam.config, labeled_images(), schedule, progress=bar.update)
        except DivergedError as error:
            raise ValueError(str(error)) from None
        return exam.of_classes(network)

    key = f"same-network-{key_of(exam.about(), asdict(schedule), code_digest(Exam, labeled_part, train_classifier))}"
    of_same = real.known.facts(key) or same_network()
    real.known.keep(key, of_same)
    which = None if figures["labels"] == len(labels) else f"{training.labeled} by seed {training.seed}"
    supervised = score(labeled_images, real, real.known, params, labeled=which)
    return figures | {"supervised": supervised, "same_network": of_same["accuracy"]}


def _accuracy(predicted: Tensor, labels: Tensor) -> dict[str, Any]:
    """The accuracy, and its standard error, which follows from the number of images."""
    share = accuracy(predicted, labels)
    return {"accuracy": _rounded(share), "error": _rounded(share_error(share, len(labels)))}


def _sentence_on_classes(found: dict[str, Any]) -> str:
    sentence = (
        f"The discriminator, told {found['labels']:,} of {found['images']:,} labels, names the class of "
        f"{_percent(found)} of the held-out images"
    )
    others = []
    if found["supervised"] is not None:
        others.append(f"a classifier that learned from these labels alone {100 * found['supervised']:.1f}%")
        others.append(f"the discriminator's own network, so taught, {100 * found['same_network']:.1f}%")
    others.append(_words_on_evaluator(found))
    return f"{sentence}; {', '.join(others)}."


def _sentence_on_code(found: dict[str, Any]) -> str:
    return (
        f"The {found['categories']} categories of the code, found without labels and each named after the class that "
        f"it most often goes with, are right on {_percent(found)} of the held-out images; as many clusters of pixels "
        f"(k-means) on {100 * found['k_means']:.1f}%, the most frequent class on {100 * found['chance']:.1f}%, "
        f"{_words_on_evaluator(found)}."
    )


def _words_on_evaluator(found: dict[str, Any]) -> str:
    return f"the evaluator, told all labels, {100 * found['evaluator']:.1f}%"


def _percent(found: dict[str, Any]) -> str:
    return f"{100 * found['accuracy']:.1f}% (± {100 * found['error']:.1f})"


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
