"""The cross product of all axes, and rows of it that hold every few values together at least once."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import combinations, product
from typing import Any, get_args

import torch

from mintage import catalog
from mintage.dataset import Signature
from mintage.families import complete as in_full
from mintage.families import recipe_of
from mintage.recipes import Normalization, PenaltyRecipe, PlayerRecipe, Recipe, TermRecipe
from mintage.rules import RULES
from mintage.setting import Rule, Setting
from tests.mintage.helpers import changed, copies, first_for, play, step, tiny_trainer

Row = dict[str, Any]
Values = frozenset[tuple[str, Any]]
"""Some axes, each with a value."""

COUPLED = ("cogan",)
"""Networks with layers of each domain's own, tried by `COUPLING`."""
EXTRACTING = ("transfer",)
"""Those whose features are learned from classes, tried by `TRANSFERRING`."""
TRANSLATORS = (
    "unet",
    "coarse_to_fine",
    "srresnet",
    "resnet_translator",
    "encoder_decoder",
    "midinet_following",
    "melody_following",
)
WRITERS = ("recurrent",)
POINT = (1, 1, 2)
SHAPES = ((1, 8, 8), (3, 12, 10), POINT)
CLASSES = ("a", "b", "c")
BATCH = 8
AXES: dict[str, tuple[Any, ...]] = {
    "network": tuple(
        name for name in catalog.BUILT_IN["network"] if name not in TRANSLATORS + WRITERS + COUPLED + EXTRACTING
    ),
    "objective": tuple(catalog.BUILT_IN["objective"]),
    "penalties": ((), *((name,) for name in catalog.BUILT_IN["penalty"]), ("r1", "r2")),
    "generator.conditioning": tuple(
        name for name in catalog.BUILT_IN["generator_conditioning"] if name not in ("source", "domain")
    ),
    "discriminator.conditioning": tuple(
        name
        for name in catalog.BUILT_IN["discriminator_conditioning"]
        if name not in ("source", "hole", "domain", "origin")
    ),
    "generator.normalization": get_args(Normalization)[1:],
    "discriminator.normalization": get_args(Normalization)[1:],
    "condition": ("label", "attributes"),
    "joint_attributes": (False, True),
    "matching_aware": (False, True),
    "augment": ((), ("translation",), ("cutout",), ("color",), ("color", "translation", "cutout")),
    "packing": (1, 2),
    "minibatch_stddev": (0, 4),
    "discriminator.hidden": (0, 8),
    "labeled": (1.0, 0.5),
    "feature_matching": (False, True),
    "generator.dropout": (0.0, 0.5),
    "discriminator.dropout": (0.0, 0.5),
    "label_smoothing": (0.0, 0.1),
    "generator.optimizer": tuple(catalog.BUILT_IN["optimizer"]),
    "soft_labels": (0.0, 0.3),
    "flipped_labels": (0.0, 0.25),
    "instance_noise": (0.0, 0.1),
    "mixed_batches": (False, True),
    "generator_steps": (1, 2),
    "shape": SHAPES,
    "precision": (torch.float32, torch.bfloat16),
}
OUTSIDE_RECIPES = {"shape", "precision", "vocabulary"}
TRANSLATING = {"network": "unet", "generator.conditioning": "source", "discriminator.conditioning": "source"}
"""These three go together, and none of them without the others."""
IN_STAGES: dict[str, Row] = {"coarse_to_fine": {"pretrain_images": 8, "terms": (TermRecipe("l1", 1.0),)}}
"""What such a network cannot do without."""
BETWEEN_DOMAINS = {"network": "encoder_decoder", "game": "unpaired", "generator.conditioning": "source"}
"""And these, with a term such as cycle."""
TRANSFERRING: Row = {
    "network": "transfer",
    "game": "transfer",
    "generator.conditioning": "source",
    "discriminator.conditioning": "origin",
    "pretrain_images": 8,
    "terms": (TermRecipe("constancy", 1.0), TermRecipe("identity_squares", 1.0)),
}
"""And these."""
COMPARING: Row = BETWEEN_DOMAINS | {
    "game": "siamese",
    "terms": (TermRecipe("travel", 1.0), TermRecipe("contrast", 1.0)),
}
"""And these."""
COUPLING = {
    "network": "cogan",
    "game": "coupled",
    "generator.conditioning": "domain",
    "discriminator.conditioning": "domain",
}
"""And these."""
WRITING: Row = {
    "network": "recurrent",
    "game": "policy",
    "latent_distribution": "uniform",
    "vocabulary": ("a", "b", "c", "d", "e"),
}
"""And these, the last of the data."""
_TRIES, _TRIES_AGAINST_A_RULE, _DRAWS = 20, 1, 200


def overrides(row: Row) -> dict[str, Any]:
    """What `resolve` makes the row's recipe of, as params.yaml would have it; as small as can be."""
    chosen: dict[str, Any] = {"width": 4, "latent_size": 6, "batch_size": BATCH, "generator": {}, "discriminator": {}}
    for axis in row.keys() - OUTSIDE_RECIPES:
        player, _, name = axis.rpartition(".")
        (chosen[player] if player else chosen)[name] = row[axis]
    if chosen["generator"].get("optimizer") == "sgd":
        chosen["generator"]["learning_rate"] = 0.1  # plain steps of small gradients are lost in a weight's last bit
    terms = [{"name": term.name, "weight": term.weight} for term in row.get("terms", ())]
    return chosen | {"penalties": [{"name": name} for name in row["penalties"]], "terms": terms}


def setting(row: Row) -> Setting:
    """As `overrides` has it, without a look at each value, and in parts that stay: the search asks for very many."""
    chosen: dict[str, dict[str, Any]] = {"": {}, "generator": {}, "discriminator": {}}
    for axis in row.keys() - OUTSIDE_RECIPES:
        player, _, name = axis.rpartition(".")
        chosen[player][name] = row[axis]
    players = {name: _player(name, frozenset(chosen[name].items())) for name in ("generator", "discriminator")}
    penalties = tuple(PenaltyRecipe(name) for name in row["penalties"])
    recipe = replace(_base(), **chosen[""] | {"penalties": penalties} | players)
    complete, real = in_full(recipe), _data(row["shape"], row.get("vocabulary"))
    return Setting(complete, replace(real, first=first) if (first := first_for(complete, real)) else real)


@cache
def _base() -> Recipe:
    return recipe_of("gan", {"width": 4, "latent_size": 6, "batch_size": BATCH})


@cache
def _player(name: str, chosen: Values) -> PlayerRecipe:
    player: PlayerRecipe = getattr(_base(), name)
    return replace(player, **dict(chosen))


@cache
def _data(shape: tuple[int, ...], words: tuple[str, ...] | None) -> Signature:
    return Signature(shape, CLASSES, ("x", "y", "z"), shape, domains=("d", "e"), vocabulary=words)


def reasons(row: Row) -> list[str]:
    """Of every rule that refuses the row; none where it trains."""
    return [reason for _, reason in refusing(row)]


def refusing(row: Row, rules: Sequence[Rule] = RULES) -> list[Rule]:
    """Those of the rules that refuse the row."""
    checked = setting(row)
    return [rule for rule in rules if rule[0](checked)]


def trains(row: Row) -> None:
    """Two turns with finite losses move who plays; a turn of the generator's leaves the discriminator untouched."""
    trainer = tiny_trainer("gan", precision=row["precision"], shape=row["shape"], **overrides(row))
    start = copies(trainer.engine.state())
    play(trainer, 2).summarize()  # which looks at losses and weights
    playing = {side for sides in trainer.game.schedule(0, BATCH) for side in sides} - {"encoder", "extractor"}
    assert {"average", *playing} <= changed(start, trainer.engine.state())
    before = copies(trainer.engine.state())
    step(trainer, 16, "generator")
    beside = {"follower", "embedder"}  # go with the generator
    assert changed(before, trainer.engine.state()) - beside <= {"generator", "generator_optimizer"}
    assert all(weight.grad is None for weight in trainer.average.parameters())


@dataclass
class Covering:
    """Rows that train and hold, together, every `strength` values that can stand together; and those that cannot."""

    strength: int
    rows: list[Row] = field(default_factory=list)
    refused: dict[Values, str] = field(default_factory=dict)
    """A reason for each."""


@cache
def covering(strength: int) -> Covering:
    """The same each time."""
    found = Covering(strength)
    covered: set[Values] = set()
    fewer = covering(strength - 1).refused if strength > 2 else {}
    chance = random.Random(strength)
    for values in all_values(strength):
        if values in covered:
            continue
        if part := next((part for part in map(frozenset, combinations(values, strength - 1)) if part in fewer), None):
            found.refused[values] = fewer[part]
            continue
        row, why = complete(dict(values), chance)
        if why:
            found.refused[values] = why[0]
        else:
            found.rows.append(richer(row, values, strength, covered, chance))
            covered |= set(values_in(found.rows[-1], strength))
    return found


def richer(row: Row, fixed: Values, strength: int, covered: set[Values], chance: random.Random) -> Row:
    """The row with another value of an axis, axis by axis, where it then holds more that no row holds yet."""
    for axis in chance.sample(free := [axis for axis in AXES if axis not in dict(fixed)], len(free)):
        others = {other: value for other, value in row.items() if other != axis}
        parts = [frozenset(part) for part in combinations(others.items(), strength - 1)]
        gains = {value: sum(part | {(axis, value)} not in covered for part in parts) for value in AXES[axis]}
        better = sorted((value for value in AXES[axis] if gains[value] > gains[row[axis]]), key=lambda v: -gains[v])
        row |= next(({axis: value} for value in better if not refusing(row | {axis: value})), {})
    return row


def all_values(strength: int) -> Iterator[Values]:
    for axes in combinations(AXES, strength):
        for values in product(*(AXES[axis] for axis in axes)):
            yield frozenset(zip(axes, values, strict=True))


def values_in(row: Row, strength: int) -> Iterator[Values]:
    return (frozenset(values) for values in combinations(row.items(), strength))


def complete(fixed: Row, chance: random.Random) -> tuple[Row, list[str]]:
    """A row with the fixed values that no rule refuses, and no reason; or a row, and why it is refused."""
    for _ in range(_TRIES_AGAINST_A_RULE if always_refused(fixed, chance) else _TRIES):
        row, why = mend(draw_row(fixed, chance), [axis for axis in AXES if axis not in fixed], chance)
        if not why:
            break
    return {axis: row[axis] for axis in AXES}, why


def draw_row(fixed: Row, chance: random.Random) -> Row:
    return {axis: chance.choice(values) for axis, values in AXES.items()} | fixed


def always_refused(fixed: Row, chance: random.Random) -> bool:
    """Whether one rule refuses all of many rows with the fixed values: then few tries are enough to believe it."""
    common = refusing(draw_row(fixed, chance))
    for _ in range(_DRAWS):
        if not common:
            return False
        common = refusing(draw_row(fixed, chance), common)
    return True


def mend(row: Row, free: list[str], chance: random.Random) -> tuple[Row, list[str]]:
    """Change one free axis after the other as long as fewer rules refuse the row.

    Whether those that refuse it still do is seen quickly, and most changes need no further look.
    """
    why, better = refusing(row), True
    while why and better:
        better = False
        for axis in chance.sample(free, len(free)):
            for value in AXES[axis]:
                changed = row | {axis: value}
                if len(refusing(changed, why)) < len(why) and len(others := refusing(changed)) < len(why):
                    row, why, better = changed, others, True
    return row, [reason for _, reason in why]
