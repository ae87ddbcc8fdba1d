"""The section `train` of params.yaml: a family, what overrides its axes, and how it is trained."""

from dataclasses import fields
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from mintage.catalog import INVERTING
from mintage.families import recipe_of
from mintage.recipes import Recipe, stands_on_first
from mintage.values import respelled
from stages.common.sections import (
    Count,
    Device,
    Positive,
    Processes,
    Section,
    Seed,
    Share,
    Shown,
    Window,
)


class Stop(Section):
    metric: Literal["frechet_distance"]
    patience: Count
    samples: Annotated[int, Field(ge=4, le=10**6)] = 1000
    evaluator_images: Shown = 100_000


AXES = {field.name for field in fields(Recipe)} - {"paper"}


def mapping_of_axes(value: Any) -> Any:
    """The overrides, in American spelling; None means none.

    Raises ValueError on the name of a variant, which was allowed here once.
    """
    if isinstance(value, str):
        raise ValueError(f"{value!r} is no mapping of axes; a variant of the family is named by train.variant")
    return {} if value is None else respelled(Recipe, value)


_MOST = {"checkpoint_every": (10_000, "checkpoints"), "log_every": (1_000_000, "rows")}
"""Most checkpoints, each of which is kept and measured, and rows of metrics/train.tsv, which is written each second."""


class Train(Section):
    family: str
    variant: str
    recipe: Annotated[dict[str, Any], BeforeValidator(mapping_of_axes)]
    """Overrides of axes, checked by the library."""
    first: Annotated[str, Field(min_length=1)] | None
    seed: Seed
    images: Shown
    checkpoint_every: Count
    log_every: Count
    resume_every: Positive
    device: Device
    threads: Annotated[int, Field(ge=1, le=1024)] | None
    precision: Literal["auto", "float32", "bfloat16"]
    deterministic: bool
    processes: Processes
    window: Window | None
    min_diversity: Share
    stop: Stop | None

    @property
    def whole_recipe(self) -> Recipe:
        """The family's recipe, or its variant's, with the overrides. Raises ValueError on what the library refuses."""
        return recipe_of(self.family, self.recipe, self.variant)

    @model_validator(mode="before")
    @classmethod
    def _axes_stand_in_the_recipe(cls, values: Any) -> Any:
        if isinstance(values, dict) and (wrong := [name for name in values if name in AXES]):
            raise ValueError(f"{wrong[0]} is an axis of the recipe: write it under recipe, as train.recipe.{wrong[0]}")
        return values

    @model_validator(mode="after")
    def _the_recipe_is_known(self) -> "Train":
        try:
            recipe_of(self.family, self.recipe, self.variant)
        except ValueError as error:
            raise PydanticCustomError("of_section", "{sentence}", {"sentence": str(error)}) from None
        return self

    @model_validator(mode="before")
    @classmethod
    def _intervals_end_with_the_run(cls, values: Any) -> Any:
        """A training that is shorter than an interval has a checkpoint, and a row, at its end."""
        images = values.get("images") if isinstance(values, dict) else None
        if type(images) is not int or images < 1:
            return values
        every = {name: values.get(name) for name in ("checkpoint_every", "log_every")}
        return values | {name: images for name, count in every.items() if type(count) is int and count > images}

    @model_validator(mode="after")
    def _intervals_are_not_too_many(self) -> "Train":
        for name, (most, many) in _MOST.items():
            every = getattr(self, name)
            if (count := self.images // every) > most:
                sentence = (
                    f"{name} = {every} makes {count:,} {many} of train.images = {self.images}, more than {most:,}: set "
                    f"it to {-(-self.images // most)} or more"
                )
                raise PydanticCustomError("of_section", "{sentence}", {"sentence": sentence})
        return self

    @model_validator(mode="after")
    def _a_second_stage_has_a_first(self) -> "Train":
        stands = stands_on_first(self.whole_recipe)
        if stands and self.first is None:
            raise ValueError(
                f"family = {self.family!r} stands on a released generator: set first to a channel, a release or a "
                "folder of one"
            )
        if self.first is not None and PurePath(self.first).parts[:1] == ("models",):
            raise ValueError(
                f"first = {self.first!r} is what select writes anew: publish it, and name its channel or release"
            )
        if self.first is not None and not stands:
            raise ValueError(
                f"first = {self.first!r} is of no use to family = {self.family!r}, which has one stage: set it to null"
            )
        return self

    @model_validator(mode="after")
    def _what_stays_as_it_is_gets_no_better(self) -> "Train":
        if self.stop is not None and self.whole_recipe.game in INVERTING:
            raise ValueError(
                f"stop looks at what a generator makes, and that of family = {self.family!r} stays as it is: set it to "
                "null"
            )
        return self

    @model_validator(mode="after")
    def _each_process_has_its_device(self) -> "Train":
        if self.processes > 1 and ":" in self.device:
            raise ValueError(f"device = '{self.device}' is one for {self.processes} processes: set it to auto or cuda")
        return self
