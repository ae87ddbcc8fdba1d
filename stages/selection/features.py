"""The features in which images are compared: of the pipeline's evaluator, of the standard Inception, or the pixels."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from mintage.evaluator import Evaluator, features_of
from mintage.inception import PROTOCOL, Inception, resized
from stages.common.errors import UserError
from stages.common.files import sha256_of
from stages.common.params import Inception as InceptionFile
from stages.common.params import Select
from stages.media.medium import Words

_CHUNK = 32


@dataclass(frozen=True)
class FeatureNetwork:
    """A function from images to features, and what identifies it."""

    name: str
    sha256: str | None
    protocol: str
    """How images are prepared for it, and which of its layers is read, in words."""
    extract: Callable[[Tensor], Tensor]
    """Images `[N,C,H,W]` in [-1,1] to features `[N,F]` on the CPU."""

    def describe(self) -> dict[str, str | None]:
        return {"network": self.name, "sha256": self.sha256, "protocol": self.protocol}


def feature_network(
    params: Select, evaluator: Evaluator, sha256: str, device: torch.device, words: Words
) -> FeatureNetwork:
    """The network that params name, described in the words of a medium.

    Raises UserError if Inception's weights are missing, or not those that params name.
    """
    if params.features == "pixels":
        return FeatureNetwork("pixels", None, "the pixels themselves, in [-1,1]", lambda images: images.flatten(1))
    if params.inception is not None and params.features == "inception":
        network = read_inception(params.inception, device)
        return FeatureNetwork("inception", params.inception.sha256.lower(), PROTOCOL, lambda x: _through(network, x))
    protocol = (
        "the evaluator's feature layer, trained on the real training images; not comparable with other evaluators"
    )
    protocol = f"the {words.numbers}" if evaluator.config.kind == "coordinates" else protocol
    return FeatureNetwork("domain", sha256, protocol, lambda images: features_of(evaluator, images))


def read_inception(file: InceptionFile, device: torch.device) -> Inception:
    """Inception with the weights of a file. Its checksum is verified first, and no code in it is run."""
    try:
        found = sha256_of(file.path)
    except OSError as error:
        raise UserError(
            "inception-unreadable",
            f"select.inception.path {file.path} cannot be read ({error.strerror}): fetch the weights",
        ) from None
    if found != file.sha256.lower():
        raise UserError(
            "inception-wrong-digest",
            f"{file.path} has SHA-256 {found}, not select.inception.sha256: fetch the weights again",
        )
    network = Inception()
    try:
        network.load_state_dict(torch.load(Path(file.path), map_location="cpu", weights_only=True))
    except (RuntimeError, UnpicklingError, TypeError, AttributeError, ValueError, EOFError, KeyError):
        known = "pt_inception-2015-12-05-6726825d.pth, by pytorch-fid or torch-fidelity"
        raise UserError(
            "inception-other-weights", f"{file.path} does not hold Inception's weights by their names: use {known}"
        ) from None
    return network.to(device).eval().requires_grad_(False)


@torch.inference_mode()
def _through(network: Inception, images: Tensor) -> Tensor:
    device = network.fc.weight.device
    return torch.cat([network(resized(chunk.to(device))).cpu() for chunk in torch.split(images, _CHUNK)])
