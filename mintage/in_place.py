"""Figures of images in the place of others: translations beside truths, and what comes back of encoded images."""

from torch import Tensor

from mintage.dataset import Dataset
from mintage.evaluator import Evaluator, features_of
from mintage.metrics.pairs import likeness, psnr, retrieval
from mintage.players import Generator
from mintage.reconstruction import mean_of, reconstruction_figures, told
from mintage.sampling import encode, generate
from mintage.seen import Seen, condition_of, figures_beside, rounded
from mintage.sources import has_mask, shape_of


def translation_figures(
    evaluator: Evaluator, real: Seen, asked: Dataset, images: Tensor, seed: int
) -> dict[str, float]:
    """Of images in the place of those asked for."""
    found = pair_figures(images, asked)
    seen = Seen.of(evaluator, images, condition_of(asked))
    found["retrieval"] = retrieval(seen.features, features_of(evaluator, asked.image))
    return found | figures_beside(real, seen, seed)


def pair_figures(images: Tensor, asked: Dataset) -> dict[str, float]:
    """How near images `[N,C,*S]` in the place of those asked for are to these, as means over those that have each."""
    filled = asked.source is not None and has_mask(shape_of(asked.source), asked.shape)
    hole = asked.source[:, -1:] > 0 if filled and asked.source is not None else None
    return {name: values.nanmean().item() for name, values in likeness(images, asked.image, hole).items()}


def figures_again(
    generator: Generator, evaluator: Evaluator, shown: Dataset, train: Tensor
) -> dict[str, tuple[float, float, float]]:
    """Of images that are encoded and made again: what comes back reaches, they themselves, and what ignores them.

    That is the better of two: the mean of all their latents, made again, and the mean of `train` `[M,C,*S]`.
    """
    latents, given = encode(generator, shown.image), told(generator.config, shown.label, shown.attributes)
    features = features_of(evaluator, shown.image)
    own, themselves, latent, image = (
        reconstruction_figures(psnr(images, shown.image), features_of(evaluator, images), features)
        for images in (
            rounded(generate(generator, latents, given)),
            shown.image,
            rounded(generate(generator, mean_of([latents]).expand_as(latents), given)),
            rounded(mean_of([train]).expand_as(shown.image)),
        )
    )
    return {name: (value, themselves[name], max(latent[name], image[name])) for name, value in own.items()}
