"""Reconstructions: a model's encoder encodes images, and its generator makes them again with the same condition."""

import torch
from torch import Tensor

from mintage.players import Generator
from mintage.reconstruction import decoding_condition
from mintage.sampling import encode, generate
from stages.common.reading import attributes_of, labels_of
from stages.common.split import Split


def made_again(generator: Generator, split: Split, rows: Tensor, latent: Tensor | None = None) -> Tensor:
    """The images with these numbers `[n]`, made again `[n,C,*S]` from their codes, or all from one `latent` `[L]`."""
    latents = encoded(generator, split, rows) if latent is None else latent.expand(len(rows), -1)
    known = decoding_condition(generator.config, labels_of(split), attributes_of(split))
    return generate(generator, latents, None if known is None else known[rows])


def encoded(generator: Generator, split: Split, rows: Tensor) -> Tensor:
    """The latents `[n,L]` of the images with these numbers `[n]`."""
    return encode(generator, torch.from_numpy(split.take(rows.numpy())))
