"""The part of `data/normalized/manifest.json` that the gate reads."""

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, NonNegativeInt

from mintage.spelling import american_keys
from stages.common.data_facts import DataFacts
from stages.images.near import LEAST_SIDE


class Counts(BaseModel):
    train: NonNegativeInt
    holdout: NonNegativeInt
    broken: NonNegativeInt


class Manifest(DataFacts):
    classes: Annotated[list[str], Field(min_length=1)] | None
    attributes: list[str] | None = None
    domains: Annotated[list[str], Field(min_length=2, max_length=2)] | None = None
    counts: Counts
    class_counts: dict[str, dict[str, NonNegativeInt]] | None
    domain_counts: dict[str, dict[str, NonNegativeInt]] | None = None
    broken: list[dict[str, str]] = Field(default_factory=list)
    source: Annotated[dict[str, str | None], BeforeValidator(american_keys)] = Field(default_factory=dict)
    split: dict[str, Any] = Field(default_factory=dict)
    fit: str | None = None
    fingerprint: str | None = None

    @property
    def no_looks(self) -> str | None:
        """Why images have no looks to compare; None if they have."""
        if not self.medium.has_looks:
            return self.medium.lacks["looks"]
        _, height, width = self.shape
        if min(height, width) < LEAST_SIDE:
            least = f"at least {LEAST_SIDE} x {LEAST_SIDE} are needed"
            return f"{width} x {height} pixels are too few to tell images apart by their looks ({least})"
        return None

    @property
    def split_is_given(self) -> bool:
        """Whether the split came with the data."""
        return self.split.get("kind") == "source"

    @property
    def torn_groups(self) -> int | None:
        """How many groups are in both splits; None without groups."""
        found: int | None = self.split.get("torn_groups")
        return found

    @property
    def flat(self) -> bool:
        """Whether an image has a single value, and so is always one flat color."""
        return math.prod(self.shape) == 1
