"""Trains turn by turn and counts images; contains no family's name."""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from mintage.attributes import examples_of
from mintage.data import RealImages
from mintage.diversity import Diversity
from mintage.engine import Engine
from mintage.errors import DivergedError
from mintage.objectives import VALUE_OPTIMUM
from mintage.players import Generator
from mintage.slots import under


@dataclass
class Trainer:
    """Everything that changes in training is here and in the engine; `state` has both."""

    engine: Engine
    real: RealImages
    batch_size: int
    seed: int
    images_seen: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    """One row a summary: images, means of the game's columns since the last row, V's optimum if any, diversity."""
    measured: list[list[float]] = field(default_factory=list)
    """Rows of (images, metric), by which a training may stop early; saved with the state."""

    def __post_init__(self) -> None:
        self._columns: list[str] = []
        self._sums = torch.zeros(1, dtype=torch.float64, device=self.real.device)
        self._turns = 0
        self.turn_images = 0
        """Real images shown in the last turn."""
        if (examples := self.average.examples) is not None and not self.game.inverts:  # an inverted one has its own
            examples.copy_(self._attributes())
            self.game.generator.examples.copy_(examples)
        self._diversity = Diversity.of_each_direction(self.average, self.real, self.seed)

    def _attributes(self) -> Tensor:
        """The attributes of some real images, as examples of likely combinations."""
        config = self.average.config
        if not config.joins_attributes:
            assert self.real.conditions is not None
            return examples_of(self.real.conditions, self.seed)
        numbers = examples_of(torch.arange(len(self.real)), self.seed)
        sources = self.real.conditions_of(numbers)
        assert sources is not None
        return sources[:, -len(config.attributes or ()) :].flatten(2)[..., 0]

    @property
    def game(self) -> Any:
        """The game that the engine plays."""
        return self.engine.game

    @property
    def average(self) -> Generator:
        """The moving average of the first child that the game releases."""
        average: Any = self.engine.averages[self.game.released[0]]
        return average

    def turn(self) -> None:
        """One turn of the game. No value is read back from the device."""
        statistics = self.engine.turn(self.real, self.batch_size, self.images_seen, self.seed)
        self._columns = list(statistics)
        self._sums = self._sums + torch.stack(list(statistics.values()))
        self._turns += 1
        self.turn_images = self.batch_size * len(self.game.schedule(self.images_seen, self.batch_size))
        self.images_seen += self.turn_images

    def passed(self, interval: int) -> bool:
        """Whether the last turn reached or crossed a multiple of `interval` images."""
        return self.images_seen // interval > (self.images_seen - self.turn_images) // interval

    def summarize(self) -> dict[str, float]:
        """Finish a row of the history, and return it. Raises DivergedError if a mean or a weight is not finite."""
        self.check()
        means = {name: total / self._turns for name, total in zip(self._columns, self._sums.tolist(), strict=True)}
        optimum = {"value_optimum": VALUE_OPTIMUM} if "value" in means else {}
        found = self.diversity()
        row = {"images": self.images_seen, **means, **optimum, **({} if found is None else {"diversity": found})}
        self.history.append(row)
        self._sums, self._turns = torch.zeros_like(self._sums), 0
        return row

    def diversity(self) -> float | None:
        """Diversity of the averaged generator: 1 is that of real images, 0 a single image; None if it has no meaning.

        Between two domains it is that of the worse direction.
        """
        generators = self.average.directions.values() or [self.average]
        found = [of.measure(generator) for of, generator in zip(self._diversity, generators, strict=True)]
        known = [value for value in found if value is not None]
        return min(known) if known else None

    def check(self) -> None:
        """Raise DivergedError, with name and place, if a loss or a weight is infinite or not a number."""
        for name, total in zip(self._columns, self._sums.tolist(), strict=False):
            if not abs(total) < float("inf"):
                raise DivergedError(f"{name} is {total} at {self.images_seen:,} images")
        wrong = first_not_finite(self.engine.state())
        if wrong is not None:
            raise DivergedError(f"{wrong} is not finite at {self.images_seen:,} images")

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors, and facts that fit in JSON: all that a training needs to resume to the same bits."""
        tensors = {"sums": self._sums, **{f"engine.{key}": tensor for key, tensor in self.engine.state().items()}}
        facts = {
            "images_seen": self.images_seen,
            "history": self.history,
            "turns": self._turns,
            "turn_images": self.turn_images,
            "measured": self.measured,
        }
        return tensors, {**facts, "config": asdict(self.average.config)}

    def load(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.engine.load(under("engine", tensors))
        self._sums = tensors["sums"].to(self._sums.device, copy=True)
        self._turns, self.images_seen, self.history = facts["turns"], facts["images_seen"], list(facts["history"])
        self.turn_images = facts["turn_images"]
        self.measured = list(facts["measured"])


def first_not_finite(tensors: dict[str, Tensor]) -> str | None:
    """The name of the first tensor that holds an infinity or NaN; reads the device once."""
    floating = {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point() and tensor.numel()}
    # Least and most in one pass are NaN if any value is; to judge each value took 20 times as long.
    flags = [torch.stack(tensor.aminmax()).isfinite().all() for tensor in floating.values()]
    # Some optimizers count their steps on the host.
    device = next((flag.device for flag in flags if flag.device.type != "cpu"), torch.device("cpu"))
    finite = torch.stack([flag.to(device, non_blocking=True) for flag in flags]).tolist()
    return next((name for name, good in zip(floating, finite, strict=True) if not good), None)
