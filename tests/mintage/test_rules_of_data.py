"""Which data, batches and first stages a recipe cannot learn from, each refused with its reason."""

from dataclasses import replace
from typing import Any

import pytest

from mintage.dataset import Signature
from mintage.families import resolve
from mintage.model_config import ModelConfig, model_config
from mintage.recipes import TermRecipe
from mintage.rules import RULES, refusal
from tests.mintage.combinations import setting
from tests.mintage.test_rules import WRONG

GRAY = (1, 8, 8)
CYCLE = (TermRecipe("cycle", 1.0),)


def why(
    family: str, classes: tuple[str, ...] | None = ("a", "b"), batch_size: int = 8, processes: int = 1, **changes: Any
) -> str:
    return refusal(resolve(family, {"batch_size": batch_size, **changes}), Signature(GRAY, classes), processes) or ""


FIRST = model_config(resolve("cgan", {}), (1, 4, 4), ("a", "b"))


AS_LARGE = model_config(resolve("cgan", {}), GRAY, ("a", "b"))


def why_on(first: ModelConfig | None, family: str = "stackgan", **changes: Any) -> str:
    """Of a second stage on this first one."""
    return refusal(resolve(family, changes), Signature(GRAY, ("a", "b"), first=first)) or ""


OF_DATA = [
    (
        why_on(None),
        "this family stands on a released generator, and none is named: set first to a channel, a release or a folder "
        "of a model, or name a family of one stage, such as cgan",
    ),
    (
        why_on(FIRST, "cgan"),
        "this family has no use of a first stage: leave out first, or set family to stackgan or age_cgan",
    ),
    (
        why_on(model_config(resolve("pix2pix", {}), GRAY, None)),
        "a first stage makes one image from noise, and this one translates, writes words or makes images of two "
        "domains: name another in first",
    ),
    (
        why_on(replace(FIRST, latent_distribution="uniform")),
        "both stages are made of the same latents: set latent_size, latent_distribution and, with a code, "
        "discriminator.conditioning, code_categories and code_continuous as in the first stage's config.json",
    ),
    (
        why_on(replace(FIRST, classes=("b", "a"))),
        "both stages are told the same, and the first one is told the classes b, a; this one the classes a, b: train "
        "the first on these data, and set conditioning and condition alike in both (none, where the first is told "
        "nothing)",
    ),
    (
        why_on(replace(FIRST, image_shape=(3, 4, 4))),
        "images must have as many channels as those of the first stage, and be 1, 2, 4 or 8 times as high and wide: "
        "set channels, height and width so, or name another first stage",
    ),
    (
        why_on(FIRST, "age_cgan"),
        "an encoder reads images as the first stage makes them, and these are of another size or other channels: set "
        "channels, height and width as in its config.json, or name another first stage",
    ),
    (
        why_on(model_config(resolve("infogan", {}), GRAY, ("a", "b")), "age_cgan"),
        "an encoder finds noise alone, and the first stage has an information code: name another in first",
    ),
    (
        why_on(model_config(resolve("vae", {}), GRAY, ("a", "b")), "age_cgan"),
        "the model in first has an encoder already, as a training of this family gives it one (a channel leads to what "
        "was published to it last): name the release of a generator alone",
    ),
    (
        why_on(AS_LARGE, "age_cgan", generator={"conditioning": "concat"}, discriminator={"conditioning": "concat"}),
        "what is told is told to the first stage, and the encoder sees pictures alone: set conditioning of both "
        "players to none",
    ),
    (
        why_on(AS_LARGE, "age_cgan", latent_size=6, likeness="pixels"),
        "an encoder alone learns, which has no such axis: leave latent_size, likeness as the family has it",
    ),
    (
        why_on(AS_LARGE, "age_cgan", discriminator={"learning_rate": 0.01, "width": 8}),
        "an encoder alone learns, which has no such axis: leave discriminator.learning_rate, discriminator.width as "
        "the family has it",
    ),
    (
        why("cgan", None),
        "a conditional family learns from labels, and this data has none: name an unconditional family, such as "
        "infogan (of sounds and volumes dcgan, of points modern_points)",
    ),
    (
        why("ssgan", ("only",)),
        "a conditional family needs at least two classes, and this data has one: name an unconditional family, such as "
        "infogan (of sounds and volumes dcgan, of points modern_points)",
    ),
    (
        why("sngan_attributes"),
        "this family learns from attributes, and this data has none: give attributes, or name another family, such as "
        "infogan",
    ),
    (
        refusal(resolve("cgan", {}), Signature(GRAY, attributes=("hat",))),
        "this data has attributes in place of labels: name a family that learns from them, such as sngan_attributes",
    ),
    (
        why("pix2pix"),
        "a family that translates learns from pairs, and this data has none: give each image a source (its partner), "
        "or name a family that makes images from noise",
    ),
    (
        refusal(resolve("pix2pix", {"residual": True}), Signature((3, 8, 8), source_shape=(2, 8, 8))),
        "nothing of a source is an image to begin as: set residual to false, or give sources of one channel, as many "
        "as the images', or of more, of which these are the first",
    ),
    (
        refusal(resolve("pix2pix", {}), Signature(GRAY, source_shape=(1, 4, 4))),
        "this network makes images as large as their sources, and these sources are of another size: set network to "
        "srresnet, which enlarges them, or family to srgan",
    ),
    (
        refusal(resolve("srgan", {}), Signature(GRAY, source_shape=(1, 3, 3))),
        "images must be 1, 2, 4 or 8 times as high and wide as their sources: give sources of such sides",
    ),
    (
        refusal(resolve("pix2pix", {}), Signature(GRAY, domains=("d", "e"))),
        "this family learns from pairs, and this data has two domains without pairs: name a family such as cyclegan",
    ),
    (
        refusal(resolve("cyclegan", {}), Signature(GRAY, source_shape=GRAY)),
        "this family learns from two domains without pairs, and this data has pairs: name pix2pix, which learns more "
        "from them",
    ),
    (
        why("discogan"),
        "this family learns from images of two domains, and this data has one: give each image's domain to "
        "mintage.Dataset, or name a family that makes images from noise",
    ),
    (
        refusal(resolve("dtn", {}), Signature(GRAY, domains=("d", "e"))),
        "this family learns from the classes of both domains, and this data has none to tell apart: name a family that "
        "needs none, such as cyclegan",
    ),
    (
        refusal(
            resolve("travelgan", {"batch_size": 4, "accumulation": 4}),
            Signature(GRAY, source_shape=GRAY, domains=("d", "e")),
        ),
        "images are compared with each other: raise batch_size, or lower processes or accumulation",
    ),
    (
        why("cogan"),
        "this family learns from images of two domains, and this data has one: give each image's domain to "
        "mintage.Dataset, or name a family that makes images of one kind",
    ),
    (
        refusal(resolve("sngan", {}), Signature((1, 8, 8, 8))),
        "this network is of pictures, and this data has another number of axes (sound has one, a volume three): set "
        "network to dcgan or mlp, or family to gan3d",
    ),
    (
        refusal(resolve("srgan", {}), Signature((1, 512), source_shape=(1, 512))),
        "this network is of pictures, and this data has another number of axes (sound has one, a volume three): set "
        "network to unet, or family to segan",
    ),
    (
        refusal(resolve("dtn", {"terms": []}), Signature(GRAY, ("a", "b"), domains=("d", "e"))),
        "without a term nothing holds a translation to its source: add constancy to terms",
    ),
    (
        why("dcgan", terms=[{"name": "travel"}, {"name": "orthogonal"}, {"name": "identity"}]),
        "images are not translated between two domains here: take travel, identity out of terms, or name a family that "
        "does it, such as cyclegan",
    ),
    (
        why("dcgan", terms=[{"name": "gradient_difference"}]),
        "without pairs no generated image has a truth to be compared with: take gradient_difference out of terms",
    ),
    (
        refusal(resolve("dcgan", {"augment": ["turns"]}), Signature((1, 8, 10))),
        "a quarter turn keeps its shape only where the last two sides are equal: take turns out of augment",
    ),
    (
        why("dcgan", pool=16, processes=2),
        "earlier fakes are kept by one process: set pool to 0, or processes to 1",
    ),
    (
        refusal(resolve("midinet_chords", {}), Signature((1, 16, 24), None, tuple("abcdefghi"))) or "",
        "joint attributes may have 256 combinations, and these have 512: set joint_attributes to false, or leave out "
        "some attributes",
    ),
    (
        why("infogan", code_categories=0, code_continuous=0),
        "an information code needs something to tell: set code_categories or code_continuous",
    ),
    *(
        (found, "a batch must be a whole number of packs: set batch_size to a multiple of packing, times processes")
        for found in (why("dcgan", packing=3), why("modern", packing=4, processes=4))
    ),
    *(
        (found, "batch norm needs two judgments in a batch: raise batch_size, or lower packing or processes")
        for found in (why("dcgan", packing=8), why("dcgan", packing=4, processes=2))
    ),
    (
        why("modern", processes=3),
        "each process takes as many images of each part of a batch: set batch_size to a multiple of processes times "
        "accumulation",
    ),
    (
        why("wgan_gp", processes=8),
        "batch norm needs two images in each process: raise batch_size, or lower processes",
    ),
    (
        why("dcgan", generator={"resampling": "long"}),
        "long convolutions are of sound: set resampling of both players to network",
    ),
    (
        why("dcgan", discriminator={"phase_shuffle": 2}),
        "feature maps of sound alone are moved along time: set discriminator.phase_shuffle to 0",
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=[reason[:60] for _, reason in RULES])
def test_no_rule_is_idle(rule: Any) -> None:
    """Each refuses something that no other does, and says what to do."""
    applies, reason = rule
    assert ": " in reason
    assert any(applies(setting(row)) for row in WRONG) or any(
        why.startswith(reason.partition("{")[0]) for _, why in OF_DATA
    )


@pytest.mark.parametrize(("found", "expected"), OF_DATA)
def test_data_and_batch_that_a_recipe_cannot_learn_from_are_refused(found: str, expected: str) -> None:
    assert found == expected


MANY = tuple(f"class {number}" for number in range(30))
OTHERS = (*MANY[:20], "other", *MANY[21:])


@pytest.mark.parametrize(
    ("first", "classes", "part"),
    [
        (replace(FIRST, classes=None, generator_conditioning="none"), ("a", "b"), "nothing; this one the classes a, b"),
        (replace(FIRST, attributes=("hat",)), ("a", "b"), "the attributes hat; this one the classes a, b"),
        (replace(FIRST, classes=MANY), OTHERS, "..., class 20, class 21"),
        (replace(FIRST, classes=MANY), OTHERS, "(30 in all); this one the classes ..., other"),
    ],
)
def test_what_either_stage_is_told_is_named_of_many_classes_where_they_differ(
    first: ModelConfig, classes: tuple[str, ...], part: str
) -> None:
    assert part in (refusal(resolve("stackgan", {}), Signature(GRAY, classes, first=first)) or "")


def test_an_unconditional_family_trains_on_data_with_any_labels_or_none() -> None:
    for family in ("gan", "dcgan", "wgan_gp", "infogan", "modern", "began"):
        for classes in (None, ("only",), ("a", "b")):
            assert why(family, classes) == ""


def test_a_critic_with_batch_norm_is_refused_a_penalty_on_single_images() -> None:
    assert "batch norm makes a judgment depend on the whole batch" in why(
        "wgan_gp", discriminator={"normalization": "batch"}
    )
