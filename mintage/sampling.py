"""Generated images that depend on (seed, index) alone: not on batch size, count or order."""

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
"""The generator always runs on this many latents: another batch size may round the last bit another way."""


def generate(
    generator: nn.Module, latents: Tensor, conditions: Tensor | None = None, seed: int = 0, first: int = 0
) -> Tensor:
    """Images `[N,C,H,W]` on the CPU for latents `[N, latent_size]`, in chunks of `CHUNK`, the last one filled up.

    What layers draw by themselves (dropout in use) depends on the seed and on the chunk's number, from `first` on.
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
    return torch.cat(made)  # out here, or nobody could change it in place or find a gradient by it


def encode(generator: Generator, images: Tensor) -> Tensor:
    """The latents `[N,L]`, on the CPU, that its encoder finds likeliest of images `[N,C,H,W]`; in chunks likewise."""
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
    """Seeds what layers draw, where any does; torch has one random state for all threads, so one thread at a time."""
    if not any(isinstance(layer, nn.Dropout) and layer.training for layer in generator.modules()):
        yield
        return
    with _ONE_AT_A_TIME, seeded(random, device):
        yield


class Rows(Protocol):
    """Conditions, a row each: a tensor, or what reads them when they are needed."""

    def __len__(self) -> int: ...

    def __getitem__(self, numbers: Tensor, /) -> Tensor: ...


def samples(
    generator: Generator, count: int, seed: int, asked: Sequence[int] | Rows | None, first: int = 0
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Images `[n,C,H,W]` and their conditions `[n,...]`, n at most `CHUNK`, `count` in all.

    Conditions are used in turn: labels, attributes, sources, or, for a generator with an information code, its
    categories. Without anything a generator that is told attributes is asked for its `examples`. Images before `first`,
    a multiple of `CHUNK`, are left out.
    """
    rows = _asked(generator, asked)
    for start in range(first, count, CHUNK):
        n = min(CHUNK, count - start)
        latents = latents_at(generator.config, seed, start // CHUNK)[:n]
        yield _made(generator, latents, rows, seed, start)


def images_of(generator: Generator, latents: Tensor, asked: Sequence[int] | Rows | None) -> Tensor:
    """Images `[N,C,*S]` of these latents `[N,L]`, of what is asked for in turn as in `samples`."""
    return _made(generator, latents, _asked(generator, asked), 0, 0)[0]


def _asked(generator: Generator, asked: Sequence[int] | Rows | None) -> Rows | None:
    if asked is None and generator.examples is not None:
        asked = generator.examples.cpu()
    return torch.tensor(asked) if isinstance(asked, list | tuple | range) else cast(Rows | None, asked)


def _made(
    generator: Generator, latents: Tensor, rows: Rows | None, seed: int, start: int
) -> tuple[Tensor, Tensor | None]:
    """Images of latents, of which the first is number `start`, and their conditions."""
    condition = None if rows is None else rows[torch.arange(start, start + len(latents)) % len(rows)]
    if condition is not None and generator.config.code_categories:
        latents = with_category(generator.config, latents, condition)
    return generate(generator, latents, condition, seed, start // CHUNK), condition


def asked_rows(held: int, count: int, seed: int) -> Tensor:
    """The numbers `[count]` of the held-out pairs whose sources are translated: all in turn, in an order by `seed`."""
    return torch.randperm(held, generator=stream(seed, "asked")).repeat(-(-count // held))[:count]


def asked_labels(labels: Tensor, count: int, seed: int) -> Tensor:
    """`count` labels to generate: those `[N]` of real images, all in turn, again from the first where N are too few.

    The order is drawn by `seed`, so a part of them has the classes of the whole although images are stored one class
    after the other; the order in which they are stored decides nothing.
    """
    shuffled = labels.sort().values[torch.randperm(len(labels), generator=stream(seed, "asked"))]
    return shuffled.repeat(-(-count // len(labels)))[:count]


def rows_with(labels: Tensor, asked: Tensor, random: torch.Generator) -> Tensor:
    """The numbers, in order, of as many real images of these labels; others by chance where a class has too few.

    Beside images of these labels, real ones drawn by chance alone would differ in how many of each class there are:
    that makes their Frechet distance larger by a third or more, and flatters whatever is asked for a class.
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
    """A whole chunk of latents `[CHUNK, L]`, to be cut: so image i is the same whatever the count."""
    return draw(config, CHUNK, stream(seed, "sample", chunk))


def latents_of(config: ModelConfig, seed: int, indices: Sequence[int]) -> Tensor:
    """The latents `[N, L]` of which `samples` makes the images of these indices."""
    return torch.stack([latents_at(config, seed, index // CHUNK)[index % CHUNK] for index in indices])
