"""A detector: a network that learned to tell one generator's images from real ones, with its error on others.

It is the evaluator's network with two classes, and is no discriminator: it learned when the generator had learned, so
that nobody has deceived it, and its batch norm keeps statistics, so that each image is judged alone.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import hypot
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_in
from torch import Tensor

from mintage import release
from mintage.arguments import checked
from mintage.checkpoint import weights_of, write_whole
from mintage.data import RealImages
from mintage.dataset import images_of_shape
from mintage.evaluator import Evaluator, EvaluatorConfig, device_of
from mintage.learning import Schedule, build_evaluator, train_evaluator
from mintage.metrics.accuracy import share_error
from mintage.randomness import stream, uniform_by_image

WEIGHTS, FACTS = "detector.safetensors", "detector.json"
KINDS = ("real", "generated")
APART = 5
"""One image in so many sets the threshold, and is not learned from."""
_FEATURES = 64
_STRONGEST = 0.1
"""Standard deviation of the noise, and change of brightness, in learning: at most 13 of 255 levels."""
_CHUNK = 512


@dataclass(frozen=True)
class Accuracy:
    """How often a detector is right about images that it has not learned from."""

    images: int
    """How many there were of each kind."""
    real: float
    """The share of real images that are taken for real."""
    generated: float
    """The share of generated images that are taken for generated."""

    @property
    def balanced(self) -> float:
        """The mean of both shares; 0.5 by guessing."""
        return (self.real + self.generated) / 2

    @property
    def error(self) -> float:
        """The standard error of `balanced`."""
        return hypot(*(share_error(share, self.images) for share in (self.real, self.generated))) / 2

    @property
    def sentence(self) -> str:
        """What it says, in percent, with standard errors, and plainly where it is no better than guessing."""
        real, generated = (
            f"{100 * share:.1f}% (± {100 * share_error(share, self.images):.1f})"
            for share in (self.real, self.generated)
        )
        guessed = " It is no better than guessing." if self.balanced - 2 * self.error <= 0.5 else ""
        return (
            f"The detector takes {real} of {self.images:,} held-out images for real, and {generated} of as many new "
            f"generated images for generated: it is right in {100 * self.balanced:.1f}% (± {100 * self.error:.1f}); "
            f"guessing gives 50%.{guessed}"
        )


class Detector:
    """Says of images whether one model made them, which it has learned of that model's images alone."""

    def __init__(self, network: Evaluator, threshold: float, accuracy: Accuracy | None = None) -> None:
        self.network = network
        """Images `[N,C,*S]` in [-1,1] to logits `[N,2]`: real, generated."""
        self.threshold = threshold
        """The difference of both logits, generated minus real, above which an image is taken for generated."""
        self.accuracy = accuracy
        """What it reached on held-out real images and new generated ones; None before it was measured."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W) of an image, (C, T) of sound or (C, D, H, W) of a volume."""
        return self.network.config.image_shape

    def scores(self, images: Any) -> Tensor:
        """A number for each image, `[N]`, on the CPU: above 0 where it is taken for generated. Arguments as `detect`'s.

        It is a difference of logits, and no probability: see `accuracy` for how often it is right.
        """
        given = images_of_shape(images, self.shape, "detector")
        device = device_of(self.network)
        with torch.inference_mode():
            logits = torch.cat([self.network(chunk.to(device)).cpu() for chunk in torch.split(given, _CHUNK)])
        return (logits[:, 1] - logits[:, 0]).clone() - self.threshold

    def detect(self, images: Any) -> Tensor:
        """Whether each image is taken for one that the model made: `[N]`, bool, on the CPU. Each is judged alone.

        Args:
            images: `[N,C,*S]`, or `[N,*S]` of one channel: floats in [-1,1], or 8-bit levels in [0,255]. They are not
                resized: an image of another size is another image.

        Raises:
            ValueError: Images are of another shape, or out of range.

        Example:
            >>> import torch
            >>> from mintage.detection import train_detector
            >>> real, made = torch.rand(200, 1, 8, 8) * 2 - 1, torch.rand(200, 1, 8, 8) - 1
            >>> detector = train_detector(real, made, images=6400)
            >>> detector.detect(torch.stack([real[0], made[0]])).tolist()
            [False, True]
        """
        return self.scores(images) > 0

    def measured(self, real: Tensor, made: Tensor) -> "Detector":
        """The same detector with its accuracy on other images, `[N,C,*S]` real ones and as many generated ones."""
        if len(real) != len(made):
            raise ValueError(f"there are {len(real)} real and {len(made)} generated images: give as many of both")
        of_real, of_made = (self.detect(images).double().mean().item() for images in (real, made))
        return Detector(self.network, self.threshold, Accuracy(len(real), 1 - of_real, of_made))

    def files(self) -> dict[str, bytes]:
        """The contents of the files that a release has of it, by name."""
        accuracy = None if self.accuracy is None else asdict(self.accuracy)
        facts = {"config": asdict(self.network.config), "threshold": self.threshold, "accuracy": accuracy}
        return {WEIGHTS: weights_of(self.network), FACTS: (json.dumps(facts, indent=2) + "\n").encode()}

    def save(self, folder: str | Path) -> None:
        """Write `detector.safetensors` and `detector.json`, which `load_detector` reads."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, content in self.files().items():
            write_whole(Path(folder) / name, content)


def train_detector(
    real: Tensor,
    made: Tensor,
    images: int = 240_000,
    seed: int = 0,
    *,
    still: tuple[int, ...] = (),
    device: torch.device | None = None,
    progress: Callable[[int], object] = lambda images: None,
) -> Detector:
    """A detector that learns from real images `[N,C,*S]` and generated ones `[M,C,*S]`, in [-1,1], in any order.

    Of both, one in five sets the threshold: where as many real images are taken for generated as generated ones for
    real. On a CPU the same arguments give the same bits.

    Args:
        real: Training images.
        made: Images of the model, under the same conditions if it is told any.
        images: How many are shown in training, half of them real, each with other noise and brightness each time.
        seed: Of the weights and the order.
        still: Sides along which images are not shifted (`mintage.learning.Schedule`).
        device: By default the CPU.
        progress: Gets the number of images of each batch.

    Raises:
        ValueError: Images are points, or too few, or both kinds differ in shape.
        DivergedError: The weights are no longer finite.
    """
    if real.shape[1:] != made.shape[1:] or min(len(real), len(made)) < 2 * APART:
        raise ValueError(f"images are {list(real.shape)} and {list(made.shape)}: give {2 * APART} or more of one shape")
    config = EvaluatorConfig(tuple(real.shape[1:]), KINDS, _FEATURES)
    if config.kind != "classifier":
        raise ValueError("points are too small for a network to look at")
    (real, own_real), (made, own_made) = _parted(real), _parted(made)
    schedule = Schedule(images, 128, 0.002, seed, still)
    network = train_evaluator(config, _shown(real, made, seed, device), schedule, progress=progress)
    scores = Detector(network, 0.0).scores
    return Detector(network, _equal_error(scores(own_real), scores(own_made)))


@checked
def load_detector(address: str | Path, cache: str | Path | None = None) -> Detector:
    """The detector of a release, checked against its manifest, or of a folder that `Detector.save` or select wrote.

    Args:
        address: As `mintage.load` takes it; the generator itself is not read.
        cache: Where files of a release are kept by their SHA-256; else $MINTAGE_CACHE, else ~/.cache/mintage.

    Raises:
        ReleaseError: The release carries no detector, or something is missing, damaged, or not what it is named.

    Example:
        >>> import mintage
        >>> detector = mintage.load_detector("s3://bucket/prefix/channels/production")  # doctest: +SKIP
        >>> detector.detect(images), detector.accuracy  # doctest: +SKIP
    """
    folder = Path(address)
    try:
        if (folder / "config.json").is_file() and not (folder / "manifest.json").exists():
            facts, weights = ((folder / name).read_bytes() for name in (FACTS, WEIGHTS))
        else:
            facts, weights = release.read(address, (FACTS, WEIGHTS), cache)
        return detector_in({FACTS: facts, WEIGHTS: weights})
    except (FileNotFoundError, release.NotHeldError):
        raise release.ReleaseError(
            f"{address} carries no detector: set select.detector_images, such as to 240000, where it is made"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise release.ReleaseError(f"the detector of {address} cannot be loaded ({error}): make it again") from None


def detector_in(files: Mapping[str, bytes]) -> Detector:
    """The detector of `Detector.files`. Raises various errors if they are damaged."""
    facts = json.loads(files[FACTS])
    network = build_evaluator(EvaluatorConfig.from_json(facts["config"]), seed=0)
    network.load_state_dict(tensors_in(files[WEIGHTS]))
    known = facts["accuracy"]
    return Detector(network.eval().requires_grad_(False), facts["threshold"], known and Accuracy(**known))


def _parted(images: Tensor) -> tuple[Tensor, Tensor]:
    """The images to learn from, and those that set the threshold."""
    apart = torch.arange(len(images)) % APART == 0
    return images[~apart], images[apart]


def _shown(real: Tensor, made: Tensor, seed: int, device: torch.device | None) -> RealImages:
    """As many of both kinds, with what they are as labels; of which there are fewer, those come again."""
    each = torch.arange(max(len(real), len(made)))
    images = torch.cat([real[each % len(real)], made[each % len(made)]])
    return _Disturbed(images, torch.arange(len(images)) // len(each), seed, device or torch.device("cpu"))


class _Disturbed(RealImages):
    """Images with a little noise, brighter or darker, otherwise each time.

    Without it a network learns which levels files of the one kind happen to use, and takes any real picture for
    generated that was saved again.
    """

    def batch(self, position: int, size: int) -> tuple[Tensor, Tensor | None]:
        images, kinds = super().batch(position, size)
        random = stream(self.seed, "detector/disturbed", position)
        strength, brighter = (uniform_by_image(images, random) * _STRONGEST for _ in range(2))
        noise = torch.randn(images.shape, generator=random).to(images, non_blocking=True)
        return (images + strength * noise + 2 * brighter - _STRONGEST).clamp(-1, 1), kinds


def _equal_error(real: Tensor, made: Tensor) -> float:
    """The threshold of scores `[N]` and `[M]` at which the shares of both that are taken for the other are nearest."""
    known: Tensor = torch.unique(torch.cat([real, made]))  # sorted
    between = torch.cat([known[:1] - 1, (known[1:] + known[:-1]) / 2, known[-1:] + 1])
    wrong_real = 1 - torch.searchsorted(real.sort().values, between) / len(real)
    wrong_made = torch.searchsorted(made.sort().values, between) / len(made)
    return between[(wrong_real - wrong_made).abs().argmin()].item()
