"""The cross product of all axes: each combination trains, or is refused with its reason."""

import os
from typing import Any

import pytest

from mintage.recipes import TermRecipe
from tests.mintage.combinations import (
    AXES,
    BETWEEN_DOMAINS,
    COMPARING,
    COUPLING,
    IN_STAGES,
    POINT,
    TRANSFERRING,
    TRANSLATING,
    TRANSLATORS,
    WRITING,
    Covering,
    Row,
    covering,
    reasons,
    trains,
)

GRAY = (1, 8, 8)
CYCLE = (TermRecipe("cycle", 1.0),)


def every_row_trains(found: Covering) -> None:
    for row in found.rows:
        try:
            trains(row)
        except Exception as error:
            raise AssertionError(f"this neither trains nor is refused: {row}") from error
    print(f"\nby {found.strength}: {len(found.rows)} combinations trained; ", end="")
    print(f"{len(found.refused)} sets of {found.strength} values refused, each with its reason")


def test_every_two_values_of_the_axes_train_together_or_are_refused_with_a_reason() -> None:
    every_row_trains(covering(2))


@pytest.mark.slow
@pytest.mark.skipif("MINTAGE_THOROUGH" not in os.environ, reason="MINTAGE_THOROUGH is not set: an hour")
def test_every_three_values_of_the_axes_train_together_or_are_refused_with_a_reason() -> None:
    every_row_trains(covering(3))


def test_two_values_are_refused_only_where_they_themselves_do_not_go_together() -> None:
    """Else a combination that trains could hide behind a third value that does not."""
    refused = covering(2).refused
    pairs = {frozenset(axis for axis, _ in values) for values in refused}
    assert len(refused) < 175
    assert frozenset({"network", "objective"}) not in pairs
    assert frozenset({"network", "discriminator.conditioning"}) not in pairs
    of_losses = [dict(values) for values in refused if {axis for axis, _ in values} == {"penalties", "objective"}]
    assert {row["penalties"] for row in of_losses} == {("roth",)}


def row(**values: Any) -> Row:
    plain = {axis: choices[0] for axis, choices in AXES.items()} | {"objective": "non_saturating"}
    return plain | {name.replace("__", "."): value for name, value in values.items()}


OF_LAYERS = [
    {f"{player}__{axis}": value for player in ("generator", "discriminator")}
    for axis, values in {
        "activation": ("relu", "leaky_relu", "elu", "gelu", "silu"),
        "initialization": ("normal", "xavier", "kaiming", "orthogonal"),
        "resampling": ("smooth",),
    }.items()
    for value in values
]


def values_alone(fixed: Row) -> list[Row]:
    """Each value of an axis that the row leaves open, but for those of the plain row."""
    axes = {axis: values for axis, values in AXES.items() if axis not in {*fixed, "shape"}}
    return [{axis: value} for axis, values in axes.items() for value in values[1:]]


def every_value_trains(fixed: Row, values: list[Row], at_least: int = 0) -> None:
    """Each value that no rule refuses in the row trains, in as few rows as hold them all."""
    left = [value for value in values if not reasons(row(**fixed | value))]
    assert len(left) >= at_least
    trains(row(**fixed))
    while left:
        held: Row = {}
        for value in left:
            if not held.keys() & value.keys() and not reasons(row(**fixed | held | value)):
                held |= value
        trains(row(**fixed | held))
        left = [value for value in left if not value.items() <= held.items()]


@pytest.mark.parametrize("network", AXES["network"])
def test_every_network_trains_with_every_kind_of_layer_or_refuses_it(network: str) -> None:
    shape = POINT if network == "points" else (3, 12, 10)
    every_value_trains({"network": network, "shape": shape}, OF_LAYERS)


@pytest.mark.parametrize("network", TRANSLATORS)
def test_every_value_of_an_axis_goes_with_a_source_or_is_refused_with_a_reason(network: str) -> None:
    translating = TRANSLATING | {"network": network} | IN_STAGES.get(network, {})
    every_value_trains(translating, values_alone(translating), at_least=35)


@pytest.mark.parametrize(
    "between",
    [BETWEEN_DOMAINS | {"terms": CYCLE}, TRANSFERRING, COMPARING],
    ids=["cycle", "transfer", "siamese"],
)
def test_every_value_of_an_axis_goes_with_two_domains_or_is_refused_with_a_reason(between: Row) -> None:
    every_value_trains(between, values_alone(between), at_least=18)


def test_every_value_of_an_axis_goes_with_layers_of_each_domain_s_own_or_is_refused_with_a_reason() -> None:
    every_value_trains(COUPLING, values_alone(COUPLING), at_least=35)


@pytest.mark.parametrize("likeness", ["features", "pixels"])
def test_every_value_of_an_axis_goes_with_an_encoder_or_is_refused_with_a_reason(likeness: str) -> None:
    encoding = ENCODING | {"likeness": likeness}
    shapes = [{"shape": shape} for shape in AXES["shape"][1:]]
    every_value_trains(encoding, values_alone(encoding) + shapes, at_least=13)


def test_every_value_of_an_axis_goes_with_words_or_is_refused_with_a_reason() -> None:
    of_six = WRITING | {"shape": (1, 1, 6)}
    every_value_trains(of_six, values_alone(of_six), at_least=9)


ENCODING: dict[str, Any] = {"game": "autoencoding"}
WRONG = [
    row(**WRITING | {"vocabulary": None}),
    row(vocabulary=("a", "b")),
    row(**WRITING | {"game": "adversarial"}),
    row(**WRITING, generator__conditioning="concat", discriminator__conditioning="concat"),
    row(**WRITING, objective="hinge"),
    row(**WRITING | {"latent_distribution": "normal"}),
    row(**WRITING, generator__dropout=0.5),
    row(**WRITING, augment=("translation",)),
    row(**WRITING, discriminator__activation="elu"),
    row(roll_outs=2),
    row(**ENCODING, generator__conditioning="concat", discriminator__conditioning="concat"),
    row(**ENCODING, latent_distribution="uniform"),
    row(**ENCODING, objective="began"),
    row(**ENCODING, generator_steps=2),
    row(likeness="pixels"),
    row(**ENCODING, objective="hinge", margin=0.4),
    row(**ENCODING, likeness="pixels", margin=0.4),
    row(**ENCODING, likeness="pixels", discriminator__learning_rate=0.1),
    row(game="unpaired", terms=CYCLE),
    row(**COUPLING | {"game": "adversarial"}),
    row(**COUPLING | {"network": "dcgan"}),
    row(**COUPLING, packing=2),
    row(terms=CYCLE),
    row(**BETWEEN_DOMAINS),
    row(**BETWEEN_DOMAINS, terms=(*CYCLE, TermRecipe("l1", 1.0))),
    row(**BETWEEN_DOMAINS, terms=CYCLE, discriminator__conditioning="code"),
    row(**BETWEEN_DOMAINS, terms=CYCLE, objective="began"),
    row(**COMPARING | {"terms": CYCLE}),
    row(**COMPARING | {"terms": (TermRecipe("travel", 1.0),)}),
    row(**COMPARING | {"terms": ()}),
    row(**COMPARING | {"game": "unpaired"}),
    row(**TRANSFERRING | {"network": "encoder_decoder"}),
    row(**TRANSFERRING | {"discriminator.conditioning": "none"}),
    row(**TRANSFERRING | {"pretrain_images": 0}),
    row(**TRANSFERRING, label_smoothing=0.1),
    row(**TRANSFERRING, labeled=0.5),
    row(**BETWEEN_DOMAINS, terms=(TermRecipe("constancy", 1.0),)),
    row(**BETWEEN_DOMAINS, terms=CYCLE, soft_labels=0.3),
    row(**BETWEEN_DOMAINS, terms=(*CYCLE, TermRecipe("features", 1.0)), discriminator__normalization="batch"),
    row(generator__conditioning="concat"),
    row(discriminator__conditioning="projection"),
    row(matching_aware=True),
    row(generator__conditioning="concat", discriminator__conditioning="concat", labeled=0.5),
    row(condition="attributes"),
    row(joint_attributes=True),
    row(code_continuous=3),
    row(objective="hinge", targets=(-1.0, 1.0, 0.0)),
    row(objective="wasserstein"),
    row(penalties=("wgan_gp",), discriminator__normalization="batch"),
    row(penalties=("clipping",), discriminator__normalization="spectral"),
    row(penalties=("clipping",), network="points", discriminator__normalization="batch"),
    row(penalties=("clipping",), network="mlp", shape=POINT, discriminator__normalization="batch"),
    row(penalties=("clipping",), discriminator__normalization="none"),
    row(penalties=("clipping",), discriminator__normalization="batch", generator__optimizer="sgd"),
    row(
        penalties=("clipping",),
        discriminator__normalization="batch",
        generator__conditioning="concat",
        discriminator__conditioning="product",
    ),
    row(objective="hinge", label_smoothing=0.1),
    row(objective="hinge", soft_labels=0.3),
    row(label_smoothing=0.1, soft_labels=0.3),
    row(objective="hinge", penalties=("roth",)),
    row(objective="wasserstein", penalties=("wgan_gp",), balance=0.8),
    row(packing=2, mixed_batches=True),
    row(minibatch_stddev=2, mixed_batches=True),
    row(generator__nesterov=True),
    row(discriminator__momentum=0.5),
    row(feature_matching=True, discriminator__normalization="batch"),
    row(feature_matching=True, objective="began"),
    row(terms=(TermRecipe("features", 1.0),), discriminator__normalization="batch"),
    row(terms=(TermRecipe("features", 1.0),), objective="began", discriminator__normalization="none"),
    row(network="resnet", discriminator__dropout=0.5),
    row(objective="hinge", discriminator__conditioning="semi_supervised"),
    row(objective="began", discriminator__conditioning="code"),
    row(generator__conditioning="batch_norm", discriminator__conditioning="concat"),
    row(generator__conditioning="plane", discriminator__conditioning="concat"),
    row(generator__normalization="instance"),
    row(network="r3gan", generator__normalization="batch"),
    row(augment=("color",)),
    row(packing=2, discriminator__conditioning="code"),
    row(minibatch_stddev=3),
    row(minibatch_stddev=4, discriminator__conditioning="code"),
    row(minibatch_stddev=4, objective="began"),
    row(pool=16, generator__conditioning="concat", discriminator__conditioning="concat"),
    row(pool=16, mixed_batches=True),
    row(pool=4),
    row(network="resnet", generator__activation="elu"),
    row(network="r3gan", generator__initialization="xavier"),
    row(network="resnet", generator__resampling="smooth"),
    row(discriminator__dropout=0.5, discriminator__dropout_in_use=True),
    row(generator__dropout_in_use=True),
    row(condition="attributes", discriminator__conditioning="semi_supervised"),
    row(network="unet"),
    row(network="unet", generator__conditioning="source"),
    row(discriminator__conditioning="source"),
    row(redrawn=True),
    row(**BETWEEN_DOMAINS, terms=CYCLE, condition="attributes"),
    row(residual=True),
    row(blend=0.2),
    row(**TRANSLATING, terms=(TermRecipe("spectrum", 1.0),)),
    row(pretrain_images=64),
    row(**TRANSLATING | {"network": "coarse_to_fine"}),
    row(game="autoencoding", network="stacked"),
    row(game="inversion", objective="hinge"),
    row(**TRANSLATING | {"discriminator.conditioning": "hole"}),
    row(terms=(TermRecipe("l1", 1.0),)),
    row(latent_size=0),
    row(**TRANSLATING, latent_size=0, latent_distribution="uniform"),
    row(**TRANSLATING, augment=("translation",)),
    row(**TRANSLATING, packing=2),
    row(**TRANSLATING, mixed_batches=True),
    row(**TRANSLATING, objective="began"),
    row(shape=POINT, network="dcgan"),
    row(shape=POINT, augment=("translation",)),
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_wrong_combination_is_refused_for_one_reason(wrong: Row) -> None:
    assert len(reasons(wrong)) == 1
