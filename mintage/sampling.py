"""Generated images that depend on (seed, index) alone: not on batch size, count or order."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from mintage.latents import draw, with_category
from mintage.players import Generator, ModelConfig
from mintage.randomness import stream

CHUNK = 64
"""The generator always runs on this many latents: another batch size may round the last bit another way."""


@torch.inference_mode()
def generate(generator: nn.Module, latents: Tensor, labels: Tensor | None) -> Tensor:
    """Images `[N,C,H,W]` on the CPU for latents `[N, latent_size]`, in chunks of `CHUNK`, the last one filled up."""
    device = next(generator.parameters()).device
    made = []
    for start in range(0, len(latents), CHUNK):
        rows = torch.arange(start, start + CHUNK).clamp(max=len(latents) - 1)
        label = None if labels is None else labels[rows].to(device)
        made.append(generator(latents[rows].to(device), label)[: len(latents) - start].float().cpu())
    return torch.cat(made)


def samples(
    generator: Generator, count: int, seed: int, labels: Sequence[int] | None, first: int = 0
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Images `[n,C,H,W]` and their labels `[n]`, n at most `CHUNK`, `count` in all; labels are used in turn.

    Those before `first`, a multiple of `CHUNK`, are left out.
    For a generator with an information code, labels are the categories of the code.
    """
    config = generator.config
    for start in range(first, count, CHUNK):
        n = min(CHUNK, count - start)
        latents = latents_at(config, seed, start // CHUNK)[:n]
        label = None if labels is None else torch.tensor([labels[(start + i) % len(labels)] for i in range(n)])
        if label is not None and config.code_categories:
            latents = with_category(config, latents, label)
        yield generate(generator, latents, label), label


def asked_labels(labels: Tensor, count: int, seed: int) -> Tensor:
    """`count` labels to generate: those `[N]` of real images, all in turn, again from the first where N are too few.

    The order is drawn by `seed`, so a part of them has the classes of the whole although images are stored one class
    after the other; the order in which they are stored decides nothing.
    """
    shuffled = labels.sort().values[torch.randperm(len(labels), generator=stream(seed, "asked"))]
    return shuffled.repeat(-(-count // len(labels)))[:count]


def latents_at(config: ModelConfig, seed: int, chunk: int) -> Tensor:
    """A whole chunk of latents `[CHUNK, L]`, to be cut: so image i is the same whatever the count."""
    return draw(config, CHUNK, stream(seed, "sample", chunk))


def latents_of(config: ModelConfig, seed: int, indices: Sequence[int]) -> Tensor:
    """The latents `[N, L]` of which `samples` makes the images of these indices."""
    return torch.stack([latents_at(config, seed, index // CHUNK)[index % CHUNK] for index in indices])
