"""Generated images that depend only on (seed, index): not on batch size, count or order."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from mintage.latents import draw, with_category
from mintage.model_config import ModelConfig
from mintage.players import Generator
from mintage.randomness import seeded, stream

_ONE_AT_A_TIME = Lock()
CHUNK = 64
"""The generator always runs on this many latents: another batch size may round the last bit differently."""


def generate(
    generator: nn.Module, latents: Tensor, conditions: Tensor | None = None, seed: int = 0, first: int = 0
) -> Tensor:
    """Images `[N,C,H,W]` on the CPU for latents `[N, latent_size]`, in chunks of `CHUNK`, the last one filled up.

    Random layers (dropout in use) depend on the seed and on the chunk's number, which counts from `first`.
    """
    device = next(generator.parameters()).device
    made = []
    for start in range(0, len(latents), CHUNK):
        rows = torch.arange(start, start + CHUNK).clamp(max=len(latents) - 1)
        condition = None if conditions is None else conditions[rows].to(device)
        random = stream(seed, "sample/layers", first + start // CHUNK)
        with torch.inference_mode(), _drawing(generator, random, device):
            images = generator(latents[rows].to(device), condition)
            made.append(images[: len(latents) - start].float().cpu())
    return torch.cat(made)  # outside inference mode, so that a user can change it in place or take gradients


def encode(generator: Generator, images: Tensor) -> Tensor:
    """The encoder's mean latents `[N,L]` of images `[N,C,H,W]`, on the CPU; also in chunks of `CHUNK`."""
    device = next(generator.parameters()).device
    found = []
    for start in range(0, len(images), CHUNK):
        rows = torch.arange(start, start + CHUNK).clamp(max=len(images) - 1)
        with torch.inference_mode():
            latents = generator.encode(images[rows].to(device)).mean
            found.append(latents[: len(images) - start].cpu())
    return torch.cat(found)


@contextmanager
def _drawing(generator: nn.Module, random: torch.Generator, device: torch.device) -> Iterator[None]:
    """Seed random layers, if there are any. Torch has one random state for all threads, so only one thread enters."""
    if not any(isinstance(layer, nn.Dropout) and layer.training for layer in generator.modules()):
        yield
        return
    with _ONE_AT_A_TIME, seeded(random, device):
        yield


class Rows(Protocol):
    """Conditions in rows: a tensor, or an object that reads rows when they are needed."""

    def __len__(self) -> int: ...

    def __getitem__(self, numbers: Tensor, /) -> Tensor: ...


def samples(
    generator: Generator, count: int, seed: int, asked: Sequence[int] | Rows | None, first: int = 0
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Images `[n,C,H,W]` and their conditions `[n,...]`, n at most `CHUNK`, `count` in all.

    Conditions are used in turn: labels, attributes, sources, or, for a generator with an information code, its
    categories. If `asked` is None, a generator with attributes uses its `examples`. Images before `first`, a multiple
    of `CHUNK`, are left out.
    """
    rows = _asked(generator, asked)
    for start in range(first, count, CHUNK):
        n = min(CHUNK, count - start)
        latents = latents_at(generator.config, seed, start // CHUNK)[:n]
        yield _made(generator, latents, rows, seed, start)


def images_of(generator: Generator, latents: Tensor, asked: Sequence[int] | Rows | None) -> Tensor:
    """Images `[N,C,*S]` from these latents `[N,L]`, with the conditions `asked` in turn, as in `samples`."""
    return _made(generator, latents, _asked(generator, asked), 0, 0)[0]


def _asked(generator: Generator, asked: Sequence[int] | Rows | None) -> Rows | None:
    if asked is None and generator.examples is not None:
        asked = generator.examples.cpu()
    return torch.tensor(asked) if isinstance(asked, list | tuple | range) else cast(Rows | None, asked)


def _made(
    generator: Generator, latents: Tensor, rows: Rows | None, seed: int, start: int
) -> tuple[Tensor, Tensor | None]:
    """Images of latents and their conditions; the first image has the number `start`."""
    condition = None if rows is None else rows[torch.arange(start, start + len(latents)) % len(rows)]
    if condition is not None and generator.config.code_categories:
        latents = with_category(generator.config, latents, condition)
    return generate(generator, latents, condition, seed, start // CHUNK), condition


def asked_rows(held: int, count: int, seed: int) -> Tensor:
    """The numbers `[count]` of the holdout's pairs to translate: all in turn, in an order drawn by `seed`."""
    return torch.randperm(held, generator=stream(seed, "asked")).repeat(-(-count // held))[:count]


def asked_labels(labels: Tensor, count: int, seed: int) -> Tensor:
    """`count` labels to generate: the labels `[N]` of real images in turn, repeated if N are too few.

    The order is drawn by `seed`, so each part has all classes, even if images are stored one class after the other. It
    does not depend on the order of storage.
    """
    shuffled = labels.sort().values[torch.randperm(len(labels), generator=stream(seed, "asked"))]
    return shuffled.repeat(-(-count // len(labels)))[:count]


def rows_with(labels: Tensor, asked: Tensor, random: torch.Generator) -> Tensor:
    """The numbers, in order, of real images with the labels `asked`; random others where a class has too few.

    Real images drawn without regard to labels would have other shares of the classes than generated ones: that makes
    the floor's Frechet distance larger by a third or more, and favors generators that are asked for classes.
    """
    order = torch.randperm(len(labels), generator=random)
    wanted = torch.bincount(asked, minlength=int(labels.max()) + 1)
    taken = torch.zeros(len(labels), dtype=torch.bool)
    for label, count in enumerate(wanted.tolist()):
        taken[order[labels[order] == label][:count]] = True
    others = order[~taken[order]]
    taken[others[: len(asked) - int(taken.sum())]] = True
    return taken.nonzero()[:, 0]


def latents_at(config: ModelConfig, seed: int, chunk: int) -> Tensor:
    """A whole chunk of latents `[CHUNK, L]`, to be cut afterwards, so that image i does not depend on the count."""
    return draw(config, CHUNK, stream(seed, "sample", chunk))


def latents_of(config: ModelConfig, seed: int, indices: Sequence[int]) -> Tensor:
    """The latents `[N, L]` from which `samples` makes the images of these indices."""
    return torch.stack([latents_at(config, seed, index // CHUNK)[index % CHUNK] for index in indices])
