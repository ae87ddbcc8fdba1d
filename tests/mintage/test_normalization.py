from typing import get_args

import pytest
import torch
from torch import nn

from mintage.layers import Layers, Norm, average_into
from mintage.recipes import Normalization


@pytest.mark.parametrize(("name", "over"), [("batch", (0, 2, 3)), ("layer", (1, 2, 3)), ("instance", (2, 3))])
def test_a_norm_gives_mean_0_and_variance_1_over_its_own_dimensions(name: str, over: tuple[int, ...]) -> None:
    maps = 3 * torch.randn(5, 4, 6, 7) + torch.arange(4.0).view(1, 4, 1, 1)
    normalized = Layers(name).norm(4)(maps)
    assert torch.allclose(normalized.mean(over), torch.zeros(()), atol=1e-5)
    assert torch.allclose(normalized.var(over, correction=0), torch.ones(()), atol=1e-3)


@pytest.mark.parametrize("name", ["none", "spectral"])
def test_without_a_norm_activations_pass_unchanged(name: str) -> None:
    maps = torch.randn(2, 4, 3, 3)
    assert torch.equal(Layers(name).norm(4)(maps), maps)


@pytest.mark.parametrize("name", ["none", "layer", "instance"])
def test_all_norms_but_batch_norm_treat_each_image_alone(name: str) -> None:
    norm, maps = Layers(name).norm(4), torch.randn(3, 4, 5, 5)
    assert torch.allclose(norm(maps)[:1], norm(maps[:1]), atol=1e-6)
    assert not torch.allclose(Layers("batch").norm(4)(maps)[:1], norm(maps[:1]), atol=1e-2)


@pytest.mark.parametrize("name", get_args(Normalization)[1:])
def test_a_modulation_scales_and_shifts_each_image_by_its_own_condition(name: str) -> None:
    norm = Layers(name, modulation_size=2).norm(1)
    assert norm.modulate is not None
    with torch.no_grad():
        norm.modulate.weight.copy_(
            torch.tensor([[1.0, 0.0], [0.0, 5.0]])
        )  # condition 0 scales by 2, condition 1 shifts
    maps = torch.randn(2, 1, 4, 4)
    plain = norm(maps, torch.zeros(2, 2))
    scaled = norm(maps, torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    assert torch.allclose(scaled[0], 2 * plain[0])
    assert torch.allclose(scaled[1], plain[1] + 5)


def test_spectral_normalization_bounds_the_slope_of_every_layer_by_one() -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(12, 9), nn.Linear(9, 5)]
    player = nn.Sequential(layers[0], nn.ReLU(), layers[1])
    with torch.no_grad():
        layers[0].weight.mul_(50)
    Layers("spectral").constrain(player)
    for _ in range(30):  # each step of training refines the estimate
        player(torch.randn(2, 12))
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, abs=1e-3)


def test_spectral_normalization_leaves_a_modulation_as_small_as_it_starts() -> None:
    player = nn.Sequential(Layers("batch", modulation_size=3).norm(4), nn.Linear(4, 4))
    Layers("spectral_batch").constrain(player)
    norm = player[0]
    assert isinstance(norm, Norm)
    assert norm.modulate is not None
    assert norm.modulate.weight.std() < 0.1


def test_an_average_moves_weights_and_statistics_but_copies_counts_and_singular_vectors() -> None:
    torch.manual_seed(0)
    players = [nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)) for _ in range(2)]
    for player in players:
        Layers("spectral").constrain(player)
        player(torch.randn(5, 4))
    average, latest = players
    before = {name: tensor.clone() for name, tensor in average.state_dict().items()}
    average_into(average, latest, keep=0.75)
    for name, tensor in average.state_dict().items():
        new = latest.state_dict()[name]
        copied = name.endswith(("_u", "_v", "num_batches_tracked"))
        assert torch.allclose(tensor, new if copied else 0.75 * before[name] + 0.25 * new), name


def test_a_discriminators_batch_norm_keeps_no_statistics_that_the_generators_turn_could_change() -> None:
    norm = Layers("batch", tracks=False).norm(4)
    maps = torch.randn(6, 4, 3, 3)
    trained = norm(maps)
    assert dict(norm.named_buffers()) == {}
    assert torch.equal(norm.eval()(maps), trained)
