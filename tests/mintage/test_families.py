import json
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch

from mintage import catalog
from mintage.damage import Damage
from mintage.dataset import Signature
from mintage.families import FAMILIES, resolve, variants
from mintage.latents import draw
from mintage.model_config import ModelConfig, inverting_config, model_config
from mintage.players import build_generator, build_players
from mintage.randomness import stream
from mintage.rules import refusal
from tests.mintage.helpers import SOUNDS, first_for, source_shape_for, words_for


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains_on_labeled_images_by_its_name_alone(family: str) -> None:
    shapes: dict[str, list[tuple[int, ...]]]
    shapes = {"gan3d": [(1, 20, 8, 8), (3, 20, 80, 80)], **{name: [(1, 64), (2, 16_384)] for name in SOUNDS}}
    for shape, batch_size in zip(shapes.get(family, [(1, 8, 8), (3, 48, 80)]), (64, 8), strict=True):
        for variant in variants(family):
            recipe = resolve(family, {"batch_size": batch_size}, variant)
            source, damage = source_shape_for(recipe, shape), Damage("masked")
            real = Signature(shape, ("a", "b"), ("x", "y"), source, damage, ("d", "e"), words_for(recipe))
            real = replace(real, first=first_for(recipe, real))
            assert refusal(recipe, real) is None


def test_an_override_replaces_one_axis_and_null_keeps_the_familys() -> None:
    recipe = resolve(
        "acgan", {"network": "mlp", "objective": None, "generator": {"learning_rate": 1e-3, "beta1": None}}
    )
    row = FAMILIES["acgan"]
    assert (recipe.network, recipe.objective) == ("mlp", row.objective)
    assert (recipe.generator.learning_rate, recipe.generator.beta1) == (1e-3, row.generator.beta1)
    assert recipe.generator.conditioning == row.generator.conditioning
    assert replace(recipe.discriminator, normalization="network") == row.discriminator


def test_a_player_has_its_networks_normalization_unless_row_or_params_say_otherwise() -> None:
    def norms(family: str, **overrides: Any) -> tuple[str, str]:
        recipe = resolve(family, overrides)
        return recipe.generator.normalization, recipe.discriminator.normalization

    assert norms("cgan") == ("batch", "batch")
    assert norms("cgan", network="mlp") == ("batch", "none")
    assert norms("cgan", network="resnet") == ("batch", "spectral")
    assert norms("wgan_gp", network="resnet") == ("batch", "layer")
    assert norms("cgan", discriminator={"normalization": "instance"}) == ("batch", "instance")


def test_a_penalty_without_a_weight_has_its_papers_and_an_empty_list_is_none() -> None:
    recipe = resolve("dcgan", {"penalties": [{"name": "wgan_gp"}, {"name": "r1", "weight": 0.5, "interval": 16}]})
    assert [(p.name, p.weight, p.interval) for p in recipe.penalties] == [("wgan_gp", 10.0, 1), ("r1", 0.5, 16)]
    assert resolve("modern", {"penalties": []}).penalties == ()
    assert [p.name for p in resolve("modern", {"penalties": None}).penalties] == ["r1", "r2"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_generator_is_built_again_from_its_json_config_and_weights(family: str) -> None:
    recipe, shape = resolve(family, {"width": 4}), (1, 64) if family in SOUNDS else (1, 12, 10)
    source, words = source_shape_for(recipe, shape), words_for(recipe)
    about = (["a", "b"], ["x", "y", "z"], source)
    first = first_for(recipe, Signature(shape, ("a", "b"), ("x", "y", "z")))
    config = model_config(recipe, shape, *about, domains=["d", "e"], vocabulary=words, first=first)
    if first is not None and catalog.load("game", recipe.game).inverts:
        config = inverting_config(recipe, first, about[0])
    generator, _ = build_players(config, seed=0)
    asked = torch.rand(4, *config.source_shape) if config.source_shape else torch.zeros(4, dtype=torch.long)
    asked = torch.ones(4, 3) if config.attributes and not config.joins_attributes else asked
    generator(draw(config, 4, stream(1, "test")), asked)
    again = build_generator(json.loads(json.dumps(asdict(config))), generator.state_dict())
    assert again.config == config
    latents, condition = draw(config, 4, stream(0, "test")), asked if config.generator_conditioning != "none" else None
    assert torch.equal(again(latents, condition), generator.eval()(latents, condition))
    for domain, direction in generator.directions.items():
        assert torch.equal(again.directions[domain](latents, condition), direction(latents, condition))


def test_weights_that_do_not_fit_the_config_are_refused() -> None:
    config = model_config(resolve("dcgan", {"width": 4}), (1, 12, 10), None)
    generator, _ = build_players(config, seed=0)
    other = asdict(ModelConfig(**{**asdict(config), "width": 8}))
    with pytest.raises(RuntimeError, match="size mismatch"):
        build_generator(other, generator.state_dict())


def test_first_weights_depend_on_the_seed_alone() -> None:
    config = model_config(resolve("cgan", {"width": 4}), (1, 8, 8), ["a", "b"])
    torch.manual_seed(1)
    first = build_players(config, seed=5)[0].state_dict()
    torch.manual_seed(2)
    again = build_players(config, seed=5)[0].state_dict()
    other = build_players(config, seed=6)[0].state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
