"""Whether a recipe goes together, and with what is known of the data, before anything runs; see `stages.check`.

`python -m stages.training.fit` reads train's params and what is known as JSON from stdin, and says what train would
say. A process of its own, since torch takes seconds to load.
"""

import json
import sys
from dataclasses import dataclass
from typing import Any

from mintage import catalog
from mintage.damage import Damage
from mintage.dataset import Signature
from mintage.families import resolve
from mintage.model_config import ModelConfig
from mintage.recipes import Recipe, condition_of, joins_attributes
from mintage.rules import refusal
from stages.common.errors import UserError, run_stage
from stages.common.params import load_section
from stages.common.stage import parser_of
from stages.common.train_params import Train
from stages.training.first import first_at


@dataclass(frozen=True)
class Expected:
    """What is known of the images. Where it is unknown (None), they are assumed to be as the recipe needs them."""

    shape: list[int]
    """[C, *S]."""
    classes: list[str] | None
    """Names of the classes, or placeholders if only their number is known; empty without classes. So for attributes."""
    attributes: list[str] | None
    domains: bool | None
    paired: bool | None
    partner: list[int] | None
    """[S, *S] of the sources, if images are paired."""
    damage: tuple[str, float] | None
    """Kind and strength of random damage from which sources are made; None without."""
    text: bool


def require_fit(train: Train, expected: Expected) -> None:
    """Raise the UserError that train would raise on a refused recipe, or a first stage that cannot be loaded."""
    first, recipe = first_at(train.first), resolve(train.family, train.recipe, train.variant)
    signature = _signature(expected, recipe, None if first is None else first.config)
    require_trainable(train, recipe, signature)


def require_recipe(signature: Signature) -> None:
    """Raise a UserError if params name a recipe that cannot be trained on these images.

    A family that builds on a model in `train.first`, which may be in a remote store, is checked only by train.
    """
    train = load_section(Train)
    if train.first is None:
        require_trainable(train, resolve(train.family, train.recipe, train.variant), signature)


def require_trainable(train: Train, recipe: Recipe, signature: Signature) -> None:
    """Raise a UserError if the recipe cannot be trained on such images."""
    if reason := refusal(recipe, signature, train.processes):
        raise UserError("recipe-does-not-fit", f"train.family = {train.family!r}: {reason}")


def _signature(expected: Expected, recipe: Recipe, first: ModelConfig | None) -> Signature:
    game, needs = catalog.load("game", recipe.game), condition_of(recipe)
    told = needs == "attributes" or joins_attributes(recipe)
    classes, attributes = (
        (first.classes, first.attributes)
        if first is not None
        else (("0", "1") if needs == "label" or game.learns_classes else None, ("a",) if told else None)
    )
    domains = bool(game.of_domains) if expected.domains is None else expected.domains
    pairs = needs == "source" or joins_attributes(recipe)
    return Signature(
        tuple(expected.shape),
        classes if expected.classes is None else tuple(expected.classes) or None,
        attributes if expected.attributes is None else tuple(expected.attributes) or None,
        _source_shape(expected, recipe) if (pairs if expected.paired is None else expected.paired) else None,
        None if expected.damage is None else Damage(*expected.damage),
        ("0", "1") if domains else None,
        ("0", "1") if expected.text else None,
        first,
    )


def _source_shape(expected: Expected, recipe: Recipe) -> tuple[int, ...]:
    """The sources' shape; if unknown, the images' shape, with a mask if the discriminator needs one."""
    if expected.partner is not None:
        return tuple(expected.partner)
    masked = catalog.load("discriminator_conditioning", recipe.discriminator.conditioning).needs_mask
    channels, *sides = expected.shape
    return channels + masked, *sides


def main() -> None:
    parser_of("stages.training.fit", __doc__).parse_args()
    asked: dict[str, Any] = json.load(sys.stdin)
    require_fit(Train.model_validate(asked["train"]), Expected(**asked["expected"]))


if __name__ == "__main__":
    run_stage(main)
