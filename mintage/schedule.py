"""How many steps the discriminator makes in each turn of the game."""

from mintage.recipes import Recipe

_WARM_STEPS, _WARM_TURNS, _WARM_EVERY = 100, 25, 500
"""A warm-up's steps in a long turn, its long turns at the start, and the turns from each later one to the next."""


def steps_of_turn(recipe: Recipe, before: int) -> int:
    """The discriminator's steps in the turn that begins after `before` steps of any player.

    With a warm-up, the first 25 turns and every 500th are long (the authors' code of the Wasserstein GAN).
    """
    return _turn_at(recipe, before)[1]


def steps_of_discriminator(recipe: Recipe, before: int) -> int:
    """How many of the first `before` steps were the discriminator's; the next step must be one of its own."""
    return before - (recipe.generator_steps - 1) * _turn_at(recipe, before)[0]


def _turn_at(recipe: Recipe, before: int) -> tuple[int, int]:
    """The number of the turn to which the step after `before` others belongs, and the discriminator's steps in it."""
    steps, more = recipe.discriminator_steps, recipe.generator_steps - 1
    short, long = steps + more, _WARM_STEPS + more
    if not recipe.warm_up:
        return before // short, steps
    if before < _WARM_TURNS * long:
        return before // long, _WARM_STEPS
    # After the 25th turn every 500th is long, and the turns between have their usual length.
    begun, first = before - _WARM_TURNS * long, (_WARM_EVERY - _WARM_TURNS) * short
    if begun < first:
        return _WARM_TURNS + begun // short, steps
    cycles, rest = divmod(begun - first, long + (_WARM_EVERY - 1) * short)
    number = (cycles + 1) * _WARM_EVERY
    return (number, _WARM_STEPS) if rest < long else (number + 1 + (rest - long) // short, steps)
