"""The detector of a release: it learns to tell the selected checkpoint's images from real ones, and is measured."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from mintage.detection import Detector, detector_in, train_detector
from mintage.errors import DivergedError
from mintage.evaluator import device_of
from mintage.players import Generator
from mintage.randomness import stream
from mintage.sampling import asked_rows
from stages.common.params import Select
from stages.common.reading import Chosen, asked_for
from stages.common.split import Split
from stages.common.stage import progress_bar
from stages.selection.cache import Cache, code_digest, key_of
from stages.selection.reference import Reference

MOST = 10_000
"""Training images to learn from, and held-out ones to be measured on; as many generated ones each."""


@dataclass(frozen=True)
class Carried:
    """What a release gets."""

    files: dict[str, bytes]
    """The detector's files, by name."""
    facts: dict[str, Any]
    """`detector` of selection.json."""


def carried_detector(generator: Generator, real: Reference, known: Cache, params: Select) -> Carried | None:
    """A detector of the generator's images; None if params ask for none.

    It learns from training images and as many generated ones, under the same conditions. Its accuracy is that on
    held-out images and on as many others that are generated under their conditions. Raises ValueError with the reason
    if there is none.
    """
    if params.detector_images == 0:
        return None
    if real.to is not None:
        raise ValueError("each domain would need a detector of its own")
    if real.kind == "language":
        raise ValueError("a detector looks at images, and these are words")
    about = [real.subject, real.judge.about(), real.seed, real.condition, params.detector_images]
    key = f"detector-{key_of(*about, code_digest(_measured))}"

    def make() -> dict[str, Tensor]:
        files = _measured(generator, real, params.detector_images).files()
        return {name: torch.frombuffer(bytearray(content), dtype=torch.uint8) for name, content in files.items()}

    files = {name: content.numpy().tobytes() for name, content in known.tensors(key, make).items()}
    accuracy = detector_in(files).accuracy
    assert accuracy is not None
    own = {"balanced": accuracy.balanced, "error": accuracy.error}
    facts = {name: float(f"{value:.6g}") for name, value in (asdict(accuracy) | own).items()}
    said = real.medium.words.said(accuracy.sentence)
    return Carried(files, facts | {"images": accuracy.images, "sentence": said})


def _measured(generator: Generator, real: Reference, shown: int) -> Detector:
    """A detector that was shown so many images, with its accuracy."""
    device, still = device_of(real.judge.evaluator), real.medium.still
    learned, judged = (
        _of_both(generator, real, split, purpose)
        for split, purpose in ((real.train_split, "learned"), (real.holdout_split, "judged"))
    )
    try:
        with progress_bar("detector", shown) as bar:
            found = train_detector(*learned, shown, real.seed, still=still, device=device, progress=bar.update)
    except DivergedError as error:
        raise ValueError(str(error)) from None
    return found.measured(*judged)


def _of_both(generator: Generator, real: Reference, split: Split, purpose: str) -> tuple[Tensor, Tensor]:
    """Some images of a split, and one generated like each, from latents that no other purpose or user has."""
    numbers = asked_rows(len(split), min(MOST, len(split)), real.seed)
    seed = stream(real.seed, f"detector/{purpose}").initial_seed()
    asked = asked_for(real.condition, split, numbers)
    made = real.judge.generated(generator, len(numbers), seed, asked)
    return Chosen(split, numbers)[torch.arange(len(numbers))], torch.cat(list(made))
