"""Whether a generator has collapsed: how far its images are from each other, compared with real images."""

import torch
from torch import Tensor
from torch.nn.functional import pdist

from mintage.data import RealImages, Unpaired
from mintage.latents import draw
from mintage.players import Generator
from mintage.randomness import stream
from mintage.sampling import generate

_GENERATED = 256
_REAL = 512
_CLASSES = 16


@torch.inference_mode()
def mean_pixel_distance(images: Tensor, labels: Tensor | None = None) -> float:
    """The mean distance of two of the images `[N,C,H,W]`; with labels `[N]`, of two of a class, as a mean over classes.

    NaN if no two images are of one class.
    """
    kinds = [images] if labels is None else [images[labels == label] for label in torch.unique(labels)]
    means = [pdist(kind.flatten(1).float()).mean() for kind in kinds if len(kind) > 1]
    return torch.stack(means).mean().item() if means else float("nan")


class Diversity:
    """Generated images against real ones: 1 is as diverse, 0 a single image. The latents are the same each time.

    Distances are in pixels, which need no other network. A conditional generator is measured by class, in at most
    sixteen classes that the seed draws; sources or attributes are the same each time. Random streams are separate from
    the training's.
    """

    def __init__(self, generator: Generator, real: RealImages, seed: int) -> None:
        config, labels = generator.config, real.conditions if generator.config.conditional else None
        chosen = torch.randperm(len(real), generator=stream(seed, "diversity/real")).to(real.device)
        self.labels = self.conditions = None
        if labels is not None:
            drawn = torch.randperm(config.class_count, generator=stream(seed, "diversity/classes"))
            classes = drawn[:_CLASSES].sort().values
            self.labels = classes.repeat(-(-_GENERATED // len(classes)))[:_GENERATED]
            chosen = chosen[torch.isin(labels[chosen], classes.to(labels.device))]
        chosen = chosen[:_REAL]
        beside = config.translates or config.attributes is not None
        self.conditions = real.conditions_of(chosen[:_GENERATED]) if beside else self.labels
        self.latents = draw(config, _GENERATED, stream(seed, "diversity"))[: len(chosen) if beside else None]
        self.real = mean_pixel_distance(real.take(chosen).cpu(), None if labels is None else labels[chosen].cpu())

    @classmethod
    def of_each_direction(cls, generator: Generator, real: RealImages, seed: int) -> "list[Diversity]":
        """One for a generator; two, one for each direction, if it translates between two domains."""
        if generator.back is None:
            return [cls(generator, real, seed)]
        first, second = real.group(0), real.group(1)
        return [cls(generator, Unpaired(second, first), seed), cls(generator.back, Unpaired(first, second), seed)]

    def measure(self, generator: Generator) -> float | None:
        """The diversity; None if real images do not differ, or there is only one of each class."""
        if not self.real > 0:
            return None
        return mean_pixel_distance(generate(generator, self.latents, self.conditions), self.labels) / self.real
