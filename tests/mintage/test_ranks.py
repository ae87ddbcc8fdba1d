"""Samples of one, two and three axes go through one code: `[C,T]`, `[C,H,W]`, `[C,D,H,W]`."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import mintage
from mintage import catalog
from mintage.augment import augment
from mintage.data import RealImages
from mintage.dataset import Dataset
from mintage.families import resolve
from mintage.layers import Layers
from mintage.randomness import stream
from mintage.rules import refusal
from mintage.streaming import Blocks, StreamedImages

SIZES = [(24,), (12, 9), (9, 8, 10)]
TINY = {"width": 4, "latent_size": 6, "batch_size": 8}


def noise(count: int, *shape: int) -> Tensor:
    return torch.rand(count, *shape, generator=stream(0, "test")) * 2 - 1


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    "changes", [{}, {"generator": {"resampling": "smooth"}, "discriminator": {"resampling": "smooth"}}]
)
def test_samples_of_any_rank_are_made_saved_and_made_again(
    size: tuple[int, ...], changes: dict[str, object], tmp_path: Path
) -> None:
    data = Dataset(noise(20, *size), torch.arange(20) % 2, rank=len(size))
    facts = {"generator": {"conditioning": "concat"}, "discriminator": {"conditioning": "concat"}}
    recipe = TINY | {name: facts.get(name, {}) | changes.get(name, {}) for name in facts}  # type: ignore[operator]
    model = mintage.train(data, "dcgan", images=32, recipe=recipe, progress=False).model
    made = model.sample(5, seed=1)
    assert made.shape == (5, 1, *size)
    assert made.abs().max() <= 1
    model.save(tmp_path)
    assert torch.equal(mintage.load(tmp_path).sample(5, seed=1), made)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_training_of_any_rank_that_was_cut_short_goes_on_to_the_same_bits(
    size: tuple[int, ...], tmp_path: Path
) -> None:
    data = Dataset(noise(20, *size), rank=len(size))
    recipe = TINY | {"pool": 16, "augment": ["translation", "cutout", "mirrors"]}
    whole = mintage.train(data, "dcgan", images=64, recipe=recipe, progress=False).model
    mintage.train(data, "dcgan", images=24, recipe=recipe, folder=tmp_path, progress=False)
    resumed = mintage.train(data, "dcgan", images=64, recipe=recipe, folder=tmp_path, progress=False).model
    assert torch.equal(resumed.sample(4), whole.sample(4))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("conditioning", ["concat", "product", "repeat", "projection"])
def test_a_discriminator_of_any_rank_is_told_a_class(size: tuple[int, ...], conditioning: str) -> None:
    data = Dataset(noise(16, *size), torch.arange(16) % 2, rank=len(size))
    recipe = TINY | {"discriminator": {"conditioning": conditioning}, "generator": {"conditioning": "plane"}}
    run = mintage.train(data, "dcgan", images=16, recipe=recipe, progress=False)
    assert run.model.sample(2, label="1").shape == (2, 1, *size)


def test_a_rank_says_which_axis_is_which() -> None:
    assert Dataset(noise(3, 4, 5)).shape == (1, 4, 5)
    assert Dataset(noise(3, 2, 20), rank=1).shape == (2, 20)
    assert Dataset(noise(3, 2, 4, 5)).shape == (2, 4, 5)
    assert Dataset(noise(3, 2, 4, 5), rank=3).shape == (1, 2, 4, 5)
    assert Dataset(noise(3, 2, 4, 5, 6)).shape == (2, 4, 5, 6)


@pytest.mark.parametrize(
    ("shape", "rank", "sentence"),
    [
        ((3, 4), None, r"give \[N,C,H,W\], or \[N,H,W\]"),
        ((3, 4, 5, 6), 1, r"give \[N,C,T\], or \[N,T\]"),
        ((3, 4, 5), 3, r"give \[N,C,D,H,W\], or \[N,D,H,W\]"),
        ((0, 4, 5, 6), 3, r"give \[N,C,D,H,W\]"),
        ((3, 4, 0, 6), 3, r"give \[N,C,D,H,W\]"),
        ((3, 4, 5), 4, "rank = 4: give 1"),
    ],
)
def test_axes_that_do_not_fit_the_rank_are_refused(shape: tuple[int, ...], rank: int | None, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Dataset(torch.zeros(shape), rank=rank)


def test_occupied_places_are_1_and_empty_ones_minus_1() -> None:
    assert Dataset(torch.tensor([[[[True, False]]]]), rank=3).image.flatten().tolist() == [1, -1]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("network", catalog.BUILT_IN["network"])
def test_a_network_is_refused_for_other_ranks_than_its_own(network: str, size: tuple[int, ...]) -> None:
    fits = len(size) in catalog.load("network", network).ranks
    reason = refusal(resolve("dcgan", {"network": network}), Dataset(noise(4, *size), rank=len(size)).signature)
    assert ("number of axes" in (reason or "")) == (not fits)


def test_pairs_of_volumes_are_refused_where_the_network_is_of_pictures_and_translated_elsewhere() -> None:
    pairs = Dataset(noise(8, 1, 8, 8, 8), source=noise(8, 1, 8, 8, 8))
    with pytest.raises(ValueError, match="number of axes"):
        mintage.train(pairs, "srgan", images=8, progress=False)
    recipe = {"width": 4, "batch_size": 4}
    model = mintage.train(pairs, "pix2pix", images=8, recipe=recipe, progress=False).model
    assert model.translate(pairs.source).shape == (8, 1, 8, 8, 8)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("normalization", ["batch", "instance", "layer"])
def test_norms_of_any_rank_have_the_mean_0_and_the_variance_1(size: tuple[int, ...], normalization: str) -> None:
    normed = Layers(normalization, rank=len(size)).norm(3)(5 + 2 * noise(6, 3, *size))
    over = {"batch": [0, *range(2, 2 + len(size))], "instance": [*range(2, 2 + len(size))]}
    axes = over.get(normalization, [*range(1, 2 + len(size))])
    assert normed.mean(axes).abs().max() < 1e-5
    assert (normed.var(axes, unbiased=False) - 1).abs().max() < 1e-3


def test_a_volume_is_turned_about_its_upright_axis_or_mirrored_and_nothing_else() -> None:
    volume = torch.arange(1.0, 3 * 4 * 4 + 1).view(1, 1, 3, 4, 4)
    turned = augment(volume.expand(300, -1, -1, -1, -1), ["turns"], stream(0, "test"))
    found = [next(k for k in range(4) if torch.equal(one, volume[0].rot90(k, (-2, -1)))) for one in turned]
    shares = torch.bincount(torch.tensor(found), minlength=4) / 300
    assert shares.tolist() == pytest.approx([1 / 2, 1 / 6, 1 / 6, 1 / 6], abs=0.08)
    mirrored = augment(volume.expand(300, -1, -1, -1, -1), ["mirrors"], stream(0, "test"))
    left = [torch.equal(one, volume[0].flip(-1)) for one in mirrored]
    assert all(flipped or torch.equal(one, volume[0]) for flipped, one in zip(left, mirrored, strict=True))
    assert sum(left) / 300 == pytest.approx(1 / 4, abs=0.08)


def test_translation_moves_a_volume_whole() -> None:
    volume = torch.zeros(60, 1, 16, 16, 16)
    volume[:, :, 8, 8, 8] = 1
    moved = augment(volume, ["translation"], stream(0, "test"))
    assert (moved.flatten(1).sum(1) == 1).all()
    places = moved.nonzero()[:, 2:]
    assert places.min() == 6
    assert places.max() == 10


def test_volumes_that_are_streamed_are_those_in_memory() -> None:
    volumes = noise(12, 1, 4, 4, 4)
    blocks = Blocks([4, 4, 4], lambda number: volumes[4 * number : 4 * number + 4])
    streamed = StreamedImages(blocks, None, 4, 0, torch.device("cpu"))
    images, _ = streamed.batch(0, 12)
    assert torch.equal(images.flatten(1).sort(0).values, volumes.flatten(1).sort(0).values)
    assert RealImages(volumes, None, 0, torch.device("cpu")).batch(0, 5)[0].shape == (5, 1, 4, 4, 4)


@pytest.mark.parametrize("size", [(32,), (8, 8, 8)], ids=str)
@pytest.mark.parametrize("classes", [None, ("a", "b")])
def test_samples_of_any_rank_are_measured_beside_their_floor(
    size: tuple[int, ...], classes: tuple[str, ...] | None
) -> None:
    label = None if classes is None else torch.arange(60) % 2
    data = Dataset(noise(60, *size), label, classes, rank=len(size))
    model = mintage.train(data, "dcgan", images=32, recipe=TINY, progress=False).model
    table = mintage.measure(model, data, evaluator_images=256)
    assert table["frechet_distance"].value > table["frechet_distance"].floor


@pytest.mark.parametrize("size", [(16,), (8, 8, 8)], ids=str)
@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("gan", {}),
        ("lsgan", {"packing": 2}),
        ("wgan", {}),
        ("wgan_gp", {"minibatch_stddev": 4}),
        ("dragan", {"instance_noise": 0.1, "mixed_batches": True}),
        ("acgan", {"generator": {"dropout": 0.2, "initialization": "orthogonal"}}),
        ("cgan", {"network": "mlp"}),
        ("began", {"network": "dcgan"}),
        ("ssgan", {"network": "dcgan"}),
        ("sngan_projection", {"network": "dcgan"}),
        ("infogan", {"network": "dcgan", "accumulation": 2}),
    ],
)
def test_games_losses_and_penalties_ask_for_no_rank(
    family: str, changes: dict[str, object], size: tuple[int, ...]
) -> None:
    data = Dataset(noise(16, *size), torch.arange(16) % 2, rank=len(size))
    run = mintage.train(data, family, images=16, recipe=TINY | changes, progress=False)
    assert run.model.sample(2).shape == (2, 1, *size)
