"""Which one is real? How often the selected checkpoint's discriminator knows, asked as readers of the gallery are."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mintage.evaluator import device_of
from mintage.metrics.accuracy import share_error
from mintage.model_config import ModelConfig
from mintage.players import Discriminator, Generator, build_players
from mintage.sampling import Rows, asked_rows
from stages.common.reading import Chosen, asked_for
from stages.selection.cache import Cache, code_digest, key_of
from stages.selection.discriminator import read_discriminator, training_of
from stages.selection.reference import Reference

MOST = 1000
"""Pairs."""


def pairs_told_apart(
    path: Path, real: Reference, generator: Generator, known: Cache, trained: dict[str, Any]
) -> dict[str, Any]:
    """`pairs_told_apart` of selection.json: each pair is a held-out image and one generated for the same condition.

    The image with the higher logit is taken for the real one; with equal logits, half a pair counts. The discriminator
    has its latest weights, since no average is kept. Real and generated images go through it in batches of their own,
    as in training, which matters to batch norm. Raises ValueError with the reason if no discriminator judges single
    images, UserError if its weights do not fit.
    """
    if real.to is not None:
        raise ValueError("each domain has a discriminator of its own")
    discriminator, config = read_discriminator(path, device_of(real.judge.evaluator))
    training = training_of(trained)
    if discriminator is None or _is_as_at_first(discriminator, config, training.seed):
        raise ValueError("it learned without a discriminator")
    if config.packing > 1 or config.minibatch_stddev:
        raise ValueError("its discriminator judges several together, and no single one")
    count, batch_size = min(MOST, real.samples, len(real.holdout_split)), training.batch_size
    about = key_of(real.subject, real.seed, count, batch_size, real.condition, code_digest(_hits))
    key = f"pairs-{about}"
    found = known.facts(key)
    if not found:
        hits = _hits(discriminator, real, generator, asked_rows(len(real.holdout_split), count, real.seed), batch_size)
        found = {"pairs": count, "share": float(f"{hits / count:.6g}")}
        known.keep(key, found)
    found |= {"error": float(f"{share_error(found['share'], count):.6g}")}
    return found | {"sentence": real.judge.medium.words.said(_sentence(found))}


def _is_as_at_first(discriminator: Discriminator, config: ModelConfig, seed: int) -> bool:
    """Whether it never learned: a training by likelihood alone has a discriminator, too, but does not use it."""
    first, now = (dict(one.named_parameters()) for one in (build_players(config, seed)[1], discriminator))
    return first.keys() == now.keys() and all(torch.equal(first[name], now[name].cpu()) for name in now)


def _hits(discriminator: Discriminator, real: Reference, generator: Generator, rows: Tensor, batch_size: int) -> float:
    """How many of the held-out images in these rows are told from those generated for the same conditions."""
    asked, held_out = asked_for(real.condition, real.holdout_split, rows), Chosen(real.holdout_split, rows)
    made = torch.cat(list(real.judge.generated(generator, len(rows), real.seed, asked)))
    on_real, on_made = (_logits(discriminator, images, asked, batch_size) for images in (held_out, made))
    return ((on_real > on_made).sum() + (on_real == on_made).sum() / 2).item()


@torch.inference_mode()
def _logits(discriminator: Discriminator, images: Rows, asked: Rows | None, batch_size: int) -> Tensor:
    """The logit of each image, `[N]`; the mean over its patches if these are judged one by one."""
    device, found = next(discriminator.parameters()).device, []
    for first in range(0, len(images), batch_size):
        rows = torch.arange(first, min(first + batch_size, len(images)))
        conditions = None if asked is None else asked[rows].to(device)
        logits = discriminator(images[rows].to(device), conditions).logit
        found.append(logits.float().view(len(rows), -1).mean(1).cpu())
    return torch.cat(found)


def _sentence(found: dict[str, Any]) -> str:
    share, error = (100 * found[name] for name in ("share", "error"))
    return (
        f"The discriminator finds the real one of a held-out image and a generated image in {share:.1f}% "
        f"(± {error:.1f}) of {found['pairs']:,} pairs; guessing gives 50%."
    )
