"""Generated images that depend on (seed, index) alone: not on batch size, count or order."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from gan.players import Generator
from gan.randomness import draw_latents, stream

CHUNK = 64
"""The generator always runs on this many latents: another batch size may round the last bit another way."""


@torch.inference_mode()
def generate(generator: Generator, latents: Tensor, labels: Tensor | None) -> Tensor:
    """Images `[N,C,H,W]` on the CPU for latents `[N, latent_size]`, in chunks of `CHUNK`, the last one filled up."""
    device = next(generator.parameters()).device
    made = []
    for start in range(0, len(latents), CHUNK):
        rows = torch.arange(start, start + CHUNK).clamp(max=len(latents) - 1)
        label = None if labels is None else labels[rows].to(device)
        made.append(generator(latents[rows].to(device), label)[: len(latents) - start].float().cpu())
    return torch.cat(made)


def samples(
    generator: Generator, count: int, seed: int, labels: Sequence[int] | None
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Images `[n,C,H,W]` and their labels `[n]`, n at most `CHUNK`, `count` in all; labels are used in turn."""
    config = generator.config
    for start in range(0, count, CHUNK):
        n = min(CHUNK, count - start)
        # A whole chunk is drawn, then cut: image i is the same whatever the count.
        random = stream(seed, "sample", start // CHUNK)
        latents = draw_latents(config.latent_distribution, CHUNK, config.latent_size, random)[:n]
        label = None if labels is None else torch.tensor([labels[(start + i) % len(labels)] for i in range(n)])
        yield generate(generator, latents, label), label


def slerp(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """`steps` latents `[steps, latent_size]` on the arc from `start` to `end`, both `[latent_size]`.

    A straight line between two normal latents passes through lengths that the generator
    never saw in training (White 2016).
    """
    amount = torch.linspace(0, 1, steps, dtype=torch.float64).unsqueeze(1)
    a, b = start.double(), end.double()
    angle = torch.acos((a @ b / (a.norm() * b.norm())).clamp(-1, 1))
    if angle.sin() < 1e-6:
        return (a + amount * (b - a)).float()
    return ((((1 - amount) * angle).sin() * a + (amount * angle).sin() * b) / angle.sin()).float()
