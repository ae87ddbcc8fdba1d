"""The network whose features compare images, trained on the real images alone.

With classes or attributes it is a classifier; without them an autoencoder, whose bottleneck is the features. Sound
becomes a spectrogram first. Sequences of words have a different network (`mintage.language`). Points need no network:
their coordinates are the features.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from mintage.attributes import right
from mintage.conditioning.embedding import Condition, attribute_values
from mintage.layers import BATCH_NORMS, Layers
from mintage.networks import dcgan
from mintage.networks.convolution import convolution
from mintage.networks.parts import SMALLEST_IMAGE, Flatten, sizes
from mintage.sounds import spectrograms

_WIDTH = 16
_WIDEST = 4 * _WIDTH
_CHUNK = 512
_BANDS, _HOP, _SHORT_HOP = 32, 128, 32
"""Spectrograms' sizes: with these an evaluator recognizes words as well as from the wave, in an eighth of the time
(docs/sounds.md). The short hop is for sounds that would have too few columns."""
_COLUMNS = 16


@dataclass(frozen=True)
class EvaluatorConfig:
    """All that decides an evaluator's shapes."""

    image_shape: tuple[int, ...]
    """(C, *S)."""
    classes: tuple[str, ...] | None
    features: int
    """Width of the layer whose output compares images."""
    attributes: tuple[str, ...] | None = None
    """Names of the attributes that images have in place of a class."""
    words: int = 0
    """Size of the vocabulary, if images are sequences of words (`mintage.tokens`); else 0."""

    @property
    def kind(self) -> str:
        """`language` for words, `coordinates` for points; else `classifier`, `attributes` or `autoencoder`."""
        if self.words:
            return "language"
        if min(self.image_shape[1:]) < SMALLEST_IMAGE:
            return "coordinates"
        return "attributes" if self.attributes else "classifier" if self.classifies else "autoencoder"

    @property
    def listens(self) -> bool:
        """Whether images are sounds that are long enough for spectrograms."""
        return len(self.image_shape) == 2 and self.image_shape[1] >= _COLUMNS * _SHORT_HOP

    @property
    def hop(self) -> int:
        """Samples from one column of a spectrogram to the next."""
        return _HOP if self.image_shape[1] >= _COLUMNS * _HOP else _SHORT_HOP

    @property
    def view_shape(self) -> tuple[int, ...]:
        """The shape of the network's input, (C, *S)."""
        return (1, _BANDS, -(-self.image_shape[1] // self.hop)) if self.listens else self.image_shape

    @property
    def condition(self) -> Condition | None:
        """What the network predicts about an image; None for an autoencoder."""
        if self.kind == "attributes":
            return Condition(len(self.attributes or ()), self.attributes)
        return Condition(len(self.classes or ())) if self.classifies else None

    @property
    def classifies(self) -> bool:
        return len(self.classes or ()) > 1 and not self.words

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "EvaluatorConfig":
        """The inverse of `dataclasses.asdict` through JSON, which turns tuples into lists."""
        classes, attributes = values["classes"], values.get("attributes")
        names = (classes and tuple(classes), attributes and tuple(attributes))
        return cls(tuple(values["image_shape"]), names[0], values["features"], names[1], values.get("words", 0))


class Evaluator(nn.Module):
    """Images `[N,C,*S]` in [-1,1] to features `[N,F]`, and these to logits of the condition or to the images again.

    Features are taken before the nonlinearity. Over the training images each has mean 0 and variance 1, so that a
    Gaussian describes them well and a distance means the same in every dimension. Without the nonlinearity between
    features and classes, features would shrink to the classes' means, which would hide a loss of variety in a class.
    """

    def __init__(self, config: EvaluatorConfig) -> None:
        super().__init__()
        self.config = config
        image_channels, *image_size = config.view_shape
        steps = sizes(*image_size)
        wide = [min(_WIDTH * 2**level, _WIDEST) for level in range(len(steps))]
        layers = _convolution(len(image_size), image_channels, wide[0], stride=1)
        for before, after in pairwise(wide):
            layers += _convolution(len(image_size), before, after, stride=2)
        self.layers = nn.Sequential(*layers, Flatten())
        self.project = nn.Linear(wide[-1] * prod(steps[-1]), config.features, bias=False)
        self.scale = nn.BatchNorm1d(config.features, affine=False)
        self.head: nn.Module = _head(config)

    def view(self, images: Tensor) -> Tensor:
        """The network's input, and an autoencoder's target: the images, or the spectrograms of sounds."""
        return spectrograms(images, bands=_BANDS, hop=self.config.hop) if self.config.listens else images

    def features(self, images: Tensor) -> Tensor:
        return self.scale(self.project(self.layers(self.view(images))))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))

    def own_loss(self, images: Tensor, answer: Tensor) -> Tensor:
        """Its loss without a condition, for its output `answer` on these images."""
        return mse_loss(answer, self.view(images))


class Coordinates(Evaluator):
    """Points as their own features; a point's class is the one with the nearest mean."""

    def __init__(self, config: EvaluatorConfig) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.head: NearestMean = NearestMean(len(config.classes or ()), prod(config.image_shape))

    def features(self, images: Tensor) -> Tensor:
        return images.flatten(1)


class NearestMean(nn.Module):
    """Features `[N,F]` to minus their distance from each class's mean, `[N, classes]`; -inf if it had no images."""

    def __init__(self, classes: int, features: int) -> None:
        super().__init__()
        self.means: Tensor
        self.register_buffer("means", torch.zeros(classes, features))

    def fit(self, features: Tensor, labels: Tensor) -> None:
        for label, mean in enumerate(self.means):
            mean.copy_(features[labels == label].mean(0))

    def forward(self, features: Tensor) -> Tensor:
        away = torch.cdist(features, self.means.nan_to_num())
        return -away.masked_fill(self.means.isnan().any(1), torch.inf)


def _convolution(rank: int, before: int, after: int, stride: int) -> list[nn.Module]:
    """Convolution, norm and activation; a stride of 2 halves each side, rounding up."""
    convolved = convolution(rank)(before, after, 3, stride, padding=1, bias=False)
    return [convolved, BATCH_NORMS[rank](after), nn.ReLU()]


def _head(config: EvaluatorConfig) -> nn.Module:
    if config.condition is not None:
        return nn.Sequential(nn.ReLU(), nn.Linear(config.features, config.condition.size))
    return dcgan.Generator(config.features, config.view_shape, _WIDTH, Layers("batch", rank=len(config.view_shape) - 1))


def device_of(evaluator: Evaluator) -> torch.device:
    tensor: Tensor = next(iter(evaluator.state_dict().values()))
    return tensor.device


@torch.inference_mode()
def features_of(evaluator: Evaluator, images: Tensor) -> Tensor:
    """Features `[N,F]` on the CPU, computed in float32, a chunk of images at a time."""
    device = device_of(evaluator)
    return torch.cat([evaluator.features(chunk.to(device)).cpu() for chunk in torch.split(images, _CHUNK)])


@torch.inference_mode()
def logits_of(evaluator: Evaluator, features: Tensor) -> Tensor:
    """Its logits `[N,K]` of the condition, on the CPU, for features `[N,F]`."""
    return evaluator.head(features.to(device_of(evaluator))).cpu()


def attributes_right(evaluator: Evaluator, features: Tensor, asked: Tensor) -> Tensor:
    """Whether each attribute is as asked `[N,G]`, on the CPU, for features `[N,F]` and attributes `[N,K]`."""
    return right(attribute_values(logits_of(evaluator, features)), asked, evaluator.config.attributes or ())


def classify(evaluator: Evaluator, features: Tensor) -> Tensor:
    """The likeliest label `[N]`, on the CPU, for features `[N,F]` of a classifier."""
    return logits_of(evaluator, features).argmax(dim=1)
