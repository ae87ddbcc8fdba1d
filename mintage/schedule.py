"""How many steps the discriminator makes in each turn of the game, and which of them a step is."""

from mintage.recipes import Recipe

_WARM_STEPS, _WARM_TURNS, _WARM_EVERY = 100, 25, 500
"""Of a warm-up: steps in a long turn, long turns at the start, and from one to the next afterwards."""


def steps_of_turn(recipe: Recipe, before: int) -> int:
    """The discriminator's steps in the turn that begins when players have made `before` steps in all.

    With a warm-up they are many in the first 25 turns and in every 500th (the authors' code of the Wasserstein GAN).
    """
    return _turn_at(recipe, before)[1]


def steps_of_discriminator(recipe: Recipe, before: int) -> int:
    """How many of the `before` steps were the discriminator's, where the next is one of them, too."""
    return before - (recipe.generator_steps - 1) * _turn_at(recipe, before)[0]


def _turn_at(recipe: Recipe, before: int) -> tuple[int, int]:
    """The number of the turn to which the step after `before` others belongs, and the discriminator's steps in it."""
    steps, more = recipe.discriminator_steps, recipe.generator_steps - 1
    short, long = steps + more, _WARM_STEPS + more
    if not recipe.warm_up:
        return before // short, steps
    if before < _WARM_TURNS * long:
        return before // long, _WARM_STEPS
    # From the 25th turn on every 500th is long, and those between are as long as ever.
    begun, first = before - _WARM_TURNS * long, (_WARM_EVERY - _WARM_TURNS) * short
    if begun < first:
        return _WARM_TURNS + begun // short, steps
    cycles, rest = divmod(begun - first, long + (_WARM_EVERY - 1) * short)
    number = (cycles + 1) * _WARM_EVERY
    return (number, _WARM_STEPS) if rest < long else (number + 1 + (rest - long) // short, steps)
