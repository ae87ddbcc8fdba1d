"""Settings of params that a stage would take, and that nobody can mean."""

import os
from collections.abc import Iterator

from stages.common.params import Params

_FASTEST = 1
"""The highest learning rate: no family's is above 0.01, and by more than 1 weights are thrown to and fro."""
_BY_GRADIENTS = "sgd"
"""The optimizer whose steps are as small as gradients make them: a rate above 1 can be meant there."""
_THREADS_A_CORE = 4


def too_fast(params: Params) -> Iterator[str]:
    """Sentences on learning rates by which nothing is learned."""
    recipe = params.train.whole_recipe
    players = {"train.recipe.generator": recipe.generator, "train.recipe.discriminator": recipe.discriminator}
    rates = {"evaluator": params.evaluator.learning_rate}
    rates |= {name: player.learning_rate for name, player in players.items() if player.optimizer != _BY_GRADIENTS}
    for player, rate in rates.items():
        if rate > _FASTEST:
            yield f"{player}.learning_rate = {rate:g} never trains: set it to 0.001 or so, and to {_FASTEST} at most"


def too_many_threads(params: Params) -> Iterator[str]:
    """A sentence on more threads than the cores of this machine can serve."""
    threads, cores = params.train.threads or 1, os.cpu_count() or 1
    if threads > _THREADS_A_CORE * cores:
        yield (
            f"train.threads = {threads} makes them wait for each other on a machine of {cores} cores: set it to "
            f"{cores} at most, or to null"
        )
