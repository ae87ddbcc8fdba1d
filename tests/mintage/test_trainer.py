from typing import Any

import pytest
import torch

from mintage.errors import DivergedError
from mintage.families import FAMILIES
from mintage.optimizers import without_compiler
from mintage.slots import slots_of
from mintage.trainer import Trainer
from tests.mintage.helpers import play, tiny_trainer
from tests.programs import printed_by

AXES: list[dict[str, Any]] = [
    {"network": "mlp"},
    {"network": "dcgan"},
    *({"family": family} for family in FAMILIES),
    {
        "family": "dcgan",
        "augment": ["translation", "cutout"],
        "packing": 2,
        "penalties": [{"name": "r1", "interval": 2}],
        "discriminator": {"normalization": "layer"},
    },
    {"matching_aware": True, "decay_images": 64, "generator": {"optimizer": "rmsprop", "conditioning": "plane"}},
    {"discriminator_steps": 2, "objective": "minimax", "latent_distribution": "uniform", "label_smoothing": 0.1},
    {"generator": {"optimizer": "sgd", "momentum": 0.9}, "discriminator": {"optimizer": "sgd"}},
    {"family": "dcgan", "pool": 12, "accumulation": 2, "discriminator_steps": 2},
    {"family": "cgan", "accumulation": 4, "generator": {"dropout": 0.3, "dropout_in_use": True, "activation": "gelu"}},
    {"network": "dcgan", "precision": torch.bfloat16},
    {"family": "biggan", "precision": torch.bfloat16},
]


def bits(trainer: Trainer) -> dict[str, bytes]:
    return {name: tensor.contiguous().numpy().tobytes() for name, tensor in trainer.state()[0].items()}


@pytest.mark.parametrize("axes", AXES, ids=str)
def test_a_resumed_training_ends_in_the_same_bits_as_one_never_stopped(axes: dict[str, Any]) -> None:
    straight = play(tiny_trainer(**axes), 8)
    first = play(tiny_trainer(**axes), 3)
    tensors, facts = first.state()
    saved = {
        name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }  # as a file has them
    play(first, 2)  # what was saved does not change with what goes on
    second = tiny_trainer(**axes)
    second.load(saved, facts)
    play(second, 5)
    assert bits(second) == bits(straight)
    assert second.images_seen == straight.images_seen
    assert second.summarize() == straight.summarize()


def test_two_runs_end_in_the_same_bits_and_another_seed_does_not() -> None:
    assert bits(play(tiny_trainer(), 4)) == bits(play(tiny_trainer(), 4))
    assert bits(play(tiny_trainer(), 4)) != bits(play(tiny_trainer(seed=1), 4))


def test_a_state_holds_both_optimizers_and_the_average() -> None:
    """Lost optimizer or EMA state shows only as a worse model."""
    names = set(play(tiny_trainer(), 1).state()[0])
    for part in ("generator.network", "average.generator.network", "discriminator.network"):
        assert any(name.startswith(f"engine.{part}") for name in names)
    for part in ("generator_optimizer.0.exp_avg", "discriminator_optimizer.0.exp_avg_sq", "generator_optimizer.0.step"):
        assert f"engine.{part}" in names


def test_a_state_of_another_game_is_not_loaded() -> None:
    tensors, facts = play(tiny_trainer(network="mlp"), 1).state()
    with pytest.raises(RuntimeError):
        tiny_trainer(network="dcgan").load(tensors, facts)


def test_a_row_of_the_history_is_the_mean_since_the_row_before() -> None:
    trainer, other = tiny_trainer(), tiny_trainer()
    each = [other.engine.turn(other.real, 8, 8 * turn, 0) for turn in range(3)]
    row = play(trainer, 3).summarize()
    assert row["images"] == 24
    for name in each[0]:
        assert row[name] == pytest.approx(sum(values[name].item() for values in each) / 3, rel=1e-5)


def test_multiples_of_an_interval_are_noticed_once_each_even_when_crossed() -> None:
    trainer = tiny_trainer()
    noticed = []
    for _ in range(10):
        trainer.turn()
        noticed += [trainer.images_seen] if trainer.passed(20) else []
    assert noticed == [24, 40, 64, 80]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_with_its_name_and_place(bad: float) -> None:
    trainer = play(tiny_trainer(), 1)
    with torch.no_grad():
        next(trainer.game.generator.parameters()).fill_(bad)
    play(trainer, 1)
    with pytest.raises(DivergedError, match="discriminator_loss is nan at 16 images"):
        trainer.summarize()


@pytest.mark.parametrize("part", ["generator", "average.generator", "discriminator", "objective"])
def test_a_weight_that_is_not_finite_stops_before_any_loss_shows_it(part: str) -> None:
    trainer = play(tiny_trainer("began"), 1)
    trainer.check()
    state = trainer.engine.state()
    tensors = [t for name, t in state.items() if name.startswith(f"{part}.") and t.is_floating_point()]
    tensors[-1].fill_(float("inf"))
    with pytest.raises(DivergedError, match=rf"{part}\..* is not finite at 8 images"):
        trainer.check()


def test_a_training_and_its_measures_do_without_torch_s_compiler_whose_import_takes_seconds() -> None:
    code = """
import sys, torch, mintage
data = mintage.Dataset(image=torch.rand(64, 1, 8, 8) * 2 - 1, label=torch.arange(64) % 2)
for optimizer in ("adam", "sgd", "rmsprop"):
    players = {name: {"optimizer": optimizer} for name in ("generator", "discriminator")}
    run = mintage.train(data, "cgan", images=128, recipe={"width": 4, **players}, progress=False)
mintage.measure(run.model, data, evaluator_images=128)
assert "torch._dynamo" not in sys.modules
"""
    printed_by("-c", code)


def test_an_optimizer_without_the_compiler_takes_the_steps_of_torch_s_own() -> None:
    kinds: list[tuple[Any, dict[str, Any]]] = [
        (torch.optim.Adam, {"fused": True, "betas": (0.5, 0.9)}),
        (torch.optim.AdamW, {"fused": True, "weight_decay": 0.1}),
        (torch.optim.SGD, {"fused": True, "momentum": 0.9, "nesterov": True}),
        (torch.optim.RMSprop, {"momentum": 0.5}),
    ]
    for kind, options in kinds:
        found = []
        for make in (kind, without_compiler(kind)):
            weights = [torch.linspace(-1, 1, 12).reshape(3, 4).requires_grad_()]
            optimizer = make(weights, lr=0.01, **options)
            for step in range(3):
                optimizer.zero_grad()
                torch.autograd.backward((weights[0] - step).pow(4).sum())
                optimizer.step()
            found.append((weights[0].detach(), slots_of(optimizer)))
        assert torch.equal(found[0][0], found[1][0])
        assert found[0][1].keys() == found[1][1].keys()
