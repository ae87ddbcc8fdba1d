"""Real images to learn from: all in memory, or, with a `window` in params, that many at a time."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import torch
from torch import Tensor

from mintage.data import RealImages, hide_labels
from mintage.evaluator import EvaluatorConfig
from mintage.model_config import ModelConfig
from mintage.sampling import Rows
from mintage.streaming import Blocks, open_images
from stages.common.errors import UserError
from stages.common.files import read_json
from stages.common.split import Split


def real_images(
    split: Split,
    conditions: Tensor | None,
    window: int | None,
    seed: int,
    device: torch.device,
    *,
    param: str,
    sources: bool = False,
) -> RealImages:
    """The split's images with the given labels `[N]` or attributes `[N,K]`, or with their `sources`.

    `param` is the window's name in params. Raises UserError as `require_room` does.
    """
    blocks = split.reader.blocks
    stored = Blocks(
        [block.stop - block.start for block in blocks],
        lambda number: torch.tensor(split.reader.images(blocks[number])),
        (lambda number: torch.tensor(split.partners_in(blocks[number]))) if sources else None,
    )
    if split.rows is not None:
        stored = stored.subset(torch.from_numpy(split.rows))
    require_room(split, window, device, param, sources=sources)
    return open_images(stored, conditions, window, seed, device)


class Chosen:
    """Some images of a split, read when they are needed (`mintage.sampling.Rows`)."""

    def __init__(self, split: Split, numbers: Tensor) -> None:
        self._split, self._numbers = split, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, rows: Tensor, /) -> Tensor:
        return torch.from_numpy(self._split.take(self._numbers[rows].numpy()))


class Sources(Chosen):
    """The sources of some images of a split, read when they are needed."""

    def __init__(self, split: Split, numbers: Tensor) -> None:
        assert split.partners is not None
        super().__init__(split.partners, numbers)


def asked_for(condition: str | None, split: Split, numbers: Tensor) -> Rows | None:
    """What a generator is given to make images like some of a split: labels, attributes, sources or nothing."""
    if condition == "source":
        return Sources(split, numbers)
    known = {"attributes": attributes_of, "label": labels_of}
    found = known[condition](split) if condition in known else None
    return None if found is None else found[numbers]


def require_room(split: Split, window: int | None, device: torch.device, param: str, *, sources: bool = False) -> None:
    """Raise UserError if all images, with their sources, should be in memory at once, and there is not enough."""
    if window is not None and window < len(split):
        return
    shapes = [split.shape, *([split.partners.shape] if sources and split.partners else [])]
    size = 4 * sum(torch.Size(shape).numel() for shape in shapes)
    _require_room(len(split), size, psutil.virtual_memory().available, "this machine", param)
    if device.type == "cuda":
        _require_room(len(split), size, torch.cuda.mem_get_info(device)[0], "the GPU", param)


def _require_room(images: int, size: int, free: int, where: str, param: str) -> None:
    """Check room for `images` of `size` bytes. Two windows are in memory, and half of it is left for the networks."""
    needed = images * size
    if needed > free:
        raise UserError(
            "memory-too-small",
            f"the images to train on take {needed / 1e9:,.1f} GB, and {where} has {free / 1e9:,.1f} GB free: "
            f"set {param} to how many to hold at a time, {free // 4 // size:,} at most",
        )


def as_given(config: ModelConfig, split: Split) -> Split:
    """The split with the sources that a generator needs, which may have attributes as more channels."""
    return split.with_attributes() if config.joins_attributes else split


def batches_of(split: Split) -> Iterator[Tensor]:
    """All images, a batch `[n,C,H,W]` at a time."""
    return map(torch.from_numpy, split.batches())


def labels_of(split: Split) -> Tensor | None:
    return None if split.labels is None else torch.from_numpy(split.labels)


def conditions_of(split: Split) -> Tensor | None:
    """What an evaluator learns to predict for each image: attributes `[N,K]`, or labels `[N]`; None without them."""
    attributes = attributes_of(split)
    return labels_of(split) if attributes is None else attributes


def evaluator_config(split: Split, features: int) -> EvaluatorConfig:
    """The config: a classifier for two or more classes, or attributes; a language model for words; an autoencoder."""
    real = split.signature
    return EvaluatorConfig(real.shape, real.classes, features, real.attributes, len(real.vocabulary or ()))


def attributes_of(split: Split) -> Tensor | None:
    return None if split.attributes is None else torch.from_numpy(split.attributes)


def conditions_for(asked: str | None, split: Split, labeled: float, seed: int) -> Tensor | None:
    """The labels, attributes or domains that a training uses, as `asked` names them; None if it uses none.

    A share `labeled` of the labels, drawn by the seed, may be seen; the others are hidden.
    """
    if asked == "attributes":
        return attributes_of(split)
    if asked == "domain" and split.domain is not None:
        return torch.from_numpy(split.domain)
    labels = labels_of(split) if asked == "label" else None
    return None if labels is None else hide_labels(labels, labeled, seed)


def require_passed_gate(report: str | Path) -> None:
    """Raise UserError if `validate` refused the data, or did not run."""
    if not read_json(report).get("success"):
        raise UserError(
            "gate-not-passed", f"the data did not pass the gate ({report}): mend the data or the limits in params.yaml"
        )
