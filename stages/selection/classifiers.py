"""The classification accuracy score of the selected checkpoint, beside that of real images."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from gan.errors import DivergedError
from gan.evaluator import Schedule, device_of
from gan.metrics.classification import classification_accuracy_score
from gan.players import Generator
from stages.selection.cache import Cache, code_digest, key_of
from stages.selection.reference import Reference, labels_of
from stages.selection.seen import Judge

_BATCH, _LEARNING_RATE = 128, 0.002  # as the evaluator of the pipeline learns, where its params are as they come

Progress = Callable[[int], object]


def classification_scores(
    generator: Generator, real: Reference, known: Cache, images: int, progress: Progress
) -> dict[str, Any]:
    """`classification_accuracy_score` of selection.json: two classifiers, each shown `images`, of as many as train has.

    Raises ValueError with the reason where there are none.
    """
    labels = labels_of(real.train_split)
    if images == 0:
        raise ValueError("select.classifier_images is 0")
    if labels is None or real.kind != "classifier":
        raise ValueError("there are no two classes of images to tell apart")
    if not real.conditional:
        raise ValueError("the model is unconditional, so its images have no labels to learn from")
    schedule = Schedule(images, _BATCH, _LEARNING_RATE, real.seed)

    about = [real.subject, asdict(real.judge.evaluator.config), asdict(schedule), real.judge.about()]

    def of(images: Callable[[], Tensor], cache: Cache) -> float:
        key = f"classifier-{key_of(about, code_digest(_score, _images, Judge))}"
        facts = cache.facts(key) or {"accuracy": _score(images(), labels, real, schedule, progress)}
        cache.keep(key, facts)
        return float(facts["accuracy"])

    made = of(lambda: _images(generator, real, labels.tolist()), known)
    genuine = of(lambda: torch.from_numpy(real.train_split.images), real.known)
    told = (
        f"A classifier trained on {len(labels):,} generated images is right on {100 * made:.1f}% of the held-out ones"
    )
    told += f"; one trained on as many real images is right on {100 * genuine:.1f}%."
    return {"generated": made, "real": genuine, "images": len(labels), "seed": real.seed, "sentence": told}


def _images(generator: Generator, real: Reference, labels: list[int]) -> Tensor:
    return torch.cat(list(real.judge.generated(generator, len(labels), real.seed, labels)))


def _score(images: Tensor, labels: Tensor, real: Reference, schedule: Schedule, progress: Progress) -> float:
    assert real.holdout_labels is not None
    holdout = torch.from_numpy(real.holdout_split.images), real.holdout_labels
    evaluator = real.judge.evaluator
    try:
        accuracy = classification_accuracy_score(
            images, labels, holdout, evaluator.config, schedule, device=device_of(evaluator), progress=progress
        )
    except DivergedError as error:
        raise ValueError(str(error)) from None
    return float(f"{accuracy:.6g}")
