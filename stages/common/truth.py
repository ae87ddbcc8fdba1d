"""What is known of data that a formula makes: it travels from its source in the raw shards, then in the manifest.

Points of D numbers are grey pictures one pixel high and D wide: a coordinate x is the value x / scale in [-1,1].
"""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Truth:
    """Equally likely Gaussians around `centres` `[K,D]`, each of standard deviation `std`, in their own units."""

    centres: list[list[float]]
    std: float
    scale: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C,H,W) of a point as an image."""
        return (1, 1, len(self.centres[0]))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def read_truth(facts: dict[str, Any]) -> Truth | None:
    """The truth that a manifest, or what was made of one, tells; None where nobody knows it."""
    told = facts.get("truth")
    return None if told is None else Truth(**told)
