import json
from dataclasses import asdict
from typing import get_args

import pytest
import torch

from gan.families import FAMILIES, model_config, refusal, resolve
from gan.networks import NETWORKS
from gan.objectives import OBJECTIVES
from gan.players import ModelConfig, build_generator, build_players
from stages.common.params import Train


def names_in_params(key: str) -> set[str]:
    """The names that params.yaml allows for a key of `train`."""
    annotation = Train.model_fields[key].annotation
    literals = [a for a in (annotation, *get_args(annotation)) if all(isinstance(v, str) for v in get_args(a))]
    return {name for literal in literals for name in get_args(literal)}


@pytest.mark.parametrize(("key", "known"), [("family", FAMILIES), ("network", NETWORKS), ("objective", OBJECTIVES)])
def test_params_allow_exactly_what_there_is(key: str, known: dict[str, object]) -> None:
    assert names_in_params(key) == set(known)


def test_an_override_replaces_one_axis_and_null_keeps_the_familys() -> None:
    recipe = resolve(
        "cgan", {"network": "dcgan", "objective": None, "generator": {"learning_rate": 1e-3, "beta1": None}}
    )
    row = FAMILIES["cgan"]
    assert (recipe.network, recipe.objective, recipe.conditioning) == ("dcgan", row.objective, row.conditioning)
    assert (recipe.generator.learning_rate, recipe.generator.beta1) == (1e-3, row.generator.beta1)
    assert recipe.discriminator == row.discriminator


@pytest.mark.parametrize(("classes", "reason"), [(None, "has none"), (["only"], "at least two classes")])
def test_a_conditional_family_is_refused_on_data_it_cannot_learn_from(classes: list[str] | None, reason: str) -> None:
    assert reason in (refusal(resolve("cgan", {}), classes) or "")
    assert refusal(resolve("dcgan", {}), classes) is None
    assert refusal(resolve("cgan", {}), ["a", "b"]) is None


@pytest.mark.parametrize("family", FAMILIES)
def test_a_generator_is_built_again_from_its_json_config_and_weights(family: str) -> None:
    config = model_config(resolve(family, {"width": 4}), (1, 12, 10), ["a", "b"])
    generator, _ = build_players(config, seed=0)
    again = build_generator(json.loads(json.dumps(asdict(config))), generator.state_dict())
    assert again.config == config
    latents, labels = torch.randn(3, config.latent_size), torch.tensor([0, 1, 1])
    condition = labels if config.conditional else None
    assert torch.equal(again(latents, condition), generator.eval()(latents, condition))


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
