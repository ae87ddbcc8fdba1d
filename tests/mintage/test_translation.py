"""Image to image: pairs, a U-Net, patches, and how near a translation is to its truth."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import mintage
from mintage.damage import Damage
from mintage.dataset import Dataset, Signature
from mintage.families import resolve
from mintage.layers import Layers
from mintage.metrics.pairs import (
    absolute_error,
    chroma_error,
    hole_psnr,
    luminance_correlation,
    psnr,
    retrieval,
    ssim,
)
from mintage.networks.patches import Discriminator, halvings
from mintage.networks.unet import Generator
from mintage.paired_figures import pair_figures
from mintage.rules import refusal
from mintage.streaming import Blocks, StreamedImages, open_images
from tests.mintage.helpers import CPU, step, tiny_trainer

BATCH_NORM, NO_NORM = Layers("batch"), Layers("none")


def strokes(count: int, side: int = 16, seed: int = 0) -> Tensor:
    """Dark images `[N,1,side,side]`, each with a bright bar or two."""
    random = torch.Generator().manual_seed(seed)
    images = torch.full((count, 1, side, side), -0.9)
    for image in images:
        for _ in range(2):
            top, left = torch.randint(side - 4, (2,), generator=random).tolist()
            image[:, top : top + 4, left : left + 2] = 0.9
    return images


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (20, 12), (9, 17), (64, 64)])
@pytest.mark.parametrize("vector_size", [0, 5])
def test_a_unet_makes_an_image_of_any_size_of_a_source_of_another_number_of_channels(
    size: tuple[int, int], vector_size: int
) -> None:
    network = Generator(vector_size, (3, *size), 4, BATCH_NORM, (1, *size))
    made = network(torch.rand(2, 1, *size), torch.randn(2, vector_size))
    assert made.shape == (2, 3, *size)
    assert made.abs().max() <= 1


def test_what_source_and_image_share_goes_around_the_narrowest_map() -> None:
    network = Generator(0, (1, 32, 32), 4, NO_NORM, (1, 32, 32))
    source = torch.rand(1, 1, 32, 32)
    for layer in network.encoder[-1:]:  # what the narrowest map says is lost
        layer.register_forward_hook(lambda _, __, maps: torch.zeros_like(maps))
    one, other = (network(shown, torch.empty(1, 0)) for shown in (source, -source))
    assert not torch.allclose(one, other)


@pytest.mark.parametrize(("side", "reach"), [(32, 16), (64, 34), (128, 70)])
def test_a_patch_reaches_as_far_as_in_the_paper(side: int, reach: int) -> None:
    network = Discriminator((1, side, side), 4, NO_NORM)
    image = torch.rand(1, 1, side, side, requires_grad=True)
    places = round(math.sqrt(len(network(image))))
    middle = network(image)[places * (places // 2) + places // 2].sum()
    (gradient,) = torch.autograd.grad(middle, image)
    rows = gradient[0, 0].abs().sum(1).nonzero()
    assert rows.max() - rows.min() + 1 == reach


def test_patches_come_in_the_order_of_their_images() -> None:
    network = Discriminator((1, 16, 16), 4, NO_NORM)
    images = torch.rand(3, 1, 16, 16)
    together = network(images)
    assert torch.allclose(together, torch.cat([network(image[None]) for image in images]), atol=1e-6)
    assert network.feature_size == together.shape[1]
    assert halvings(16, 16) == 1


def test_it_learns_to_translate_pictures_it_has_not_seen() -> None:
    images, held_out = strokes(200, side=8), strokes(40, side=8, seed=1)
    pairs = mintage.Dataset(image=images, source=-images)
    recipe = {
        "width": 4,
        "batch_size": 16,
        "ema_half_life": 100.0,
        "generator": {"learning_rate": 5e-3, "dropout": 0.0},
    }
    model = mintage.train(pairs, "pix2pix", images=2_000, recipe=recipe, progress=False).model
    made = model.translate(-held_out)
    assert made.shape == held_out.shape
    error, baseline = (absolute_error(shown, held_out).mean().item() for shown in (made, -held_out))
    assert error < 0.2 * baseline


def test_the_same_picture_is_translated_the_same_alone_and_among_others() -> None:
    images = strokes(70)
    pairs = mintage.Dataset(image=images, source=-images)
    recipe = {"width": 4, "latent_size": 3}
    model = mintage.train(pairs, "pix2pix", images=640, recipe=recipe, progress=False).model
    assert torch.equal(model.translate(images)[:5], model.translate(images[:5]))


def test_a_measured_translation_stands_beside_its_source_and_its_truth() -> None:
    images, held_out = strokes(200, side=8), strokes(60, side=8, seed=1)
    pairs, others = (mintage.Dataset(image=one, source=-one) for one in (images, held_out))
    model = mintage.train(pairs, "pix2pix", images=1_280, recipe={"width": 4}, progress=False).model
    table = mintage.measure(model, others, pairs, evaluator_images=2_000)
    assert table["l1"].baseline == pytest.approx(1.8)
    assert [table[name].floor for name in ("l1", "psnr", "ssim")] == pytest.approx([0, 100, 1])
    assert 0 < table["l1"].value < 1.8
    assert table["frechet_distance"].baseline is not None
    assert "sources themselves: 1.8" in str(table["l1"])


def test_each_image_comes_with_its_own_source_whole_or_by_windows() -> None:
    images = torch.rand(90, 2, 4, 4)
    pieces = torch.split(images, 10)
    blocks = Blocks([10] * 9, lambda block: pieces[block], lambda block: -pieces[block])
    for real in (open_images(blocks, None, None, 0, CPU), StreamedImages(blocks, None, 20, 0, CPU)):
        for position in (0, 35, 80):
            shown, sources = real.batch(position, 25)
            assert sources is not None
            assert torch.equal(sources, -shown)
        sources = real.conditions_of(torch.tensor([88, 3]))
        assert sources is not None
        assert torch.equal(sources, -images[[88, 3]])
        labels = torch.arange(90)
        shown, numbers = real.relabeled(labels, 1).batch(70, 40)
        assert numbers is not None
        assert torch.equal(shown, images[numbers])


def test_a_pair_of_a_picture_and_another_s_source_is_a_negative_where_that_is_asked_for() -> None:
    plain, aware = (tiny_trainer("pix2pix", matching_aware=asked) for asked in (False, True))
    shown = [list[tuple[Tensor, Tensor]](), list[tuple[Tensor, Tensor]]()]
    for trainer, seen in zip((plain, aware), shown, strict=True):
        trainer.game.discriminator.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given))
        step(trainer, 0, "discriminator")
    pairs = [
        [(image, source) for images, sources in seen for image, source in zip(images, sources, strict=True)]
        for seen in shown
    ]
    real = [[not torch.equal(image, -source) for image, source in one] for one in pairs]
    assert (len(pairs[0]), len(pairs[1])) == (16, 24)
    assert sum(real[1]) == sum(real[0]) + 8  # the third kind alone is of other pairs


def test_dropout_is_off_where_the_model_is_used() -> None:
    average = tiny_trainer("pix2pix", shape=(1, 32, 32)).average
    sources = torch.rand(2, 1, 32, 32)
    once, again = (average(torch.zeros(2, 6), sources) for _ in range(2))
    assert torch.equal(once, again)


def test_a_model_says_whether_it_samples_or_translates() -> None:
    images = strokes(20, side=8)
    plain = mintage.train(mintage.Dataset(images), "gan", images=64, recipe={"width": 4}, progress=False).model
    pairs = mintage.Dataset(images, source=images)
    translator = mintage.train(pairs, "pix2pix", images=64, recipe={"width": 4}, progress=False).model
    with pytest.raises(ValueError, match="sample"):
        plain.translate(images)
    with pytest.raises(ValueError, match="translate"):
        translator.sample(2)
    with pytest.raises(ValueError, match="the model's are"):
        translator.translate(strokes(2, side=16))
    with pytest.raises(ValueError, match="source"):
        mintage.measure(translator, mintage.Dataset(strokes(60, side=8)))


@pytest.mark.parametrize(
    ("family", "changes", "paired", "sentence"),
    [
        ("pix2pix", {}, False, "learns from pairs"),
        ("pix2pix", {"network": "dcgan"}, True, "network"),
        ("dcgan", {"network": "unet"}, True, "network"),
        ("pix2pix", {"discriminator": {"conditioning": "none"}, "terms": []}, True, "fit its source"),
        ("dcgan", {"discriminator": {"conditioning": "source"}}, True, "both players"),
        ("dcgan", {"terms": [{"name": "l1"}]}, True, "truth"),
        ("dcgan", {"latent_size": 0}, True, "noise"),
        ("pix2pix", {"augment": ["cutout"]}, True, "fits its source"),
        ("pix2pix", {"packing": 2}, True, "patches"),
        ("pix2pix", {"minibatch_stddev": 4}, True, "patches"),
        ("pix2pix", {"mixed_batches": True}, True, "patch"),
        ("pix2pix", {"objective": "began"}, True, "patches"),
    ],
)
def test_what_a_translator_cannot_do_is_refused_with_a_reason(
    family: str, changes: dict[str, Any], paired: bool, sentence: str
) -> None:
    real = Signature((1, 16, 16), source_shape=(1, 16, 16) if paired else None)
    assert sentence in (refusal(resolve(family, changes), real) or "")


def test_the_distance_of_pairs_is_what_the_definitions_say() -> None:
    one = torch.zeros(2, 1, 12, 12)
    other = torch.full_like(one, 0.2)
    assert absolute_error(one, other).tolist() == pytest.approx([0.2, 0.2])
    assert psnr(one, other).tolist() == pytest.approx([10 * math.log10(4 / 0.04)] * 2)
    assert psnr(one, one).tolist() == [100, 100]
    assert ssim(other, other).tolist() == pytest.approx([1, 1])


def test_what_is_filled_in_is_measured_in_the_hole_alone() -> None:
    truths, hole = torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    hole[:, :, 2:6, 2:6] = True
    images = torch.where(hole, 0.2, truths)
    assert hole_psnr(images, truths, hole).tolist() == pytest.approx([10 * math.log10(4 / 0.04)] * 2)
    assert hole_psnr(images + ~hole, truths, hole).tolist() == hole_psnr(images, truths, hole).tolist()
    assert psnr(images, truths).tolist() == pytest.approx([10 * math.log10(4 / 0.01)] * 2)


def test_an_image_without_a_hole_says_nothing_of_what_is_filled_in() -> None:
    images = torch.rand(4, 1, 8, 8) * 2 - 1
    masked = Damage("masked").sources(images, 0, 0)
    masked[1, -1] = -1
    asked, made = Dataset(images, source=masked), images.flip(3)
    seen = torch.tensor([0, 2, 3])
    assert pair_figures(made, asked)["hole_psnr"] == pytest.approx(
        pair_figures(made[seen], asked.rows(seen))["hole_psnr"], abs=1e-4
    )


def test_chroma_is_what_luminance_does_not_tell() -> None:
    random = torch.Generator().manual_seed(0)
    gray, colored = (
        torch.rand(3, 1, 6, 6, generator=random).expand(-1, 3, -1, -1),
        torch.rand(3, 3, 6, 6, generator=random),
    )
    assert chroma_error(gray, gray * 0.5 + 0.1).abs().max() < 1e-6
    assert chroma_error(colored, colored - 0.3).abs().max() < 1e-6
    red = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert chroma_error(red, torch.zeros_like(red)).item() == pytest.approx(
        (0.713 * 1.402 + 0.564 * 0.598) / 2, abs=1e-3
    )


def test_an_image_whose_light_and_dark_are_exchanged_correlates_below_0() -> None:
    images = strokes(5)
    assert luminance_correlation(images, 0.5 * images + 0.2).tolist() == pytest.approx([1] * 5)
    assert luminance_correlation(-images, images).tolist() == pytest.approx([-1] * 5)
    assert luminance_correlation(torch.zeros_like(images), images).tolist() == [0] * 5


def test_a_translation_is_found_by_its_own_truth_and_a_blur_by_any() -> None:
    truths = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    assert retrieval(truths + 0.01, truths) == 1
    assert retrieval(truths.mean(0).expand(50, -1), truths) == pytest.approx(1 / 50)
    assert retrieval(truths.roll(1, 0), truths) == 0


def test_a_blur_of_all_that_a_truth_may_be_scores_as_well_in_pixels_as_a_sharp_guess() -> None:
    """Why pixel errors choose no checkpoint."""
    truths, guesses = strokes(200), strokes(200, seed=1)
    blur = (truths + guesses) / 2
    half_right = torch.where(torch.arange(200).view(-1, 1, 1, 1) % 2 == 0, truths, guesses)
    assert absolute_error(blur, truths).mean() <= 1.1 * absolute_error(half_right, truths).mean()
    assert (blur - truths).square().mean() < (half_right - truths).square().mean()


def test_structural_similarity_is_that_of_its_definition() -> None:
    """Written out for one window of the paper's size."""
    random = torch.Generator().manual_seed(0)
    one, other = (torch.rand(1, 1, 11, 11, generator=random, dtype=torch.float64) * 2 - 1 for _ in range(2))
    places = np.arange(11) - 5
    weights = np.exp(-(places[:, None] ** 2 + places[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    a, b = one[0, 0].numpy(), other[0, 0].numpy()
    mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
    var_a, var_b = (weights * (a - mean_a) ** 2).sum(), (weights * (b - mean_b) ** 2).sum()
    shared = (weights * (a - mean_a) * (b - mean_b)).sum()
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    expected = (2 * mean_a * mean_b + c1) * (2 * shared + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    assert ssim(one, other).item() == pytest.approx(expected, rel=1e-6)
