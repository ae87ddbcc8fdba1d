"""Two processes with half of each batch against one with all of it."""

from typing import Any

import pytest
import torch
from torch import Tensor

from mintage.families import FAMILIES
from mintage.games import Step
from mintage.trainer import Trainer
from tests.mintage.helpers import play, tiny_trainer
from tests.mintage.pair import in_two_processes

pytestmark = pytest.mark.slow

NO_NORM = {"normalization": "none"}
# Without infogan, whose head always has batch norm: of its own rows in each process.
BY_IMAGE: dict[str, dict[str, Any]] = {
    "an mlp": {"family": "gan", "generator": NO_NORM, "discriminator": NO_NORM},
    "points": {"family": "modern_points", "shape": (1, 1, 2)},
    "relativistic pairs with R1 and R2": {"family": "modern"},
    "a projection": {"family": "modern_conditional"},
    "a gradient penalty between images": {"family": "wgan_gp", "generator": NO_NORM, "discriminator_steps": 1},
    "a gradient penalty around images": {"family": "dragan", "generator": NO_NORM},
    "clipped weights": {"family": "wgan", "generator": NO_NORM, "discriminator": {"normalization": "layer"}},
    "an autoencoder and its balance": {"family": "began", "generator": NO_NORM, "k_rate": 0.1},
    "classes named": {"family": "acgan", "generator": NO_NORM, "discriminator": NO_NORM},
    "few labels told": {"family": "ssgan", "labeled": 0.4, "generator": NO_NORM, "discriminator": NO_NORM},
    "spectral norm": {"family": "sngan", "generator": NO_NORM},
    "packs, augmented": {
        "family": "modern",
        "packing": 2,
        "augment": ["color", "translation", "cutout"],
        "shape": (3, 8, 8),
        "penalties": [{"name": "r1", "interval": 2}],
    },
    "two domains": {"family": "cyclegan", "pool": 0, "generator": NO_NORM, "discriminator": NO_NORM},
    "features first": {"family": "dtn", "pretrain_images": 16, "generator": NO_NORM, "discriminator": NO_NORM},
    "wrong labels": {"family": "cgan", "matching_aware": True, "generator": NO_NORM, "discriminator": NO_NORM},
}
PLAIN = {"optimizer": "sgd", "learning_rate": 0.02}
"""Adam divides by a gradient's size, so that the last bit of one near 0 is a whole step."""


def played(name: str) -> Trainer:
    changes = {key: value for key, value in BY_IMAGE[name].items() if key != "family"}
    for player in ("generator", "discriminator"):
        changes[player] = changes.get(player, {}) | PLAIN
    return play(tiny_trainer(BY_IMAGE[name]["family"], **changes), 4)


def tensors_of(trainer: Trainer) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in trainer.state()[0].items()}


def all_of_them() -> dict[str, dict[str, Tensor]]:
    return {name: tensors_of(played(name)) for name in BY_IMAGE}


def all_families() -> dict[str, dict[str, Tensor]]:
    changes: dict[str, Any] = {"modern_points": {"shape": (1, 1, 2)}, "cyclegan": {"pool": 0}, "travelgan": {"pool": 0}}
    return {family: tensors_of(play(tiny_trainer(family, **changes.get(family, {})), 3)) for family in FAMILIES}


@pytest.fixture(scope="module")
def two() -> list[dict[str, dict[str, Tensor]]]:
    return in_two_processes(all_of_them)


@pytest.mark.parametrize("name", BY_IMAGE)
def test_two_processes_end_where_one_does_but_for_rounding(two: list[dict[str, dict[str, Tensor]]], name: str) -> None:
    one = tensors_of(played(name))
    for key, tensor in two[0][name].items():
        assert torch.equal(tensor, two[1][name][key]), key
        torch.testing.assert_close(tensor, one[key], rtol=1e-3, atol=2e-6)


def test_all_families_are_the_same_bits_in_both_processes_their_batch_statistics_too() -> None:
    first, second = in_two_processes(all_families)
    for family, tensors in first.items():
        assert [name for name, tensor in tensors.items() if not torch.equal(tensor, second[family][name])] == [], family


def statistics_kept() -> list[Tensor]:
    trainer = play(tiny_trainer("dcgan"), 1)
    return [tensor for name, tensor in trainer.state()[0].items() if "running_mean" in name]


def test_the_running_statistics_kept_are_those_of_the_whole_batch() -> None:
    first, _ = in_two_processes(statistics_kept)
    alone = statistics_kept()
    torch.testing.assert_close(first[0], alone[0], rtol=1e-4, atol=1e-6)  # of the first layer: its input is the same


def images_shown() -> list[Tensor]:
    trainer = tiny_trainer("gan")
    return [trainer.real.batch(*Step(0, 8 * turn, 8).rows)[0] for turn in range(8)]


def test_both_see_the_images_of_one_process_in_its_order() -> None:
    shares = in_two_processes(images_shown)
    whole = [torch.cat(halves) for halves in zip(*shares, strict=True)]
    assert torch.equal(torch.stack(whole), torch.stack(images_shown()))
