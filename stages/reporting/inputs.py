"""What the report reads: every input typed; one that is missing or malformed is refused by name."""

import base64
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from PIL import Image
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from stages.common.errors import UserError
from stages.common.files import read_json, sha256_of
from stages.common.params import Metric, Params

_AGAIN = "remove it and run `dvc repro`"


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


class SplitFacts(Facts):
    kind: Literal["source", "random"]
    holdout: float
    seed: int


class Source(Facts):
    name: str
    licence: str | None
    origin: str | None


class TruthFacts(Facts):
    centres: list[list[float]]
    std: float
    scale: float


class Manifest(Facts):
    shape: tuple[int, int, int]
    range: tuple[float, float]
    classes: list[str] | None
    counts: Counts
    class_counts: dict[Literal["train", "holdout"], dict[str, int]] | None
    broken: list[Broken]
    split: SplitFacts
    source: Source
    truth: TruthFacts | None = None
    """Where the images are points of which it is known how they are drawn."""
    fingerprint: str


class Expectation(Facts):
    name: str
    expectation: str
    column: str | None
    success: bool
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


class Evaluator(Facts):
    kind: Literal["classifier", "autoencoder", "coordinates"]
    holdout_accuracy: Number = None
    holdout_explained_variance: Number = None
    images: int
    holdout_images: int
    features: int
    sha256: str


class Measures(Facts):
    """What was measured of one checkpoint; None where it was not."""

    images: int
    frechet_distance: Number = None
    frechet_floor: Number = None
    kernel_distance: Number = None
    kernel_error: Number = None
    kernel_floor: Number = None
    conditional_accuracy: Number = None
    accuracy_floor: Number = None
    modes_captured: Number = None
    modes_floor: Number = None
    high_quality: Number = None
    quality_floor: Number = None
    reverse_kl: Number = None
    reverse_kl_floor: Number = None
    samples: int


class Checkpoint(Measures):
    selected: Literal["0", "1"]


class Last(Measures):
    samples: int = 0


class Selection(Measures):
    metric: Metric
    rule: str
    floor_images: int
    """Real training images by which the floors were measured."""
    holdout_images: int
    checkpoints: int
    last: Last


class Curve(Facts):
    """A row of the training log."""

    images: int
    discriminator_loss: Number
    generator_loss: Number
    d_real: Number
    d_fake: Number
    value: Number = None
    value_optimum: Number = None


class Git(Facts):
    commit: str | None
    clean: bool | None


class Machine(Facts):
    python: str
    platform: str
    device: str


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


@dataclass(frozen=True)
class Picture:
    """A PNG as it lies on disk, and its size in pixels."""

    png: bytes
    width: int
    height: int

    @property
    def uri(self) -> str:
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


@dataclass(frozen=True)
class ModelFile:
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Inputs:
    """All that the page tells, as the other stages wrote it."""

    manifest: Manifest
    validation: Validation
    evaluator: Evaluator
    curves: list[Curve]
    checkpoints: list[Checkpoint]
    selection: Selection
    frames: list[tuple[int, Picture]]
    """Images seen, and the grid of the same latents at that point; in order."""
    nearest: Picture
    samples: Picture
    walk: Picture
    model: list[ModelFile]
    made: list[Made]
    """In the order of the pipeline."""

    @property
    def selected(self) -> Checkpoint:
        return next(row for row in self.checkpoints if row.selected == "1")

    @property
    def conditional(self) -> bool:
        """Whether the generator makes the class it is asked for."""
        train = self.made_by("train")
        told = {} if train is None else train.recipe.get("generator") or {}
        return self.manifest.classes is not None and told.get("conditioning") != "none"

    def made_by(self, stage: str) -> Made | None:
        return next((made for made in self.made if made.stage == stage), None)


def read_inputs(root: Path) -> Inputs:
    """Everything the report is made of, under `root`; a UserError names what is missing or malformed."""
    inputs = Inputs(
        manifest=_read(root / "data/normalized/manifest.json", Manifest),
        validation=_read(root / "reports/validation.json", Validation),
        evaluator=_read(root / "metrics/evaluator.json", Evaluator),
        curves=_read_tsv(root / "metrics/train.tsv", Curve),
        checkpoints=_read_tsv(root / "metrics/checkpoints.tsv", Checkpoint),
        selection=_read(root / "metrics/selection.json", Selection),
        frames=_read_frames(root / "plots/training"),
        nearest=_read_picture(root / "plots/nearest.png"),
        samples=_read_picture(root / "plots/samples.png"),
        walk=_read_picture(root / "plots/walk.png"),
        model=[ModelFile(p.name, p.stat().st_size, sha256_of(p)) for p in _files(root / "models/selected", "*")],
        made=_read_provenance(root / "provenance"),
    )
    _check_selected(inputs, root)
    return inputs


def _check_selected(inputs: Inputs, root: Path) -> None:
    marked = [row.images for row in inputs.checkpoints if row.selected == "1"]
    if marked != [inputs.selection.images]:
        raise UserError(
            f"{root / 'metrics/checkpoints.tsv'} marks {marked or 'nothing'} as selected and "
            f"{root / 'metrics/selection.json'} says {inputs.selection.images}: run `dvc repro -f -s select`"
        )


FactsType = TypeVar("FactsType", bound=Facts)


def _read(path: Path, kind: type[FactsType]) -> FactsType:
    return _checked(read_json(path), kind, str(path))


def _checked(value: Any, kind: type[FactsType], where: str) -> FactsType:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise UserError(f"{where}: {key}: {first['msg'].lower()}; {_AGAIN}") from None


def _read_tsv(path: Path, kind: type[FactsType]) -> list[FactsType]:
    try:
        header, *lines = [line.split("\t") for line in path.read_text().splitlines()] or [[]]
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run the stage that makes it (`dvc repro`)") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not text: {_AGAIN}") from None
    if not lines:
        raise UserError(f"{path} has no rows: {_AGAIN}")
    for place, cells in enumerate(lines, 2):
        if len(cells) != len(header):
            raise UserError(f"{path}, line {place}: {len(cells)} cells under {len(header)} headings; {_AGAIN}")
    rows = [dict(zip(header, cells, strict=True)) for cells in lines]
    return [_checked(row, kind, f"{path}, line {place}") for place, row in enumerate(rows, 2)]


def _read_picture(path: Path) -> Picture:
    try:
        png = path.read_bytes()
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            image.verify()
            return Picture(png, *image.size)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run the stage that makes it (`dvc repro`)") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} is not a sound PNG ({error}): {_AGAIN}") from None


def _read_frames(folder: Path) -> list[tuple[int, Picture]]:
    frames = []
    for path in _files(folder, "*.png"):
        seen = re.fullmatch(r"images-(\d+)\.png", path.name)
        if seen is None:
            raise UserError(f"{path} is not named images-NUMBER.png: {_AGAIN}")
        frames.append((int(seen[1]), _read_picture(path)))
    return sorted(frames, key=lambda frame: frame[0])


def _read_provenance(folder: Path) -> list[Made]:
    order = [field.alias or name for name, field in Params.model_fields.items()]  # as in params.yaml
    made = [_read(path, Made) for path in _files(folder, "*.json")]
    return sorted(made, key=lambda one: (order.index(one.stage) if one.stage in order else len(order), one.stage))


def _files(folder: Path, pattern: str) -> list[Path]:
    """The files in a folder, by name; at least one."""
    found = sorted(path for path in folder.glob(pattern) if path.is_file())
    if not found:
        raise UserError(f"{folder} is missing or empty: run the stage that makes it (`dvc repro`)")
    return found
