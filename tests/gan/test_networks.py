import pytest
import torch
from torch import nn

from gan.networks import NETWORKS, dcgan

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 48, 80), (4, 9, 13)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_generator_makes_exactly_the_asked_shape_in_minus_one_to_one(name: str, shape: tuple[int, int, int]) -> None:
    generator = NETWORKS[name].Generator(12, shape, width=4)
    images = generator(torch.randn(3, 12))
    assert images.shape == (3, *shape)
    assert images.abs().max() <= 1


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_pixel_reaches_the_discriminators_features(name: str, shape: tuple[int, int, int]) -> None:
    """Floor division would leave out the last row or column of an odd side."""
    torch.manual_seed(0)
    discriminator = NETWORKS[name].Discriminator(shape, width=4).eval()
    images = torch.randn(1, *shape, requires_grad=True)
    features = discriminator(images)
    assert features.shape == (1, discriminator.feature_size)
    features.square().sum().backward()
    assert images.grad is not None
    assert (images.grad != 0).all()


def test_dcgan_feature_maps_follow_ceiling_division() -> None:
    assert dcgan.sizes(28, 28) == [(28, 28), (14, 14), (7, 7), (4, 4)]
    assert dcgan.sizes(8, 8) == [(8, 8), (4, 4), (2, 2)]
    assert dcgan.sizes(48, 80) == [(48, 80), (24, 40), (12, 20), (6, 10), (3, 5), (2, 3)]


def test_dcgan_at_64_has_the_papers_sizes_and_channels() -> None:
    generator = dcgan.Generator(100, (3, 64, 64), width=128)
    assert generator.base == (1024, 4, 4)
    assert [m.convolution.out_channels for m in generator.modules() if isinstance(m, dcgan.Up)] == [512, 256, 128, 3]


def test_dcgan_has_no_batch_norm_in_the_discriminators_first_layer_and_the_generators_last() -> None:
    discriminator = list(dcgan.Discriminator((3, 32, 32), width=8).layers)
    generator = list(dcgan.Generator(10, (3, 32, 32), width=8).layers)
    assert isinstance(discriminator[1], nn.LeakyReLU)
    assert isinstance(generator[-2], dcgan.Up)
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in discriminator) == 2
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in generator) == 3


@pytest.mark.parametrize("name", NETWORKS)
def test_batch_norm_keeps_the_standard_eps_and_momentum(name: str) -> None:
    """`BatchNorm2d(channels, 0.8)`, much copied, sets eps to 0.8."""
    players = [NETWORKS[name].Generator(10, (1, 16, 16), 8), NETWORKS[name].Discriminator((1, 16, 16), 8)]
    norms = [m for p in players for m in p.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert norms
    assert {(m.eps, m.momentum) for m in norms} == {(1e-5, 0.1)}


def test_dcgan_weights_start_as_the_paper_says() -> None:
    torch.manual_seed(0)
    discriminator = dcgan.Discriminator((3, 32, 32), width=64)
    weights = torch.cat([m.weight.flatten() for m in discriminator.modules() if isinstance(m, nn.Conv2d)])
    assert abs(weights.mean()) < 1e-3
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)
