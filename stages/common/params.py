"""`params.yaml`, typed: one model for each stage, in the order of the file, which explains each value."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator
from ruamel.yaml.error import YAMLError

from mintage.budget import images_beside
from mintage.spelling import american
from stages.common.errors import UserError, brief
from stages.common.sections import (
    COLOR,
    SHA256,
    STORE_URL,
    WEBHOOK,
    Attributes,
    Count,
    Device,
    Finite,
    Groups,
    Level,
    Name,
    OpenShare,
    Pairs,
    Place,
    Positive,
    Processes,
    Scenes,
    Section,
    SectionType,
    Seed,
    Severity,
    Share,
    Shown,
    Window,
    file_or_false,
    folders_of_domains,
    names,
    validated,
    yaml_problem,
)  # fmt: skip
from stages.common.train_params import Train
from stages.common.yaml_files import parse_yaml, quotes_first
from stages.selection.metrics import METRICS, SELECTABLE


class Ingest(Section):
    source: Annotated[str, Field(min_length=1)]  # stages.sources knows the names: only ingest needs a user's own
    path: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None
    options: dict[str, Any]  # checked by the source's own model
    labels: Annotated[Place | Literal[False] | None, BeforeValidator(file_or_false)]
    attributes: Attributes | None = None
    unlabeled: Literal["refuse", "leave_out"]
    groups: Groups | None
    pairs: Pairs | None
    domains: Annotated[dict[Name, Name] | None, BeforeValidator(folders_of_domains)] = None
    """The folder of each domain, by the domain's name."""
    scenes: Scenes | None = None
    frames: Literal["first", "all"]
    strip_metadata: bool
    max_pixels: Count
    shard_images: Count

    @model_validator(mode="after")
    def _classes_or_attributes(self) -> "Ingest":
        if self.attributes is not None and isinstance(self.labels, str | Path):
            raise ValueError("labels and attributes are each in place of the other: set one of them to null")
        return self

    @model_validator(mode="after")
    def _pairs_or_domains(self) -> "Ingest":
        if self.pairs is not None and self.domains is not None:
            raise ValueError("of pairs each image has its partner, of domains none has: set pairs or domains to null")
        return self

    @model_validator(mode="after")
    def _scenes_alone(self) -> "Ingest":
        if self.scenes is not None and (self.pairs is not None or self.domains is not None or self.frames == "all"):
            raise ValueError(
                "a frame of a scene belongs to those before it: set pairs and domains to null, and frames to first"
            )
        return self

    @model_validator(mode="after")
    def _maps_of_first_frames(self) -> "Ingest":
        if self.pairs is not None and self.pairs.maps and self.frames == "all":
            raise ValueError("a map belongs to one picture, not to the frames of a file: set frames to first")
        return self

    @field_validator("path")
    @classmethod
    def _path_is_as_dvc_reads_it(cls, path: str) -> str:
        if (home := os.path.expanduser(path)) != path:
            raise ValueError(
                f"{brief(path)} begins with '~', which DVC, that watches it, does not know: write {home!r}"
            )
        return path


class NearCopies(Section):
    """When the gate takes two images for near-copies."""

    likeness: OpenShare
    hash_distance: Annotated[int, Field(ge=0, le=8)]


class Damage(Section):
    factor: Literal[2, 4, 8] = 4
    deviation: Annotated[float, Field(gt=0, le=4)] = 0.3
    salt: OpenShare = 0.1
    quality: Annotated[int, Field(ge=1, le=95)] = 10


class Normalize(Section):
    channels: Literal[1, 2, 3]
    depth: Annotated[int, Field(ge=1, le=4096)] | None = None
    length: Annotated[int, Field(ge=64, le=2**20)] | None = None
    height: Annotated[int, Field(ge=1, le=4096)]
    width: Annotated[int, Field(ge=1, le=4096)]
    fit: Literal["resize", "crop", "letterbox", "pad"]
    crop_position: Annotated[Literal["center", "random"], BeforeValidator(american)]
    crop_seed: Seed
    resample: Literal["lanczos", "area"]
    reducing_gap: Annotated[float, Field(ge=1, le=16)]
    upscale: Literal["refuse", "allow"]
    background: Annotated[str, Field(pattern=COLOR)]
    black: Level
    white: Level
    partner: Annotated[
        Literal["left_right", "right_left", "edges", "gray", "lower_resolution", "masked", "noisy", "salt", "jpeg"]
        | None,
        BeforeValidator(american),
    ]
    damage: Damage = Damage()
    split: Literal["auto", "random"]
    holdout: OpenShare
    split_seed: Seed
    near_copies: NearCopies | None
    max_broken: Share
    shard_images: Count

    @model_validator(mode="after")
    def _white_is_above_black(self) -> "Normalize":
        if isinstance(self.white, float) and self.black != "auto" and self.white <= (self.black or 0):
            raise ValueError(f"white = {self.white:g} is not above black = {self.black or 0:g}: name a higher value")
        return self

    @model_validator(mode="after")
    def _a_partner_differs(self) -> "Normalize":
        if self.partner == "gray" and self.channels == 1:
            raise ValueError("partner 'gray' of a gray image is the image itself: set channels to 3")
        return self

    def shape_of(self, sides: Sequence[str]) -> tuple[int, ...]:
        """(C, *S) of samples whose sides have these names (`Medium.sides`); a side that is null is 0."""
        return (self.channels, *(getattr(self, side) or 0 for side in sides))


class Severities(Section):
    broken: Severity
    duplicates: Severity
    near_duplicates: Severity
    leakage: Severity
    constant: Severity
    imbalance: Severity
    reach: Severity
    brightness: Severity
    source_size: Severity
    drift: Severity


class Validate(Section):
    min_images: Annotated[int, Field(ge=2)]
    max_broken: Share
    max_duplicates: Share
    max_near_duplicates: Share
    max_leakage: Share
    hash_distance: Annotated[int, Field(ge=0, le=8)]
    likeness: OpenShare
    max_constant: Share
    max_imbalance: Annotated[float, Field(ge=1, allow_inf_nan=False)]
    min_class_images: Count
    min_reach: Share
    outlier_fence: Positive
    max_outliers: Share
    max_drift: Positive
    severity: Severities


class Evaluator(Section):
    seed: Seed
    images: Shown | None
    batch_size: Annotated[int, Field(ge=2, le=2**20)]
    learning_rate: Positive
    features: Annotated[int, Field(ge=2, le=2048)]
    window: Window | None
    device: Device

    def images_for(self, training: int) -> int:
        """Images that it learns from, beside a training of so many."""
        return images_beside(training) if self.images is None else self.images


def not_guard_only(name: Any) -> Any:
    """A value of `select.metric`; raises ValueError for a metric that may only be a guard."""
    if isinstance(name, str) and name in METRICS and (reason := METRICS[name].guard_only):
        others = f"{', '.join(SELECTABLE[:-1])} or {SELECTABLE[-1]}"
        raise ValueError(f"'{name}' can only be a guard, since {reason}: set metric to {others}")
    return name


if TYPE_CHECKING:
    Metric = str
    Selectable = str
else:  # so that a misspelled name gets the nearest name
    Metric = Literal[tuple(METRICS)]
    Selectable = Annotated[Literal[tuple(SELECTABLE)], BeforeValidator(not_guard_only)]


class Guard(Section):
    metric: Metric
    at_least: Finite | None = None
    at_most: Finite | None = None

    @model_validator(mode="after")
    def _has_a_limit(self) -> "Guard":
        if self.at_least is None and self.at_most is None:
            raise ValueError("a guard needs 'at_least' or 'at_most'")
        return self


class Inception(Section):
    path: Place
    sha256: Annotated[str, Field(pattern=SHA256)]


class Select(Section):
    seed: Seed
    samples: Annotated[int, Field(ge=4, le=10**7)]
    features: Literal["domain", "inception", "pixels"]
    inception: Inception | None
    metric: Selectable
    direction: Literal["min", "max"] | None
    curve: Literal["raw", "smoothed"]
    guards: list[Guard]
    min_diversity: Share
    min_coverage: Share
    min_recall: Share
    max_near_copies: Share
    fail_on_collapse: bool
    classifier_images: Annotated[int, Field(ge=0, le=10**10)] | None
    truncation: Annotated[list[Positive], Field(max_length=20)] | None
    detector_images: Annotated[int, Field(ge=0, le=10**10)] = 0
    window: Window | None
    device: Device

    @model_validator(mode="after")
    def _inception_has_weights(self) -> "Select":
        if self.features == "inception" and self.inception is None:
            raise ValueError("features 'inception' needs its weights: set inception to {path: ..., sha256: ...}")
        return self

    @model_validator(mode="after")
    def _direction_is_possible(self) -> "Select":
        better = METRICS[self.metric].direction
        if self.direction not in (None, better):
            better_is = "higher" if better == "max" else "lower"
            raise ValueError(f"'{self.metric}' is better when it is {better_is}: set direction to '{better}' or null")
        return self


Operand = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=100)]
"""Labels, or indices of samples."""


class Sample(Section):
    seed: Seed
    count: Annotated[int, Field(ge=1, le=10**10)]
    batch_size: Annotated[int, Field(ge=1, le=2**20)]
    classes: list[Annotated[int, Field(ge=0)]]
    attributes: dict[str, bool | float | str] = Field(default_factory=dict)
    walk: Literal["spherical", "linear"] | None
    walk_steps: Annotated[int, Field(ge=2, le=100)]
    truncation: Annotated[list[Positive], Field(max_length=20)]
    arithmetic: Annotated[list[Operand], Field(min_length=3, max_length=3)] | None
    code_reach: Positive
    device: Device


class Export(Section):
    opset: Annotated[int, Field(ge=18, le=23)]


class Report(Section):
    title: Annotated[str, Field(min_length=1, max_length=200)]


CardText = Annotated[str, Field(min_length=1, max_length=10_000)]


class Card(Section):
    """Facts about a model that only its publisher knows."""

    data_license: CardText | None = None
    consent: CardText | None = None
    intended_use: CardText | None = None
    limits: CardText | None = None

    def lacking(self) -> list[str]:
        """The names of the facts that are missing."""
        return [name for name, value in self if value is None]


class Upload(Section):
    url: Annotated[str, Field(pattern=STORE_URL)]
    publish: Literal["runs", "always", "never"]
    uncommitted: Literal["auto", "refuse", "mark"]
    card: Card = Card()
    require_card: bool = False


class Data(Section):
    """How data are processed; no stage's result depends on it."""

    runner: Literal["processes", "dask"] = "processes"
    workers: Processes


class Flow(Section):
    """When and where stages run; no stage depends on it."""

    overlap: Literal["wait", "refuse"]
    runner: Literal["process", "docker"]
    webhook: Annotated[str, Field(pattern=WEBHOOK)] | None
    webhook_timeout: Positive


class Params(Section):
    ingest: Ingest
    normalize: Normalize
    validate_: Validate = Field(alias="validate")
    evaluator: Evaluator
    train: Train
    select: Select
    sample: Sample
    export: Export
    report: Report
    upload: Upload
    data: Data
    flow: Flow


def load_params(path: str | Path = "params.yaml") -> Params:
    """The whole of `params.yaml`, checked; an error names each wrong key, with the nearest right name."""
    with quotes_first(Path(path), Params):
        return _load(path)


def _load(path: str | Path) -> Params:
    try:
        values = parse_yaml(Path(path).read_bytes())
    except FileNotFoundError:
        raise UserError("params-missing", f"{path} is missing: run in the repository's root folder") from None
    except OSError as error:
        raise UserError("params-unreadable", f"{path} cannot be read: {error.strerror}") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError("params-invalid", f"{path} is not valid YAML{yaml_problem(error)}") from None
    if not isinstance(values, dict):
        raise UserError("params-invalid", f"{path} has no sections: it needs {', '.join(names(Params))}")
    return validated(Params, values, path)


def load_section(model: type[SectionType], path: str | Path = "params.yaml") -> SectionType:
    """A stage's own section; the whole file is checked anyway."""
    params = load_params(path)
    return next(value for _, value in params if type(value) is model)


def load_value(key: str, path: str | Path = "params.yaml") -> Any:
    """One value of another stage's section, such as `train.images`; the whole file is checked anyway."""
    section, name = key.split(".")
    return getattr(getattr(load_params(path), section), name)
