"""The report's inputs, typed; a missing or malformed input is refused by name."""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image
from pydantic import BaseModel, ValidationError

from stages.common.errors import UserError
from stages.common.files import missing_output, read_json, sha256_of
from stages.common.params import Params
from stages.common.sections import first_problem
from stages.common.templates import data_uri
from stages.reporting.facts import (
    Curve,
    Drift,
    Evaluator,
    Expectation,
    Heard,
    Latent,
    LatentAbsent,
    LatentPicture,
    Made,
    Manifest,
    Validation,
)
from stages.reporting.previous import Previous, read_previous
from stages.reporting.selection import Checkpoint, Selection, Threshold

_AGAIN = "remove it and run `dvc repro`"


@dataclass(frozen=True)
class Picture:
    """A PNG file's bytes, and its size in pixels."""

    png: bytes
    width: int
    height: int

    @property
    def uri(self) -> str:
        return data_uri("image/png", self.png)


@dataclass(frozen=True)
class Sound:
    """A WAV file, its name, and its picture."""

    column: str
    wav: bytes
    picture: Picture

    @property
    def uri(self) -> str:
        return data_uri("audio/wav", self.wav)


@dataclass(frozen=True)
class Listening:
    """Sounds of one sample, to compare."""

    title: str
    sounds: list[Sound]


@dataclass(frozen=True)
class ModelFile:
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Inputs:
    """All facts of the page, as the other stages wrote them."""

    manifest: Manifest
    validation: Validation
    drift: Drift
    evaluator: Evaluator
    curves: list[Curve]
    checkpoints: list[Checkpoint]
    selection: Selection
    thresholds: list[Threshold]
    """The truncation curve, from the lowest threshold to none; empty if there is no curve."""
    frames: list[tuple[int, Picture]]
    """Images seen, and the grid of the same latents at that time; in order."""
    nearest: Picture
    samples: Picture
    latent: list[tuple[LatentPicture, Picture]]
    """The pictures of the latent space, in order."""
    no_latent: list[LatentAbsent]
    heard: list[Listening]
    """Sounds to listen to; empty for a medium without sound."""
    lines: list[str]
    """The first samples, if they are text."""
    previous: Previous | None
    model: list[ModelFile]
    made: list[Made]
    """The provenance of each stage, in the order of the pipeline."""

    @property
    def expectations(self) -> list[Expectation]:
        """All checks that the gate made of the data."""
        return [*self.validation.expectations, *self.drift.expectations]

    @property
    def selected(self) -> Checkpoint:
        return next(row for row in self.checkpoints if row.selected == "1")

    @property
    def conditional(self) -> bool:
        """Whether the generator makes the class it is asked for."""
        return self.manifest.classes is not None and self._conditioning not in ("none", "source", "domain")

    @property
    def translates(self) -> bool:
        """Whether the generator makes images from sources."""
        return self._conditioning == "source"

    @property
    def couples(self) -> bool:
        """Whether one latent gives an image of each of two domains."""
        return self._conditioning == "domain"

    @property
    def _conditioning(self) -> str | None:
        train = self.made_by("train")
        player = {} if train is None else train.recipe.get("generator") or {}
        found: str | None = player.get("conditioning")
        return found

    @property
    def domain_counts(self) -> list[tuple[str, int, int]]:
        """For each of two domains its name, and the numbers of its training images and of its holdout."""
        counts = self.manifest.domain_counts or {}
        both = [counts.get(split, {}) for split in ("train", "holdout")]
        return [(name, both[0].get(name, 0), both[1].get(name, 0)) for name in self.manifest.domains or []]

    @property
    def cell(self) -> tuple[int, int]:
        """(height, width) of a sample in a grid, before it is enlarged."""
        return self.manifest.medium.cell(self.manifest.shape)

    def made_by(self, stage: str) -> Made | None:
        return next((made for made in self.made if made.stage == stage), None)


def read_inputs(root: Path) -> Inputs:
    """All inputs of the report under `root`; a UserError names a missing or malformed one."""
    latent = read_facts(root / "metrics/latent.json", Latent)
    inputs = Inputs(
        manifest=read_facts(root / "data/normalized/manifest.json", Manifest),
        validation=read_facts(root / "reports/validation.json", Validation),
        drift=read_facts(root / "reports/drift.json", Drift),
        evaluator=read_facts(root / "metrics/evaluator.json", Evaluator),
        curves=_read_tsv(root / "metrics/train.tsv", Curve),
        checkpoints=_read_tsv(root / "metrics/checkpoints.tsv", Checkpoint),
        selection=read_facts(root / "metrics/selection.json", Selection),
        thresholds=_read_tsv(root / "metrics/truncation.tsv", Threshold, may_be_empty=True),
        frames=_read_frames(root / "plots/training"),
        nearest=_read_picture(root / "plots/nearest.png"),
        samples=_read_picture(root / "plots/samples.png"),
        latent=[(one, _read_picture(root / "plots/latent" / one.file)) for one in latent.pictures],
        no_latent=latent.absent,
        heard=_read_heard(root / "plots/heard"),
        lines=latent.lines,
        previous=read_previous(root),
        model=[ModelFile(p.name, p.stat().st_size, sha256_of(p)) for p in _files(root / "models/selected", "*")],
        made=_read_provenance(root / "provenance"),
    )
    _check_selected(inputs, root)
    return inputs


def _check_selected(inputs: Inputs, root: Path) -> None:
    marked = [row.images for row in inputs.checkpoints if row.selected == "1"]
    if marked != [inputs.selection.images]:
        raise UserError(
            "outputs-disagree",
            f"{root / 'metrics/checkpoints.tsv'} marks {marked or 'nothing'} as selected and "
            f"{root / 'metrics/selection.json'} says {inputs.selection.images}: run `dvc repro -f -s select`",
        )


FactsType = TypeVar("FactsType", bound=BaseModel)


def read_facts(path: Path, kind: type[FactsType]) -> FactsType:
    """A stage's JSON as a model. Raises UserError that names a file that is missing, or its first wrong key."""
    return _checked(read_json(path), kind, str(path))


def _checked(value: Any, kind: type[FactsType], where: str) -> FactsType:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise UserError("output-damaged", f"{where}: {first_problem(error)}; {_AGAIN}") from None


def _read_tsv(path: Path, kind: type[FactsType], *, may_be_empty: bool = False) -> list[FactsType]:
    try:
        header, *lines = [line.split("\t") for line in path.read_text().splitlines()] or [[]]
    except FileNotFoundError:
        raise missing_output(path) from None
    except UnicodeDecodeError:
        raise UserError("output-damaged", f"{path} is not text: {_AGAIN}") from None
    if not lines and not may_be_empty:
        raise UserError("output-damaged", f"{path} has no rows: {_AGAIN}")
    for place, cells in enumerate(lines, 2):
        if len(cells) != len(header):
            raise UserError(
                "output-damaged", f"{path}, line {place}: {len(cells)} cells under {len(header)} headings; {_AGAIN}"
            )
    rows = [dict(zip(header, cells, strict=True)) for cells in lines]
    return [_checked(row, kind, f"{path}, line {place}") for place, row in enumerate(rows, 2)]


def _read_picture(path: Path) -> Picture:
    try:
        png = path.read_bytes()
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            image.verify()
            return Picture(png, *image.size)
    except FileNotFoundError:
        raise missing_output(path) from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError("output-damaged", f"{path} is not a sound PNG ({error}): {_AGAIN}") from None


def _read_frames(folder: Path) -> list[tuple[int, Picture]]:
    frames = []
    for path in _files(folder, "*.png"):
        match = re.fullmatch(r"images-(\d+)\.png", path.name)
        if match is None:
            raise UserError("output-damaged", f"{path} is not named images-NUMBER.png: {_AGAIN}")
        frames.append((int(match[1]), _read_picture(path)))
    return sorted(frames, key=lambda frame: frame[0])


def _read_heard(folder: Path) -> list[Listening]:
    heard = read_facts(folder / "heard.json", Heard)
    return [
        Listening(
            row.title,
            [
                Sound(column, _read_sound(folder / f"{name}.wav"), _read_picture(folder / f"{name}.png"))
                for column, name in zip(heard.columns, row.files, strict=False)
            ],
        )
        for row in heard.rows
    ]


def _read_sound(path: Path) -> bytes:
    from mintage.waves import decode_wav  # it needs NumPy, which a worker that only reads figures lacks

    try:
        content = path.read_bytes()
        decode_wav(content)
    except FileNotFoundError:
        raise missing_output(path) from None
    except ValueError as error:
        raise UserError("output-damaged", f"{path} is not a sound WAV file ({error}): {_AGAIN}") from None
    return content


def _read_provenance(folder: Path) -> list[Made]:
    order = [field.alias or name for name, field in Params.model_fields.items()]  # as in params.yaml
    made = [read_facts(path, Made) for path in _files(folder, "*.json")]
    return sorted(made, key=lambda one: (order.index(one.stage) if one.stage in order else len(order), one.stage))


def _files(folder: Path, pattern: str) -> list[Path]:
    """The files in a folder, by name; at least one."""
    found = sorted(path for path in folder.glob(pattern) if path.is_file())
    if not found:
        raise UserError("output-missing", f"{folder} is missing or empty: `mintage run` makes it")
    return found
