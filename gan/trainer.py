"""Plays a game turn by turn and keeps count; contains no family's name."""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from gan.data import RealImages
from gan.errors import DivergedError
from gan.game import STATISTICS, Adversarial
from gan.objectives import VALUE_OPTIMUM


@dataclass
class Trainer:
    """Everything that changes while training lives here and in the game; both go into `state`."""

    game: Adversarial
    real: RealImages
    batch_size: int
    seed: int
    images_seen: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    """A row a summary: images, the means of `STATISTICS` since the row before, and the optimum of V."""

    def __post_init__(self) -> None:
        self._sums = torch.zeros(len(STATISTICS) + 1, dtype=torch.float64, device=self.real.images.device)

    @property
    def images_per_turn(self) -> int:
        return self.game.images_per_turn(self.batch_size)

    def turn(self) -> None:
        """One turn of the game. No value is read back from the device."""
        statistics = self.game.turn(self.real, self.batch_size, self.images_seen, self.seed)
        self._sums += torch.cat([statistics, statistics.new_ones(1)])
        self.images_seen += self.images_per_turn

    def passed(self, interval: int) -> bool:
        """Whether the last turn reached or crossed a multiple of `interval` images."""
        return self.images_seen // interval > (self.images_seen - self.images_per_turn) // interval

    def summarize(self) -> dict[str, float]:
        """Close a row of the history. Raises DivergedError where a mean is not finite."""
        *sums, turns = self._sums.tolist()
        self._sums.zero_()
        means = {name: total / turns for name, total in zip(STATISTICS, sums, strict=True)}
        wrong = [name for name, mean in means.items() if not abs(mean) < float("inf")]
        if wrong:
            raise DivergedError(f"{wrong[0]} is {means[wrong[0]]} at {self.images_seen:,} images")
        row = {"images": self.images_seen, **means, "value_optimum": VALUE_OPTIMUM}
        self.history.append(row)
        return row

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors, and facts that fit in JSON: all that is needed to go on in the same bits."""
        tensors = {"sums": self._sums, **{f"game.{key}": tensor for key, tensor in self.game.state().items()}}
        config = asdict(self.game.generator.config)
        return tensors, {"images_seen": self.images_seen, "history": self.history, "config": config}

    def load(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.game.load({key.removeprefix("game."): t for key, t in tensors.items() if key.startswith("game.")})
        self._sums.copy_(tensors["sums"])
        self.images_seen, self.history = facts["images_seen"], list(facts["history"])
