"""The other stages' outputs, typed: what of their JSON and TSV the report reads. Metrics are named by METRICS alone."""

import math
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    ValidationInfo,
    field_validator,
    model_validator,
)

from stages.media import medium_of
from stages.media.medium import Medium, Shape
from stages.selection.metrics import METRICS


def _finite(value: Any) -> Any:
    """An empty cell and a number that is not finite (a game that diverged) are both: no number."""
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
    """What made some of the sources; as `stages.common.marks.Mark`."""

    model: str | None
    family: str | None
    release: str | None


class SplitFacts(Facts):
    kind: Literal["source", "random"]
    holdout: float
    seed: int


class Source(Facts):
    name: str
    licence: str | None
    origin: str | None


class Manifest(Facts):
    medium: InstanceOf[Medium]
    shape: tuple[int, ...]
    range: tuple[float, float]
    classes: list[str] | None
    counts: Counts
    attributes: list[str] | None = None
    domains: list[str] | None = None
    domain_counts: dict[str, dict[str, int]] | None = None
    class_counts: dict[Literal["train", "holdout"], dict[str, int]] | None
    broken: list[Broken]
    split: SplitFacts
    source: Source
    fingerprint: str
    partner_shape: tuple[int, ...] | None = None
    partners_made_by: list[Maker] = []

    @model_validator(mode="before")
    @classmethod
    def _knows_its_medium(cls, facts: Any) -> Any:
        return {**facts, "medium": medium_of(facts)} if isinstance(facts, dict) else facts

    @field_validator("shape")
    @classmethod
    def _has_the_sides_of_its_medium(cls, shape: Shape, known: ValidationInfo) -> Shape:
        return known.data["medium"].check_shape(shape) if "medium" in known.data else shape


class Expectation(Facts):
    name: str
    expectation: str
    column: str | None
    success: bool
    severity: Literal["critical", "warning"]
    observed: Any
    limit: Any
    unit: str | None = None
    """'share' or 'exceptions' where the two above are one; else they are as they are."""
    examples: list[Any]


class Validation(Facts):
    success: bool
    expectations: list[Expectation]
    rows: int
    great_expectations: str


class Drift(Facts):
    """The data beside those of the release before."""

    reason: str | None
    """Why they are not compared, where they are not."""
    expectations: list[Expectation]


class Evaluator(Facts):
    kind: str
    holdout_accuracy: Number = None
    holdout_explained_variance: Number = None
    holdout_surprise: Number = None
    images: int
    holdout_images: int
    features: int
    sha256: str
    turned_down: str | None = None
    """That it learned from fewer images than the usual one."""


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
    baseline: Other | None = None
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
    baseline: Other | None = None
    """What the sources themselves reach, where the model translates."""
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
    truncation: Truncation | None = None

    @field_validator("metric")
    @classmethod
    def _is_a_metric(cls, name: str) -> str:
        if name not in METRICS:
            raise ValueError(f"'{name}' is no metric")
        return name


class LatentPicture(Facts):
    file: str = Field(pattern=r"^[\w-]+\.png$")
    title: str
    told: str
    rows: list[str]


class LatentAbsent(Facts):
    title: str
    reason: str


class Latent(Facts):
    pictures: list[LatentPicture]
    absent: list[LatentAbsent]
    lines: list[str] = []
    """The first samples, where they are text."""


class HeardRow(Facts):
    title: str
    files: list[Annotated[str, Field(pattern=r"^\d+-\d+$")]]  # without their suffixes: a sound, and its picture


class Heard(Facts):
    """What there is to listen to: a row a thing, in these columns."""

    columns: list[str]
    rows: list[HeardRow]


class Curve(Facts):
    """A row of the training log."""

    images: int
    discriminator_loss: Number = None
    """Nobody judges where a variational autoencoder learns."""
    generator_loss: Number
    d_real: Number = None
    d_fake: Number = None
    value: Number = None
    value_optimum: Number = None
    d_accuracy: Number = None
    discriminator_gradient: Number = None
    generator_gradient: Number = None


class Git(Facts):
    commit: str | None
    clean: bool | None
    reason: str | None = None
    """Why one of both is not known."""


class Machine(Facts):
    python: str
    platform: str
    device: str


class StoppedEarly(Facts):
    """A training that ended before its last image, since its metric no longer got better."""

    metric: str
    images: int
    best: Number
    best_images: int


class Made(Facts):
    """What made a stage's outputs, with what that stage tells beyond that (train: family, recipe, speed)."""

    stage: str
    git: Git
    params: dict[str, Any]
    machine: Machine
    seconds: float
    packages: dict[str, str]
    family: str | None = None
    recipe: dict[str, Any] = Field(default_factory=dict)
    parameters: dict[str, int] = Field(default_factory=dict)
    images_per_second: float | None = None
    data_fingerprint: str | None = None
    stopped_early: StoppedEarly | None = None
