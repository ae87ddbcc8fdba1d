"""The other stages' JSON and TSV, typed, as far as the report reads them. For `select` see selection.py."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mintage.spelling import american_keys
from stages.common.data_facts import DataFacts
from stages.common.judge import doubt


def _finite(value: Any) -> Any:
    """None for an empty cell and for a number that is not finite (a game that diverged)."""
    try:
        return value if math.isfinite(float(value)) else None
    except (TypeError, ValueError):
        return None if value == "" else value


Number = Annotated[float | None, BeforeValidator(_finite)]


class Facts(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Counts(Facts):
    train: int
    holdout: int
    read: int
    broken: int


class Broken(Facts):
    key: str
    reason: str


class Maker(Facts):
    """A model that made some of the sources; see `stages.common.marks.Mark`."""

    model: str | None
    family: str | None
    release: str | None


class SplitFacts(Facts):
    kind: Literal["source", "random"]
    holdout: float
    seed: int


class Source(Facts):
    name: str
    license: str | None
    origin: str | None


class Manifest(DataFacts):
    range: tuple[float, float]
    classes: list[str] | None
    counts: Counts
    attributes: list[str] | None = None
    domains: list[str] | None = None
    domain_counts: dict[str, dict[str, int]] | None = None
    class_counts: dict[Literal["train", "holdout"], dict[str, int]] | None
    broken: list[Broken]
    split: SplitFacts
    source: Annotated[Source, BeforeValidator(american_keys)]
    fingerprint: str
    partner_shape: tuple[int, ...] | None = None
    partners_made_by: list[Maker] = Field(default_factory=list)


class Expectation(Facts):
    name: str
    expectation: str
    column: str | None
    success: bool
    severity: Literal["critical", "warning"]
    observed: Any
    limit: Any
    unit: str | None = None
    """'share' or 'exceptions' if that is the unit of the two values above; else None."""
    examples: list[Any]


class Validation(Facts):
    success: bool
    expectations: list[Expectation]
    rows: int
    great_expectations: str


class Drift(Facts):
    """The data compared with those of the last release."""

    reason: str | None
    """Why they are not compared; None if they are."""
    expectations: list[Expectation]


class Evaluator(Facts):
    kind: str
    train_accuracy: Number = None
    """On training images; None in a run of before it was measured."""
    holdout_accuracy: Number = None
    train_explained_variance: Number = None
    holdout_explained_variance: Number = None
    holdout_surprise: Number = None
    images: int
    holdout_images: int
    features: int
    sha256: str
    turned_down: str | None = None
    """A sentence if it learned from fewer images than usual."""

    @property
    def doubt(self) -> str | None:
        """What it does too badly to be believed, as a verb phrase."""
        return doubt(self.model_dump())


class LatentPicture(Facts):
    file: str = Field(pattern=r"^[\w-]+\.png$")
    title: str
    caption: str
    rows: list[str]


class LatentAbsent(Facts):
    title: str
    reason: str


class Latent(Facts):
    pictures: list[LatentPicture]
    absent: list[LatentAbsent]
    lines: list[str] = []
    """The first samples, if they are text."""


class HeardRow(Facts):
    title: str
    files: list[Annotated[str, Field(pattern=r"^\d+-\d+$")]]  # without suffixes: a sound and its picture each


class Heard(Facts):
    """Sounds to listen to: a row for each sample, with these columns."""

    columns: list[str]
    rows: list[HeardRow]


class Curve(Facts):
    """A row of the training log."""

    images: int
    discriminator_loss: Number = None
    """None for a variational autoencoder, which has no discriminator."""
    generator_loss: Number = None
    """None, like all of a generator's columns, if only an encoder learns."""
    encoder_loss: Number = None
    d_real: Number = None
    d_fake: Number = None
    value: Number = None
    value_optimum: Number = None
    d_accuracy: Number = None
    discriminator_gradient: Number = None
    generator_gradient: Number = None
    encoder_gradient: Number = None


class Git(Facts):
    commit: str | None
    clean: bool | None
    reason: str | None = None
    """Why commit or changes are unknown."""


class Machine(Facts):
    python: str
    platform: str
    device: str


class StoppedEarly(Facts):
    """A training that ended early, since its metric no longer improved."""

    metric: str
    images: int
    best: Number
    best_images: int


class Made(Facts):
    """The provenance of a stage's outputs, with the stage's own facts (train: family, recipe, speed)."""

    stage: str
    git: Git
    params: dict[str, Any]
    machine: Machine
    seconds: float
    packages: dict[str, str]
    family: str | None = None
    first: Maker | None = None
    """The model whose images a second stage refines."""
    recipe: dict[str, Any] = Field(default_factory=dict)
    parameters: dict[str, int] = Field(default_factory=dict)
    images_per_second: float | None = None
    data_fingerprint: str | None = None
    stopped_early: StoppedEarly | None = None
