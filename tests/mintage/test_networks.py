from collections.abc import Callable

import pytest
import torch
from torch import nn

from mintage import catalog
from mintage.layers import Layers, Modulation, Norm
from mintage.networks import Network, biggan, dcgan, infogan, melody, midinet, r3gan
from mintage.networks.parts import Up, sizes

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 48, 80), (4, 9, 13)]
BATCH = Layers("batch")


def default(name: str, player: int) -> Layers:
    return Layers(catalog.load("network", name).normalization[player])


OF_IMAGES = [name for name in catalog.BUILT_IN["network"] if name not in catalog.WRITING]


def stirred(network: nn.Module) -> nn.Module:
    """With the weights that start at 0, by which a block at first changes nothing, set to something."""
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            if not weight.any():
                weight.normal_(0, 0.1)
    return network


def networks(wanted: Callable[[Network], bool] = lambda network: True) -> list[str]:
    """Those that make images of noise alone, and of which that is true; a second stage is in test_stacked."""
    found = {name: catalog.load("network", name) for name in OF_IMAGES}
    return [name for name, network in found.items() if not (network.translates or network.stacks) and wanted(network)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", networks())
def test_a_generator_makes_exactly_the_asked_shape_in_minus_one_to_one(name: str, shape: tuple[int, int, int]) -> None:
    generator = stirred(catalog.load("network", name).generator(12, shape, 4, default(name, 0)))
    images = generator(torch.randn(3, 12))
    assert images.shape == (3, *shape)
    assert images.abs().max() <= 1


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", OF_IMAGES)
def test_every_pixel_reaches_the_discriminators_features(name: str, shape: tuple[int, int, int]) -> None:
    """Floor division would leave out the last row or column of an odd side."""
    discriminator = stirred(catalog.load("network", name).discriminator(shape, 4, Layers("none")))
    images = torch.randn(2, *shape, requires_grad=True)
    features = discriminator(images)
    assert features.shape[1] == discriminator.feature_size
    assert (len(features) > 2) == catalog.load("network", name).patches
    features.square().sum().backward()
    assert images.grad is not None
    assert (images.grad != 0).all()


@pytest.mark.parametrize("name", networks(lambda network: network.has_maps and network is not melody.NETWORK))
def test_every_place_of_a_generators_image_depends_on_the_latent_and_on_a_plane(name: str) -> None:
    generator = catalog.load("network", name).generator(12, (3, 9, 13), 16, Layers("none"), plane_size=5).double()
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in generator.parameters():
            weight.normal_(0, 0.1)
    latents, planes = torch.randn(16, 12).double(), torch.randn(16, 5).double()
    images = generator(latents, None, planes)
    assert (generator(latents + 1, None, planes) != images).any(0).all()
    assert (generator(latents, None, planes + 1) != images).any(0).all()


@pytest.mark.parametrize("name", networks(lambda network: network.has_norms))
def test_a_modulation_reaches_every_norm_of_a_generator_that_has_norms(name: str) -> None:
    generator = catalog.load("network", name).generator(12, (1, 12, 10), 4, Layers("batch", modulation_size=5))
    first, second = (generator(torch.ones(4, 12), m).detach() for m in (torch.zeros(4, 5), torch.full((4, 5), 100.0)))
    assert not torch.equal(first, second)
    modulated = [norm for norm in generator.modules() if isinstance(norm, Norm) and norm.modulate is not None]
    generator(torch.randn(4, 12), torch.ones(4, 5)).sum().backward()
    assert len(modulated) >= 2
    assert all(norm.modulate.weight.grad is not None for norm in modulated if norm.modulate is not None)


def test_feature_maps_follow_ceiling_division() -> None:
    assert sizes(28, 28) == [(28, 28), (14, 14), (7, 7), (4, 4)]
    assert sizes(8, 8) == [(8, 8), (4, 4), (2, 2)]
    assert sizes(48, 80) == [(48, 80), (24, 40), (12, 20), (6, 10), (3, 5), (2, 3)]


def test_dcgan_at_64_has_the_papers_sizes_and_channels() -> None:
    generator = dcgan.Generator(100, (3, 64, 64), 128, BATCH)
    assert generator.stem.base == (1024, 4, 4)
    assert [m.convolution.out_channels for m in generator.modules() if isinstance(m, Up)] == [512, 256, 128, 3]


def test_dcgan_has_no_batch_norm_in_the_discriminators_first_layer_and_the_generators_last() -> None:
    discriminator = list(dcgan.Discriminator((3, 32, 32), 8, BATCH).layers)
    generator = list(dcgan.Generator(10, (3, 32, 32), 8, BATCH).layers)
    assert isinstance(discriminator[1], nn.LeakyReLU)
    assert isinstance(generator[-2], Up)
    assert sum(isinstance(layer, Norm) for layer in discriminator) == 2
    assert sum(isinstance(layer, Norm) for layer in generator) == 3


@pytest.mark.parametrize("name", OF_IMAGES)
def test_batch_norm_keeps_the_standard_eps_and_momentum(name: str) -> None:
    """`BatchNorm2d(channels, 0.8)`, much copied, sets eps to 0.8."""
    network = catalog.load("network", name)
    beside = (1, 16, 16) if network.translates else 0
    of_first = {"first_shape": (1, 8, 8)} if network.stacks else {}
    generator = network.generator(10, (1, 16, 16), 8, BATCH, beside, **of_first)
    players = [generator, network.discriminator((1, 16, 16), 8, BATCH)]
    norms = [m for p in players for m in p.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert bool(norms) == network.has_norms
    assert {(m.eps, m.momentum) for m in norms} <= {(1e-5, 0.1)}


def test_dcgan_weights_start_as_the_paper_says() -> None:
    torch.manual_seed(0)
    discriminator = dcgan.Discriminator((3, 32, 32), 64, BATCH)
    weights = torch.cat([m.weight.flatten() for m in discriminator.modules() if isinstance(m, nn.Conv2d)])
    assert abs(weights.mean()) < 1e-3
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)


def test_midinet_takes_all_pitches_of_a_step_as_channels_of_one_place_in_time() -> None:
    torch.manual_seed(0)
    generator, discriminator = midinet.Generator(6, (1, 16, 24), 8, BATCH), midinet.Discriminator((1, 16, 24), 8, BATCH)
    shapes = [tuple(weight.shape) for weight in discriminator.parameters() if weight.ndim == 3]
    assert shapes[0] == (8, 24, 4), "filters of every pitch at four steps"
    generator.eval()
    made, by_sound = generator(torch.ones(1, 6)), generator.along_time(torch.ones(1, 6))
    assert torch.equal(made[0, 0, :, 5], by_sound[0, 5].tanh()), "pitch 5 is the sixth channel"


@pytest.mark.parametrize("shape", [(1, 16, 24), (3, 12, 10)])
def test_a_bar_of_one_voice_has_one_pitch_or_none_at_each_step_of_a_channel(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    made = melody.Generator(6, shape, 8, BATCH)(100 * torch.randn(64, 6))
    assert made.shape == (64, *shape)
    assert made.unique().tolist() == [-1, 1]
    assert ((made > 0).sum(-1) <= 1).all()
    assert (made != made[0]).any(-1).any(0).all(), "every step depends on the latent"


def test_a_note_goes_on_until_another_begins_and_the_first_begins_at_once() -> None:
    said = [(-1, 2), (-1, 0), (1, 0), (-1, 4), (1, 4), (-1, 2), (1, 2), (1, 1)]  # whether a note begins, and which
    begins = torch.tensor([[[float(begin), 0.0] for begin, _ in said]])
    pitches = torch.nn.functional.one_hot(torch.tensor([[note for _, note in said]]), 5).float()
    heard = melody.melody(begins, pitches)
    assert [step.nonzero().flatten().tolist() for step in heard[0]] == [[2], [2], [0], [0], [], [], [2], [1]]


def test_what_a_melody_teaches_reaches_each_choice_as_if_it_were_soft() -> None:
    logits = torch.randn(50, 5, requires_grad=True)
    weights = torch.randn(50, 5)
    for choice in (melody.chosen(logits), logits.softmax(-1)):
        (gradient,) = torch.autograd.grad((choice * weights).sum(), logits)
        torch.testing.assert_close(gradient, torch.autograd.grad((logits.softmax(-1) * weights).sum(), logits)[0])
    said = [torch.randn(64, 16, logits, requires_grad=True) for logits in (2, 25)]
    taught = torch.autograd.grad((melody.melody(*said) * torch.randn(64, 16, 24)).sum(), said)
    for gradient in taught:
        assert (gradient[:, 1:].abs().sum((0, 2)) > 0).all()
    assert [(gradient[:, 0] == 0).all().item() for gradient in taught] == [True, False], "the first begins anyway"


def test_the_discriminator_of_melodies_hears_the_same_intervals_in_any_key() -> None:
    heard = torch.zeros(1, 6, 24)
    for step, pitch in ((0, 3), (1, 3), (2, 7), (4, 7), (5, 20)):
        heard[0, step, pitch] = 1
    intervals = melody.intervals(heard)
    assert torch.equal(intervals, melody.intervals(heard.roll(3, -1)))
    assert [(step, place - 12) for _, step, place in intervals.nonzero().tolist()] == [(1, 0), (2, 4)], "13 is too wide"


def test_the_end_of_the_bar_before_lies_where_the_new_one_begins() -> None:
    torch.manual_seed(0)
    generator = midinet.Following(6, (1, 16, 24), 8, BATCH, (1, 16, 24)).eval()
    discriminator = midinet.JudgeOfBoth((2, 16, 24), 8, Layers("none"))
    first = discriminator.along_time.layers[0]
    heard: list[torch.Tensor] = []
    for layer in (generator.remember[0], first):
        layer.register_forward_hook(lambda _, __, maps: heard.append(maps))
    with torch.no_grad():
        for last in (0.0, 1.0):
            before = torch.zeros(1, 1, 16, 24)
            before[0, 0, -1] = last
            generator(before, torch.ones(1, 6))
            discriminator(torch.cat([torch.zeros_like(before), before], dim=1))
    by_generator, by_discriminator = (
        (one - other).abs().sum((0, 1)).nonzero().flatten().tolist()
        for one, other in ((heard[0], heard[2]), (heard[1], heard[3]))
    )
    assert (by_generator, by_discriminator) == ([0], [0])


def test_infogans_net_has_the_layers_of_lucic_et_al_at_28() -> None:
    generator = infogan.Generator(62, (1, 28, 28), 64, BATCH)
    discriminator = infogan.Discriminator((1, 28, 28), 64, BATCH)
    linear = [m.out_features for m in generator.modules() if isinstance(m, nn.Linear)]
    assert linear == [1024, 128 * 7 * 7]
    assert [m.convolution.out_channels for m in generator.modules() if isinstance(m, Up)] == [64, 1]
    assert [m.out_channels for m in discriminator.modules() if isinstance(m, nn.Conv2d)] == [64, 128]
    assert discriminator.feature_size == 1024


def test_each_part_of_biggans_latent_reaches_its_own_block() -> None:
    generator = biggan.Generator(12, (1, 8, 8), 4, BATCH)
    latents = torch.randn(4, 12)
    for part in range(3):
        changed = latents.clone()
        changed[:, 4 * part : 4 * part + 4] += 1
        assert not torch.equal(generator(latents), generator(changed))
    sizes_of = [m.in_features for m in generator.modules() if isinstance(m, Modulation)]
    assert sizes_of == [4, 4, 4, 4]  # two norms in each of two blocks


def test_attention_changes_nothing_at_the_start_and_lets_every_place_see_every_other() -> None:
    torch.manual_seed(0)
    attention = biggan.Attention(8)
    maps = torch.randn(1, 8, 5, 7, requires_grad=True)
    assert torch.equal(attention(maps), maps)
    with torch.no_grad():
        attention.amount.fill_(1.0)
    attention(maps)[0, :, 0, 0].sum().backward()
    assert maps.grad is not None
    assert (maps.grad != 0).any(1).sum() > 8  # the pooled keys and values come from all over the map


@pytest.mark.parametrize("blocks", [1, 3])
def test_a_residual_block_without_normalization_starts_as_the_identity(blocks: int) -> None:
    maps = torch.randn(2, 8, 4, 4)
    assert torch.equal(r3gan.Block(8, blocks)(maps), maps)


def test_the_discriminator_of_points_tells_detail_that_a_plain_one_does_not_yet_see() -> None:
    """At their first weights, over a hundredth of the range: by what sines and cosines add to the slope."""
    torch.manual_seed(0)
    points = (torch.rand(400, 1, 1, 2) * 2 - 1).requires_grad_()
    slopes = []
    for name in ("points", "mlp"):
        features = catalog.load("network", name).discriminator((1, 1, 2), 32, Layers("none"))(points)
        (slope,) = torch.autograd.grad(features.sum(), points)
        slopes.append((slope.norm() / features.detach().norm()).item())
    assert slopes[0] > 3 * slopes[1]
