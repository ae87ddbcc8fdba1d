"""How many steps the discriminator makes in each turn of the game, and which of them a step is."""

from mintage.recipes import Recipe

_WARM_STEPS, _WARM_TURNS, _WARM_EVERY = 100, 25, 500
"""Of a warm-up: steps in a long turn, long turns at the start, and from one to the next afterwards."""


def steps_of_turn(recipe: Recipe, before: int) -> int:
    """The discriminator's steps in the turn that begins when players have made `before` steps in all.

    With a warm-up they are many in the first 25 turns and in every 500th (the authors' code of the Wasserstein GAN).
    """
    steps, more = recipe.discriminator_steps, recipe.generator_steps - 1
    if not recipe.warm_up:
        return steps
    begun = before - _WARM_TURNS * (_WARM_STEPS + more)
    if begun < 0:
        return _WARM_STEPS
    # From the 25th turn on every 500th is long, and those between are as long as ever.
    first = (_WARM_EVERY - _WARM_TURNS) * (steps + more)
    cycle = _WARM_STEPS + more + (_WARM_EVERY - 1) * (steps + more)
    return _WARM_STEPS if begun >= first and (begun - first) % cycle == 0 else steps


def steps_of_discriminator(recipe: Recipe, before: int) -> int:
    """How many of the `before` steps were the discriminator's; in a warm-up those of the generator alone count, too."""
    if recipe.warm_up:
        return before
    turns, rest = divmod(before, recipe.discriminator_steps + recipe.generator_steps - 1)
    return turns * recipe.discriminator_steps + rest
