"""The measure by which a training stops early: the averaged generator against the holdout.

Features are of an evaluator that the training makes for itself: the pipeline's evaluator is trained at the same time,
and a change to it must not change where a training stops.
"""

from math import ceil
from pathlib import Path

import torch

from mintage.data import RealImages
from mintage.errors import DivergedError
from mintage.evaluator import Evaluator, features_of
from mintage.learning import Schedule, train_evaluator
from mintage.metrics.frechet import frechet_distance
from mintage.players import Generator
from mintage.sampling import Rows, asked_labels, asked_rows, samples
from stages.common.errors import UserError
from stages.common.files import replacing_directory
from stages.common.models import read_evaluator, write_evaluator
from stages.common.reading import (
    Chosen,
    Sources,
    as_given,
    attributes_of,
    batches_of,
    conditions_of,
    evaluator_config,
    labels_of,
    real_images,
)
from stages.common.split import Split
from stages.common.stage import progress_bar
from stages.common.train_params import Stop, Train

_BATCH, _LEARNING_RATE, _FEATURES = 128, 2e-3, 64


class Measure:
    """The Frechet distance of a generator's images to the holdout, each time with the same number and latents.

    It is compared only with itself at other checkpoints, so the number need not be that of real images.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        holdout: Split,
        count: int,
        seed: int,
        *,
        others: Split | None = None,
        domain: int | None = None,
    ) -> None:
        """`others` is the other domain's holdout, whose images are translated into the domain of `holdout`.

        `domain` is the number of the holdout's domain, for a generator that makes images of both domains.
        """
        self.evaluator, self.count, self.seed = evaluator, count, seed
        self.real = torch.cat([features_of(evaluator, images) for images in batches_of(holdout)])
        self.holdout, self.others, self.domain = holdout, others, domain

    def score(self, generator: Generator) -> float:
        """The distance now: a generator gets the holdout's labels, shuffled, or attributes; a translator its images."""
        made = samples(generator, self.count, self.seed, self.asked(generator))
        return frechet_distance(self.real, torch.cat([features_of(self.evaluator, images) for images, _ in made]))

    def asked(self, generator: Generator) -> Rows | None:
        """The generator's condition for each image."""
        if generator.config.couples and self.domain is not None:
            return torch.tensor([self.domain])
        if self.others is not None:
            numbers = asked_rows(len(self.others), self.count, self.seed).sort().values
            return Chosen(self.others, numbers)
        if generator.config.translates:
            numbers = asked_rows(len(self.holdout), self.count, self.seed).sort().values  # in the order of storage
            return Sources(as_given(generator.config, self.holdout), numbers)
        if generator.config.attributes and (attributes := attributes_of(self.holdout)) is not None:
            return attributes[asked_rows(len(self.holdout), self.count, self.seed)]
        labels = labels_of(self.holdout) if generator.config.conditional else None
        return None if labels is None else asked_labels(labels, self.count, self.seed)


class BothWays:
    """The mean over both directions of a model between two domains, or over both domains of a model that makes images
    of both; each is measured by an evaluator of the domain that is made.
    """

    def __init__(self, measures: dict[str, Measure]) -> None:
        """`measures` are by the name of the domain that is made."""
        self._measures = measures

    def score(self, generator: Generator) -> float:
        found = [measure.score(generator.directions.get(to, generator)) for to, measure in self._measures.items()]
        return sum(found) / len(found)


def both_ways(folder: Path, params: Train, train: Split, holdout: Split, device: torch.device) -> BothWays:
    """The measure, with the evaluators saved in `folder`, or with new ones, which are saved there."""
    assert params.stop is not None
    measures = {}
    for number, to in enumerate(train.domains):
        part, seed = train.of_domain(to), params.seed
        window = None if params.window is None else ceil(params.window * len(part) / len(train))
        real = real_images(part, None, window, seed, device, param="train.window")
        evaluator = evaluator_in(folder / str(number), params.stop, part, real, seed)
        others = holdout.of_other_domain(to)
        held_out, samples = holdout.of_domain(to), params.stop.samples
        measures[to] = Measure(evaluator, held_out, samples, seed, others=others, domain=number)
    return BothWays(measures)


def evaluator_in(folder: Path, stop: Stop, train: Split, real: RealImages, seed: int) -> Evaluator:
    """The evaluator saved in `folder`, or a new one, saved there, if there is none that can be read."""
    try:
        return read_evaluator(folder, real.device)[0]
    except UserError:
        evaluator = _trained(stop, train, real, seed)
    with replacing_directory(folder) as partial:
        write_evaluator(partial, evaluator)
    return read_evaluator(folder, real.device)[0]  # read again for a resumed run's memory layout: sums round by it


def _trained(stop: Stop, train: Split, real: RealImages, seed: int) -> Evaluator:
    with progress_bar("evaluator to stop by", stop.evaluator_images) as bar:
        try:
            return train_evaluator(
                evaluator_config(train, _FEATURES),
                real.relabeled(conditions_of(train), seed),
                Schedule(stop.evaluator_images, _BATCH, _LEARNING_RATE, seed),
                progress=bar.update,
            )
        except DivergedError as error:
            raise UserError(
                "evaluator-diverged",
                f"{error}: set train.stop to null, or train.stop.evaluator_images to another number",
            ) from None
