"""Figures of images one by one: translations beside their truths, reconstructions beside their originals."""

from torch import Tensor

from mintage.dataset import Dataset
from mintage.evaluator import Evaluator, features_of
from mintage.metrics.pairs import likeness, psnr, retrieval
from mintage.observation import Observation, condition_of, figures_beside, observe, rounded
from mintage.players import Generator
from mintage.reconstruction import decoding_condition, mean_of, reconstruction_figures
from mintage.sampling import encode, generate
from mintage.sources import has_mask, shape_of


def translation_figures(
    evaluator: Evaluator, real: Observation, asked: Dataset, images: Tensor, seed: int
) -> dict[str, float]:
    """Figures of translations `images` `[N,C,*S]` beside their truths, `asked.image`."""
    found = pair_figures(images, asked)
    seen = observe(evaluator, images, condition_of(asked))
    found["retrieval"] = retrieval(seen.features, features_of(evaluator, asked.image))
    return found | figures_beside(real, seen, seed)


def pair_figures(images: Tensor, asked: Dataset) -> dict[str, float]:
    """How near images `[N,C,*S]` are to their truths, `asked.image`: means over the pairs that have each figure."""
    filled = asked.source is not None and has_mask(shape_of(asked.source), asked.shape)
    hole = asked.source[:, -1:] > 0 if filled and asked.source is not None else None
    return {name: values.nanmean().item() for name, values in likeness(images, asked.image, hole).items()}


def figures_of_reconstructions(
    generator: Generator, evaluator: Evaluator, shown: Dataset, train: Tensor
) -> dict[str, tuple[float, float, float, str]]:
    """By name the value of reconstructions, the floor (the images themselves), the baseline, and what reaches it.

    The baseline is the better of two: the decoded mean of all latents, and the mean image of `train` `[M,C,*S]`.
    """
    latents, given = encode(generator, shown.image), decoding_condition(generator.config, shown.label, shown.attributes)
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
    blind = {name: max((latent[name], "mean latent"), (image[name], "mean training image")) for name in own}
    return {name: (value, themselves[name], *blind[name]) for name, value in own.items()}
