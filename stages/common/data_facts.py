"""What the manifest says of the data first: their medium and shape, which belong together."""

from typing import Any

from pydantic import BaseModel, ConfigDict, InstanceOf, PositiveInt, ValidationInfo, field_validator, model_validator

from stages.media import medium_of
from stages.media.medium import Medium, Shape

MIN_HOLDOUT = 2
"""Held-out images that figures need: the Frechet distance is of a covariance, and that is of two."""


class DataFacts(BaseModel):
    """A manifest's facts; a stage adds those that it reads."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    medium: InstanceOf[Medium]
    shape: tuple[PositiveInt, ...]

    @model_validator(mode="before")
    @classmethod
    def _knows_its_medium(cls, facts: Any) -> Any:
        return {**facts, "medium": medium_of(facts)} if isinstance(facts, dict) else facts

    @field_validator("shape")
    @classmethod
    def _has_the_sides_of_its_medium(cls, shape: Shape, known: ValidationInfo) -> Shape:
        return known.data["medium"].check_shape(shape) if "medium" in known.data else shape
