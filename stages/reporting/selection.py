"""The outputs of the stage `select`, typed: what the report reads of them. Metrics are named by METRICS alone."""

from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from stages.reporting.facts import Facts, Number
from stages.selection.metrics import METRICS


class Measures(Facts):
    """What was measured of one checkpoint, by column: each metric, its floor with interval, its standard error."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Number]

    images: int
    samples: int

    @model_validator(mode="before")
    @classmethod
    def _known_columns(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if key in cls.model_fields or key in _COLUMNS}

    def value(self, column: str | None) -> float | None:
        """None where it was not measured."""
        return None if column is None else self.__pydantic_extra__.get(column)


_COLUMNS = {column for name, metric in METRICS.items() for column in (name, *metric.columns)}


class Checkpoint(Measures):
    selected: Literal["0", "1"]


class Other(Measures):
    """A checkpoint that was not chosen."""

    samples: int = 0


class Beside(Measures):
    """What is of no checkpoint: the sources themselves, or the first of two stages alone."""

    images: int = 0
    samples: int = 0


class Judgement(Facts):
    """How good the generator is on the whole."""

    level: Literal["good", "fair", "poor", "unknown"]
    sentence: str = Field(pattern=":")
    """The level, a colon, and the reasons."""
    curve: str
    advice: str

    @property
    def text(self) -> str:
        return f"{self.sentence} {self.curve} {self.advice}"


class Collapse(Facts):
    collapsed: bool
    known: bool = True
    sentence: str


class Copying(Facts):
    copied: bool
    known: bool = True
    sentence: str


class Game(Facts):
    """Whether the game was better than what was learned before it, without one."""

    won: bool
    known: bool = True
    sentence: str


class Features(Facts):
    """In what the images were compared."""

    network: str
    sha256: str | None
    protocol: str


class ClassMeasures(Facts):
    label: int
    name: str
    frechet_distance: Number = None
    frechet_floor: Number = None
    accuracy: Number = None
    diversity: Number = None
    diversity_floor: Number = None

    @property
    def figures_known(self) -> bool:
        return not (self.frechet_distance is None and self.accuracy is None and self.diversity is None)


class AttributeMeasures(Facts):
    """How often one attribute is seen as it was asked for."""

    name: str
    accuracy: Number
    accuracy_floor: Number = None
    chance: Number


class AccuracyScore(Facts):
    """A classifier that learned from generated images alone, beside one that learned from real ones."""

    generated: Number
    real: Number
    images: int
    seed: int
    sentence: str


class Classifier(Facts):
    """The discriminator as a classifier of held-out images, beside what others reach."""

    kind: str
    accuracy: Number
    error: Number = None
    batch_size: int
    evaluator: Number = None
    labels: int | None = None
    """That it was told, of so many `images`."""
    images: int | None = None
    supervised: Number = None
    same_network: Number = None
    categories: int | None = None
    """Of an information code, each with the class that it was named after."""
    names: list[str] = Field(default_factory=list)
    named_by: int | None = None
    k_means: Number = None
    chance: Number = None
    sentence: str


class PairsToldApart(Facts):
    """How often the discriminator finds the real one of a held-out and a generated image."""

    pairs: int
    share: Number
    error: Number = None
    sentence: str


class Reconstruction(Facts):
    """What comes back of held-out images that are encoded, and what does without the encoder."""

    images: int
    sentence: str


class Truncation(Facts):
    """What the columns of truncation.tsv say."""

    samples: int
    fidelity: str
    variety: str
    sentence: str


class Threshold(Measures):
    """A row of truncation.tsv: the selected checkpoint, no number of its noise beyond the threshold."""

    images: int = 0
    threshold: Number


class Direction(Facts):
    """One direction of a model between two domains."""

    source: str
    to: str
    sentence: str
    figures: Measures
    baseline: Beside | None = None
    exchanged: bool = False
    """Whether it makes light what is dark."""


class Selection(Measures):
    metric: str
    rule: str
    seed: int | None = None
    floor_images: int
    """Real training images by which the floors were measured."""
    holdout_images: int
    checkpoints: int
    last: Other
    runner_up: Other | None = None
    baseline: Beside | None = None
    """What the sources themselves reach, where the model translates."""
    first_stage: Beside | None = None
    """What the first of two stages reaches alone, enlarged."""
    directions: list[Direction] | None = None
    """Of a model between two domains, of which all other figures are the mean."""
    why: str | None = None
    features: Features | None = None
    absent: dict[str, str] = Field(default_factory=dict)
    """Why a metric was not measured, by its name."""
    verdict: Judgement | None = None
    left_out: str | None = None
    """What a short training got less of than the usual one."""
    collapse: Collapse | None = None
    copying: Copying | None = None
    game: Game | None = None
    classes: list[ClassMeasures] | None = None
    attributes: list[AttributeMeasures] | None = None
    classification_accuracy_score: AccuracyScore | None = None
    classifier: Classifier | None = None
    pairs_told_apart: PairsToldApart | None = None
    reconstruction: Reconstruction | None = None
    truncation: Truncation | None = None

    @field_validator("metric")
    @classmethod
    def _is_a_metric(cls, name: str) -> str:
        if name not in METRICS:
            raise ValueError(f"'{name}' is no metric")
        return name
