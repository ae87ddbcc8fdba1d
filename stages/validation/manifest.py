"""The part of `data/normalized/manifest.json` that the gate reads."""

import math
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    NonNegativeInt,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mintage.spelling import american_keys
from stages.images.near import LEAST_SIDE
from stages.media import medium_of
from stages.media.medium import Medium, Shape


class Counts(BaseModel):
    train: NonNegativeInt
    holdout: NonNegativeInt
    broken: NonNegativeInt


class Manifest(BaseModel):
    model_config = ConfigDict(frozen=True)

    medium: InstanceOf[Medium]
    shape: tuple[PositiveInt, ...]
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

    @model_validator(mode="before")
    @classmethod
    def _knows_its_medium(cls, facts: Any) -> Any:
        return {**facts, "medium": medium_of(facts)} if isinstance(facts, dict) else facts

    @field_validator("shape")
    @classmethod
    def _has_the_sides_of_its_medium(cls, shape: Shape, known: ValidationInfo) -> Shape:
        return known.data["medium"].check_shape(shape) if "medium" in known.data else shape

    @property
    def no_looks(self) -> str | None:
        """Why images have no looks to compare; None if they have."""
        if "looks" in self.medium.lacks:
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
