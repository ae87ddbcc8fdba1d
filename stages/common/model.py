"""The generator in files, and its picture."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from mintage.players import Generator, ModelConfig, build_generator
from mintage.sampling import samples
from stages.common.errors import UserError
from stages.common.files import read_json
from stages.common.levels import Levels, to_uint8
from stages.common.pictures import grid, grid_scale
from stages.common.weights import MISFITS, misfit, write_weights

_GRID_COLUMNS = 10
_GRID_ROWS = 10


def write_generator(folder: Path, generator: Generator) -> None:
    """`generator.safetensors` and `config.json`, from which `mintage.players.build_generator` makes it again."""
    write_weights(folder / "generator.safetensors", generator)
    (folder / "config.json").write_text(json.dumps(asdict(generator.config), indent=2) + "\n")


def read_generator(folder: str | Path, device: torch.device) -> Generator:
    """The generator in a folder such as models/selected; UserError where weights are damaged or do not fit."""
    config: dict[str, Any] = read_json(Path(folder) / "config.json")
    weights = Path(folder) / "generator.safetensors"
    try:
        return build_generator(config, load_file(weights)).to(device)
    except FileNotFoundError:
        raise UserError("output-missing", f"{weights} is missing: run `dvc repro select`") from None
    except MISFITS as error:
        raise misfit(weights, error, "select") from None


def rows_of_grid(config: ModelConfig, classes: Sequence[int] | None = None) -> list[int]:
    """The class of each row of `sample_grid`, or the category of the information code; empty where it has neither."""
    kinds = config.class_count if config.conditional else config.code_categories
    return list(classes or range(kinds))[:_GRID_ROWS]


def sample_grid(generator: Generator, seed: int, asked: Sequence[int] | Tensor | None = None) -> Levels:
    """A picture of the same latents each time, ten columns.

    A row is a class where the model has classes: the first ten of those asked for, or of all; or a category of the
    information code, where it has one. Attributes `[N,K]` are used in turn.
    """
    wanted: list[int] | Tensor | None = asked if isinstance(asked, Tensor) else None
    if not isinstance(asked, Tensor):
        rows = rows_of_grid(generator.config, asked)
        wanted = [label for label in rows for _ in range(_GRID_COLUMNS)] or None
    count = len(wanted) if isinstance(wanted, list) else _GRID_COLUMNS * 6
    images = torch.cat([images for images, _ in samples(generator, count, seed, wanted)])
    return grid(to_uint8(images.numpy()), _GRID_COLUMNS, grid_scale(*generator.config.image_shape[1:]))
