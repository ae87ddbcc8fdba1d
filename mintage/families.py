"""Families as rows: a paper's name for one choice on each axis.

A row is the recipe for the budget of a laptop: tens or hundreds of thousands of images, minutes on a CPU. Rates of
papers are for a hundred times longer runs; where a row differs from its paper, the paper's own values stand in
`VARIANTS["paper"]`, as overrides of the row, and `lecture` is the experiment of the lecture deck.
"""

from dataclasses import replace
from typing import Any

from mintage.recipes import PlayerRecipe, Recipe, override, penalty, with_normalization

# Five times the rate of SNGAN's paper, for one step of the discriminator in place of five: at 32,000 digits the
# generator then makes 500 steps, not 100, and the accuracy is 0.99, not chance.
_SNGAN = PlayerRecipe(learning_rate=1e-3, beta1=0.0, beta2=0.9)
# Five times the paper's rate, which is for batches of 512 and millions of images.
_R3GAN = PlayerRecipe(learning_rate=1e-3, beta1=0.0, beta2=0.99)
# The authors' weights for small images are 0.05 to 0.5, falling to a tenth. At every fourth step, since a penalty costs
# more than the rest of the step.
_R3GAN_PENALTIES = tuple(penalty(name, weight=0.1, interval=4, last=0.1) for name in ("r1", "r2"))
_CRITIC = PlayerRecipe(normalization="layer", learning_rate=5e-4, beta1=0.0, beta2=0.9)
_POINTS = PlayerRecipe(learning_rate=2e-3, beta1=0.5, beta2=0.99)
_RMSPROP = PlayerRecipe(optimizer="rmsprop", learning_rate=5e-4, beta2=0.99)
_BEGAN = PlayerRecipe(learning_rate=1e-3)
_CODE = PlayerRecipe(auxiliary_weight=0.1)

FAMILIES = {
    "gan": Recipe("Goodfellow et al. 2014", network="mlp", width=256),
    "dcgan": Recipe("Radford et al. 2016", network="dcgan", width=32),
    # The network of InfoGAN's paper, for images of 28 pixels: two halvings and a fully connected layer. In 100 CPU
    # seconds of Fashion-MNIST (AVX2, float32) it reaches a Frechet distance of 6.9, DCGAN's network 18.5.
    "cgan": Recipe(
        "Mirza and Osindero 2014",
        network="infogan",
        width=32,
        decay_images=500_000,
        generator=PlayerRecipe("concat", learning_rate=5e-4),
        discriminator=PlayerRecipe("concat", learning_rate=5e-4),
    ),
    "lsgan": Recipe("Mao et al. 2017", network="dcgan", width=32, objective="least_squares"),
    "wgan": Recipe(
        "Arjovsky et al. 2017",
        network="dcgan",
        width=32,
        objective="wasserstein",
        penalties=(penalty("clipping"),),
        generator=_RMSPROP,
        discriminator=_RMSPROP,
    ),
    "wgan_gp": Recipe(
        "Gulrajani et al. 2017",
        network="dcgan",
        width=32,
        objective="wasserstein",
        penalties=(penalty("wgan_gp"),),
        generator=replace(_CRITIC, normalization="batch"),
        discriminator=_CRITIC,
    ),
    "dragan": Recipe(
        "Kodali et al. 2017",
        network="dcgan",
        width=32,
        penalties=(penalty("dragan"),),
        discriminator=PlayerRecipe(normalization="layer"),
    ),
    # At the paper's gamma of 0.5 and k_rate of 0.001 the first thousands of steps make one image (diversity 0.07 of
    # real images'), since k has yet to move; so it is 0.7 after 200 CPU seconds of Fashion-MNIST, and still blurred.
    "began": Recipe(
        "Berthelot et al. 2017",
        network="began",
        width=8,
        batch_size=16,
        objective="began",
        gamma=0.9,
        k_rate=0.02,
        latent_size=32,
        latent_distribution="uniform",
        generator=_BEGAN,
        discriminator=_BEGAN,
    ),
    "acgan": Recipe(
        "Odena et al. 2017",
        network="dcgan",
        width=32,
        generator=PlayerRecipe("concat"),
        discriminator=PlayerRecipe("auxiliary"),
    ),
    "infogan": Recipe(
        "Chen et al. 2016",
        network="infogan",
        width=32,
        latent_size=62,
        latent_distribution="uniform",
        generator=replace(_CODE, learning_rate=1e-3),
        discriminator=replace(_CODE, conditioning="code"),
    ),
    # The loss of classes counts twice, since the authors halve that of real and fake.
    "ssgan": Recipe(
        "Salimans et al. 2016",
        network="dcgan",
        width=32,
        labelled=0.1,
        discriminator=PlayerRecipe("semi_supervised", auxiliary_weight=2.0),
    ),
    "sngan": Recipe(
        "Miyato et al. 2018",
        network="resnet",
        width=16,
        batch_size=32,
        objective="hinge",
        generator=_SNGAN,
        discriminator=_SNGAN,
    ),
    "sngan_projection": Recipe(
        "Miyato and Koyama 2018",
        network="resnet",
        width=16,
        batch_size=32,
        objective="hinge",
        generator=replace(_SNGAN, conditioning="batch_norm"),
        discriminator=replace(_SNGAN, conditioning="projection"),
    ),
    "biggan": Recipe(
        "Brock et al. 2019",
        network="biggan",
        width=16,
        objective="hinge",
        orthogonal=1e-4,
        generator=PlayerRecipe("shared_batch_norm", learning_rate=1e-3, beta1=0.0),
        discriminator=PlayerRecipe("projection", learning_rate=1e-3, beta1=0.0),
    ),
    "modern": Recipe(
        "Huang et al. 2024",
        network="r3gan",
        width=8,
        batch_size=32,
        objective="relativistic",
        penalties=_R3GAN_PENALTIES,
        latent_size=64,
        decay_images=500_000,
        ema_half_life=500_000,
        generator=_R3GAN,
        discriminator=_R3GAN,
    ),
    # Modes a hundredth of the range wide need slopes that a penalty of the usual weight forbids.
    "modern_points": Recipe(
        "Huang et al. 2024",
        network="points",
        width=64,
        objective="relativistic",
        penalties=(penalty("r1", weight=0.02), penalty("r2", weight=0.02)),
        latent_size=2,
        decay_images=3_000_000,
        ema_half_life=50_000,
        generator=_POINTS,
        discriminator=_POINTS,
    ),
    "modern_conditional": Recipe(
        "Huang et al. 2024",
        network="r3gan",
        width=8,
        batch_size=32,
        objective="relativistic",
        penalties=_R3GAN_PENALTIES,
        latent_size=64,
        decay_images=500_000,
        ema_half_life=500_000,
        generator=replace(_R3GAN, conditioning="concat"),
        discriminator=replace(_R3GAN, conditioning="projection"),
    ),
}


def _both(**values: Any) -> dict[str, Any]:
    """The same values for either player."""
    return {"generator": values, "discriminator": values}


# R3GAN's for 32 x 32 (its configuration for CIFAR-10, without the schedule of beta2).
_HUANG = {
    "width": 64,
    "batch_size": 512,
    "penalties": [{"name": name, "weight": 0.05, "last": 0.1} for name in ("r1", "r2")],
    "decay_images": 10_000_000.0,
    "ema_half_life": 5_000_000.0,
    **_both(learning_rate=2e-4),
}
_MIYATO = {"width": 64, "batch_size": 64, "discriminator_steps": 5, **_both(learning_rate=2e-4)}

VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "paper": {
        "gan": {"batch_size": 100, "discriminator": {"dropout": 0.5}},
        "dcgan": {"batch_size": 128},
        "cgan": {
            "network": "mlp", "width": 200, "batch_size": 100, "decay_images": 0.0,
            **_both(dropout=0.5, learning_rate=2e-4),
        },
        "wgan": {"discriminator_steps": 5, "warm_up": True, **_both(learning_rate=5e-5)},
        "wgan_gp": {"discriminator_steps": 5, **_both(learning_rate=1e-4)},
        "began": {
            "width": 64, "batch_size": 16, "gamma": 0.5, "k_rate": 0.001, "latent_size": 64, **_both(learning_rate=1e-4)
        },
        "acgan": {"batch_size": 100, "discriminator": {"dropout": 0.5}},
        "infogan": {"batch_size": 128, **_both(auxiliary_weight=1.0)},
        "ssgan": {
            "batch_size": 100, "feature_matching": True, "generator": {"learning_rate": 3e-4},
            "discriminator": {"learning_rate": 3e-4, "normalization": "layer"},
        },
        "sngan": _MIYATO,
        "sngan_projection": _MIYATO,
        "biggan": {
            "width": 64, "discriminator_steps": 2, "batch_size": 256, "generator": {"learning_rate": 5e-5},
            "discriminator": {"learning_rate": 2e-4},
        },
        "modern": _HUANG,
        "modern_conditional": _HUANG,
    },
    "lecture": {family: {"batch_size": 32, **_both(learning_rate=1e-4)} for family in ("gan", "dcgan")},
}  # fmt: skip
"""Other recipes of a family, by name: what each has in place of the row's values."""


def resolve(family: str, overrides: dict[str, Any], variant: str = "short") -> Recipe:
    """The recipe of a family: its row (`short`), or another variant of it, with every override that is not None."""
    recipe = FAMILIES[family]
    if variant != "short":
        recipe = override(recipe, VARIANTS[variant][family])
    return with_normalization(override(recipe, overrides))
