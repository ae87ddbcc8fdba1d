"""How well the selected model reconstructs held-out images, beside what is reached without its encoder."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from mintage.players import Generator
from mintage.reconstruction import mean_of
from mintage.sampling import CHUNK
from stages.common.made_again import encoded, made_again
from stages.selection.cache import Cache, code_digest, key_of
from stages.selection.figures import OF_ENCODERS, Figures
from stages.selection.measure import as_written, in_place, reconstructed
from stages.selection.metrics import METRICS
from stages.selection.reference import Reference

_PSNR, _RETRIEVAL = next(iter(OF_ENCODERS.values()))


def reconstruction_figures(generator: Generator, real: Reference, known: Cache) -> dict[str, Any] | None:
    """`reconstruction` of selection.json; None for a model without an encoder.

    Two baselines do not look at the image: the mean latent, decoded with the image's class or attributes, and the mean
    training image, which has the least squared error of all constant answers.
    """
    if not real.encodes:
        return None
    key = key_of(real.key, code_digest(mean_latent, mean_image, as_written))
    found = {
        "figures": reconstructed(lambda: generator, real, known),
        "mean_latent": in_place(lambda: mean_latent(generator, real), real, known, f"latent-{key}"),
        "mean_image": in_place(lambda: mean_image(real), real, real.known, f"image-{key}"),
    }
    if missing := [why for one in found.values() for why in one.absent.values()]:
        raise ValueError(missing[0])
    count, figures = len(real.encoded), {name: one.figures for name, one in found.items()}
    return {"images": count, **figures, "sentence": real.medium.words.said(_sentence(count, *figures.values()))}


def mean_latent(generator: Generator, real: Reference) -> Iterator[Tensor]:
    chunks = torch.split(real.encoded, CHUNK)
    mean = mean_of(encoded(generator, real.holdout_split, rows) for rows in chunks)
    return as_written((made_again(generator, real.holdout_split, rows, mean) for rows in chunks), real)


def mean_image(real: Reference) -> Iterator[Tensor]:
    """The mean of the training images of the floor, once for each encoded image."""
    mean = mean_of(map(torch.from_numpy, real.train_split.batches(real.chosen.numpy())))
    return as_written((mean.expand_as(images) for images in real.held_out()), real)


def _sentence(count: int, own: Figures, latent: Figures, image: Figures) -> str:
    decibels, share = (METRICS[name].text for name in (_PSNR, _RETRIEVAL))
    useless = all(own[name] <= latent[name] for name in (_PSNR, _RETRIEVAL))
    whole = f"{'The encoder says nothing of an image: of' if useless else 'Of'} {count:,} held-out images"
    return (
        f"{whole}, encoded and made again, {share(own[_RETRIEVAL])} lie nearest to themselves in the features (their "
        f"mean latent: {share(latent[_RETRIEVAL])}, by chance: {share(1 / count)}), with a PSNR of "
        f"{decibels(own[_PSNR])} dB (mean latent: {decibels(latent[_PSNR])}, mean training image: "
        f"{decibels(image[_PSNR])})."
    )
