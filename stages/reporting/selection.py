"""The outputs of the stage `select`, typed, as far as the report reads them. Only METRICS names metrics."""

from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from stages.reporting.facts import Facts, Number
from stages.selection.metrics import METRICS


class Measures(Facts):
    """The measured values of a checkpoint, by column: each metric, its floor with interval, its standard error."""

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
        """The value of a column; None if it was not measured."""
        return None if column is None else self.__pydantic_extra__.get(column)


_COLUMNS = {column for name, metric in METRICS.items() for column in (name, *metric.columns)}


class Checkpoint(Measures):
    selected: Literal["0", "1"]


class Other(Measures):
    """A checkpoint that was not selected."""

    samples: int = 0


class Beside(Measures):
    """Measures of no checkpoint but of a baseline."""

    images: int = 0
    samples: int = 0


class Judgment(Facts):
    """An overall verdict on the generator."""

    level: Literal["good", "fair", "poor", "unknown"]
    sentence: str = Field(pattern=":")
    """The level, a colon, and the reasons."""
    curve: str
    advice: str
    doubt: str | None = None
    """Why the evaluator is not to be believed, as a verb phrase."""

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
    """Whether the game improved on the training before it, without a discriminator."""

    won: bool
    known: bool = True
    sentence: str


class Features(Facts):
    """The features in which images were compared."""

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
    """How often an attribute is recognized as it was asked for."""

    name: str
    accuracy: Number
    accuracy_floor: Number = None
    chance: Number


class AccuracyScore(Facts):
    """The accuracy of a classifier trained only on generated images, beside one trained on real ones."""

    generated: Number
    real: Number
    images: int
    seed: int
    sentence: str


class Classifier(Facts):
    """The discriminator as a classifier of the holdout, beside other classifiers."""

    kind: str
    accuracy: Number
    error: Number = None
    batch_size: int
    evaluator: Number = None
    labels: int | None = None
    """How many of its `images` had a label in training."""
    images: int | None = None
    supervised: Number = None
    same_network: Number = None
    categories: int | None = None
    """How many categories its information code has, each named after a class."""
    names: list[str] = Field(default_factory=list)
    named_by: int | None = None
    k_means: Number = None
    chance: Number = None
    sentence: str


class PairsToldApart(Facts):
    """How often the discriminator recognizes the real image among a real one of the holdout and a generated one."""

    pairs: int
    share: Number
    error: Number = None
    sentence: str


class Detector(Facts):
    """The detector that the release carries."""

    sentence: str


class Reconstruction(Facts):
    """How well images of the holdout are reconstructed, with the encoder and without it."""

    images: int
    sentence: str
    mean_latent: Beside | None = None
    mean_image: Beside | None = None


class Truncation(Facts):
    """The meaning of the columns of truncation.tsv."""

    samples: int
    fidelity: str
    variety: str
    sentence: str


class Threshold(Measures):
    """A row of truncation.tsv: the selected checkpoint, with its noise truncated at the threshold."""

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
    """Whether it exchanges light and dark."""


class Selection(Measures):
    metric: str
    rule: str
    seed: int | None = None
    floor_images: int
    """How many real training images the floors were measured with."""
    holdout_images: int
    checkpoints: int
    last: Other
    runner_up: Other | None = None
    baseline: Beside | None = None
    """The measures of the untouched sources, if the model translates."""
    first_stage: Beside | None = None
    """The measures of the first of two stages alone, enlarged."""
    directions: list[Direction] | None = None
    """Each direction of a model between two domains; all other figures are means over both."""
    why: str | None = None
    features: Features | None = None
    absent: dict[str, str] = Field(default_factory=dict)
    """The reasons why metrics were not measured, by name."""
    verdict: Judgment | None = None
    left_out: str | None = None
    """What a short training gets less of than a usual one, in a sentence."""
    collapse: Collapse | None = None
    copying: Copying | None = None
    game: Game | None = None
    classes: list[ClassMeasures] | None = None
    attributes: list[AttributeMeasures] | None = None
    classification_accuracy_score: AccuracyScore | None = None
    classifier: Classifier | None = None
    pairs_told_apart: PairsToldApart | None = None
    detector: Detector | None = None
    reconstruction: Reconstruction | None = None
    truncation: Truncation | None = None

    @field_validator("metric")
    @classmethod
    def _is_a_metric(cls, name: str) -> str:
        if name not in METRICS:
            raise ValueError(f"'{name}' is no metric")
        return name
