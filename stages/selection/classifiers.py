"""The classification accuracy score of the selected checkpoint, beside that of real images."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from gan.data import RealImages
from gan.errors import DivergedError
from gan.evaluator import Schedule, device_of
from gan.metrics.classification import classification_accuracy_score
from gan.players import Generator
from gan.sampling import CHUNK, asked_labels
from gan.streaming import Blocks, images_of
from stages.common.params import Select
from stages.common.reading import batches_of, labels_of, real_images, require_room
from stages.selection.cache import Cache, code_digest, key_of
from stages.selection.reference import Reference
from stages.selection.seen import Judge

_BATCH, _LEARNING_RATE = 128, 0.002  # as the evaluator of the pipeline learns, where its params are as they come

_BLOCK = 4 * CHUNK
"""Images that are generated at a time."""
_WINDOW = "select.window"

Progress = Callable[[int], object]


def classification_scores(
    generator: Generator, real: Reference, known: Cache, params: Select, progress: Progress
) -> dict[str, Any]:
    """`classification_accuracy_score` of selection.json: two classifiers, each shown so many, of as many as train has.

    Raises ValueError with the reason where there are none.
    """
    labels = labels_of(real.train_split)
    if params.classifier_images == 0:
        raise ValueError("select.classifier_images is 0")
    if labels is None or real.kind != "classifier":
        raise ValueError("there are no two classes of images to tell apart")
    if not real.conditional:
        raise ValueError("the model is unconditional, so its images have no labels to learn from")
    schedule = Schedule(params.classifier_images, _BATCH, _LEARNING_RATE, real.seed)
    window, device = params.window, device_of(real.judge.evaluator)
    about = [real.subject, asdict(real.judge.evaluator.config), asdict(schedule), real.judge.about(), window]

    def of(shown: Callable[[], RealImages], cache: Cache) -> float:
        key = f"classifier-{key_of(about, code_digest(_score, _generated, real_images, Judge))}"
        facts = cache.facts(key) or {"accuracy": _score(shown(), real, schedule, progress)}
        cache.keep(key, facts)
        return float(facts["accuracy"])

    made = of(lambda: _generated(generator, real, labels, window, device), known)
    genuine = of(lambda: real_images(real.train_split, labels, window, real.seed, device, param=_WINDOW), real.known)
    told = (
        f"A classifier trained on {len(labels):,} generated images is right on {100 * made:.1f}% of the held-out ones"
    )
    told += f"; one trained on as many real images is right on {100 * genuine:.1f}%."
    return {"generated": made, "real": genuine, "images": len(labels), "seed": real.seed, "sentence": told}


def _generated(
    generator: Generator, real: Reference, labels: Tensor, window: int | None, device: torch.device
) -> RealImages:
    """An image a label; with a window made when it is shown, and again in each epoch, since that needs no room."""
    labels = asked_labels(labels, len(labels), real.seed)
    asked = labels.tolist()

    def block(number: int) -> Tensor:
        first = number * _BLOCK
        stop = min(first + _BLOCK, len(asked))
        return torch.cat(list(real.judge.generated(generator, stop, real.seed, asked, first)))

    require_room(real.train_split, window, device, _WINDOW)
    sizes = [min(_BLOCK, len(asked) - first) for first in range(0, len(asked), _BLOCK)]
    return images_of(Blocks(sizes, block, mixed=True), labels, window, real.seed, device)


def _score(shown: RealImages, real: Reference, schedule: Schedule, progress: Progress) -> float:
    assert real.holdout_labels is not None
    config, holdout = real.judge.evaluator.config, batches_of(real.holdout_split)
    try:
        accuracy = classification_accuracy_score(
            shown, holdout, real.holdout_labels, config, schedule, progress=progress
        )
    except DivergedError as error:
        raise ValueError(str(error)) from None
    return float(f"{accuracy:.6g}")
